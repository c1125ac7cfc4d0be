import { formatCount } from "../../model/number";
import { originsOf, type Queue, type QueueDetail } from "../../model/queue";
import { Facts, Section } from "../task/Section";
import { Time, Unknown } from "../time/Time";
import { figuresOf } from "./columns";
import { Figure, OldestAge } from "./QueueFigures";

/** The figures of the table, and what they are made of. */
export function QueueNumbers(props: { queue: QueueDetail }) {
  const { queue } = props;
  const can = queue.capabilities;
  const rows = figuresOf(can).map(({ field, label }) => [
    label,
    <Figure key={field} queue={queue} field={field} />,
  ]);
  return (
    <Section title="Figures" flush>
      <Facts
        rows={{
          ...Object.fromEntries(rows),
          ...byPriority(queue),
          "Oldest waits": can.oldest ? <OldestAge queue={queue} /> : undefined,
          "Idle since": can.idleSince ? <Idle queue={queue} /> : undefined,
        }}
      />
    </Section>
  );
}

/** Where the queue is known from, and what it stands for. */
export function QueueFacts(props: { queue: Queue }) {
  const { queue } = props;
  return (
    <Section title="Queue" flush>
      <Facts
        rows={{
          "Known from": originsOf(queue),
          "At the broker":
            queue.exists === null
              ? undefined
              : queue.exists
                ? "there"
                : "not there: nothing was sent to it and no worker runs",
          "Sums up": queue.folded.length > 0 ? queue.folded.join(", ") : undefined,
        }}
      />
    </Section>
  );
}

/** Ready messages of each priority step, where there are several lists with messages. */
function byPriority(queue: Queue): Record<string, string> {
  if (queue.priorities.length < 2) return {};
  const parts = queue.priorities.map(({ priority, ready }) => `${formatCount(ready)} at ${priority}`);
  return { "By priority": parts.join(", ") };
}

function Idle(props: { queue: Queue }) {
  const { queue } = props;
  if (queue.idleSince === null) return <Unknown title="in use, or not known" />;
  return (
    <span>
      <Time value={queue.idleSince} />
      {queue.idleBasis === "observed" ? " (no change was seen since)" : null}
    </span>
  );
}
