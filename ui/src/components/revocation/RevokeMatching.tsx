import { Button, Checkbox, Loader, NativeSelect } from "@mantine/core";
import { IconBan } from "@tabler/icons-react";
import { useState } from "react";
import { SIGNALS } from "../../model/command";
import { formatCount } from "../../model/number";
import { type RevocationJob, type StateCount, type TaskFilter, tasksWord } from "../../model/revocation";
import { stateTone } from "../../model/task";
import command from "../command/Command.module.css";
import { Question } from "../command/Confirm";
import { Dialog } from "../feedback/Dialog";
import { Badge } from "../state/Badge";
import classes from "./Revocation.module.css";

type How = { terminate: boolean; signal: string };
type Asked =
  | { at: "nothing" }
  | { at: "preview" }
  | { at: "question"; job: RevocationJob }
  | { at: "start" }
  | { at: "refusal"; why: string };

const words = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** Revokes all tasks of a list that have not ended: shows first which these are, and asks. */
export function RevokeMatching(props: {
  filter: TaskFilter;
  preview: (filter: TaskFilter) => Promise<RevocationJob>;
  start: (job: RevocationJob, how: How) => Promise<RevocationJob>;
  onStarted: (job: RevocationJob) => void;
}) {
  const [asked, setAsked] = useState<Asked>({ at: "nothing" });
  const close = () => setAsked({ at: "nothing" });
  const look = () => {
    setAsked({ at: "preview" });
    props
      .preview(props.filter)
      .then((job) => setAsked((now) => (now.at === "preview" ? { at: "question", job } : now)))
      .catch((error: unknown) => setAsked({ at: "refusal", why: words(error) }));
  };
  const begin = (job: RevocationJob, how: How) => {
    setAsked({ at: "start" });
    props
      .start(job, how)
      .then((begun) => {
        close();
        props.onStarted(begun);
      })
      .catch((error: unknown) => setAsked({ at: "refusal", why: words(error) }));
  };
  return (
    <>
      <Button variant="default" size="sm" leftSection={<IconBan size={16} />} onClick={look}>
        Revoke matching…
      </Button>
      <Dialog
        opened={asked.at !== "nothing"}
        onClose={close}
        title="Revoke matching tasks?"
        size="md"
        centered
      >
        {asked.at === "question" ? (
          <Ask job={asked.job} onClose={close} onConfirm={(how) => begin(asked.job, how)} />
        ) : asked.at === "refusal" ? (
          <div className={command.question} role="alert">
            <p>{asked.why}</p>
            <div className={command.choices}>
              <Button variant="default" onClick={close}>
                Back
              </Button>
            </div>
          </div>
        ) : (
          <p className={classes.wait} role="status">
            <Loader size={16} aria-hidden="true" />
            {asked.at === "start" ? "Starting…" : "Looking which tasks match…"}
          </p>
        )}
      </Dialog>
    </>
  );
}

function Ask(props: { job: RevocationJob; onConfirm: (how: How) => void; onClose: () => void }) {
  const { job } = props;
  const [terminate, setTerminate] = useState(false);
  const [signal, setSignal] = useState("SIGTERM");
  if (job.total === 0) {
    return (
      <div className={command.question}>
        <p>No task that matches waits or runs: there is nothing to revoke.</p>
        <LeftOut counts={job.leftOut} />
        <div className={command.choices}>
          <Button variant="default" onClick={props.onClose}>
            Back
          </Button>
        </div>
      </div>
    );
  }
  return (
    <Question
      action={`Revoke ${tasksWord(job.total)}`}
      typed={String(job.total)}
      onClose={props.onClose}
      onConfirm={() => props.onConfirm({ terminate, signal })}
    >
      <p>
        <b>{tasksWord(job.total)}</b> {job.total === 1 ? "matches and has" : "match and have"} not ended.
        These are revoked and no others: what is sent from now on is not touched. A revoked task can't be
        brought back.
      </p>
      <Counts counts={job.states} />
      <LeftOut counts={job.leftOut} />
      <Checkbox
        label="Also end those that run by then"
        description="Else a task that has started goes on."
        checked={terminate}
        onChange={(event) => setTerminate(event.currentTarget.checked)}
      />
      {terminate ? (
        <NativeSelect
          label="Signal"
          value={signal}
          data={SIGNALS}
          onChange={(event) => setSignal(event.currentTarget.value)}
        />
      ) : null}
    </Question>
  );
}

function Counts(props: { counts: StateCount[] }) {
  return (
    <ul className={classes.counts}>
      {props.counts.map(({ state, count }) => (
        <li key={state ?? ""}>
          <Badge tone={state === null ? "unknown" : stateTone(state)}>{state ?? "not known"}</Badge>{" "}
          {formatCount(count)}
        </li>
      ))}
    </ul>
  );
}

function LeftOut(props: { counts: StateCount[] }) {
  const { counts } = props;
  if (counts.length === 0) return null;
  const parts = counts.map(({ state, count }) => `${formatCount(count)} ${state}`);
  return <p className={classes.note}>Left out, because they have ended: {parts.join(", ")}.</p>;
}
