import type { Revocation } from "../../model/command";
import type { Tone } from "../../model/task";
import { Said } from "../command/Said";
import { AuditLink } from "../Links";
import { Badge } from "../state/Badge";
import { Time } from "../time/Time";
import { Facts, Section } from "./Section";

type State = Exclude<Revocation["state"], "none">;

const STATES: Record<State, { tone: Tone; word: string; text: string }> = {
  requested: { tone: "pending", word: "requested", text: "Not all workers have said that they know it." },
  flagged: {
    tone: "received",
    word: "known to all workers",
    text: "None will start it. It becomes REVOKED when its turn comes.",
  },
  revoked: { tone: "revoked", word: "revoked", text: "A worker has thrown it away or ended it." },
  ended: { tone: "pending", word: "too late", text: "It had ended otherwise." },
};

/** Whether the task is revoked, as far as anybody knows; nothing where nobody asked for it here. */
export function RevocationSection(props: { revocation: Revocation; isRunning: boolean }) {
  const { revocation, isRunning } = props;
  const { state, command } = revocation;
  if (state === "none" || command === null) return null;
  const { tone, word, text } = STATES[state];
  return (
    <Section title="Revocation" aside={<AuditLink target={command.target}>Audit</AuditLink>} flush>
      <Facts
        rows={{
          State: <Badge tone={tone}>{word}</Badge>,
          Means: isRunning && state === "flagged" ? runningText(command.parameters.terminate === true) : text,
          Asked: (
            <span>
              <Time value={command.time} /> {command.who === null ? "" : `by ${command.who} `}from{" "}
              {command.address}
            </span>
          ),
          Signal: command.parameters.terminate === true ? String(command.parameters.signal) : undefined,
          Answers:
            command.confirmed.length + command.refused.length + command.silent.length > 0 ? (
              <Said answers={command} />
            ) : undefined,
        }}
      />
    </Section>
  );
}

/** Of a task that runs although all workers know that it is revoked. */
function runningText(terminated: boolean): string {
  return terminated
    ? "Its worker has sent the signal; no event says yet that the task has ended."
    : "It runs on: only Terminate ends a task that runs. It is not started again.";
}
