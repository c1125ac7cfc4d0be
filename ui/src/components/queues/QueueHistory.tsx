import { lazy, Suspense } from "react";
import { RANGES, rangeOf } from "../../model/monitor";
import page from "../../styles/page.module.css";
import { Pills } from "../Pills";
import { Section } from "../task/Section";

/** The graph library is fetched with the first graph. */
const QueueLengths = lazy(async () => ({
  default: (await import("../monitor/QueueLengths")).QueueLengths,
}));

const SHOWN = RANGES.filter(({ id }) => ["1h", "24h", "30d"].includes(id));

/** How long the queue was. */
export function QueueHistory(props: {
  queue: string;
  range: string | undefined;
  onRange: (range: string | undefined) => void;
}) {
  const range = rangeOf(props.range);
  return (
    <Section
      title="Length over time"
      aside={
        <Pills
          label="Time"
          value={range.id}
          onChange={(id) => props.onRange(id === RANGES[0]?.id ? undefined : id)}
          pills={SHOWN.map(({ id, label }) => ({ value: id, label, count: null }))}
        />
      }
    >
      <Suspense fallback={<p className={page.subtle}>Loading…</p>}>
        <QueueLengths queue={props.queue} range={range} />
      </Suspense>
    </Section>
  );
}
