import { brokerOf, type Inspection, otherStats, printValue, statsPart } from "../../model/inspection";
import { formatDuration } from "../../model/time";
import { Facts, Section } from "../task/Section";
import { NotAnswered } from "./NotAnswered";
import { factsOf } from "./PoolTab";
import classes from "./Worker.module.css";

/** The worker's settings that are not Celery's defaults, secrets masked. */
export function ConfigTab(props: { inspection: Inspection }) {
  const { conf } = props.inspection;
  if (conf === null) return <NotAnswered inspection={props.inspection} what="its settings" />;
  const rows = Object.entries(conf)
    .filter(([, value]) => value !== null)
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([name, value]) => [name, printValue(value)]);
  return (
    <Section title="Settings that are not Celery's defaults" flush>
      {rows.length === 0 ? (
        <p className={classes.empty}>All are.</p>
      ) : (
        <Facts rows={Object.fromEntries(rows)} />
      )}
    </Section>
  );
}

/** What the worker's process uses, and the broker as it sees it. */
export function SystemTab(props: { inspection: Inspection }) {
  const { inspection } = props;
  const usage = statsPart(inspection, "rusage");
  const broker = brokerOf(inspection);
  if (inspection.stats === null) return <NotAnswered inspection={inspection} what="its system" />;
  return (
    <>
      {usage ? (
        <Section title="Resources used" flush>
          <Facts rows={factsOf(usage)} />
        </Section>
      ) : null}
      {broker ? (
        <Section title="Broker" flush>
          <Facts rows={factsOf(broker)} />
        </Section>
      ) : null}
    </>
  );
}

/** All other figures that the worker tells. */
export function OtherTab(props: { inspection: Inspection }) {
  const { inspection } = props;
  if (inspection.stats === null) return <NotAnswered inspection={inspection} what="anything else" />;
  const { uptime, ...rest } = otherStats(inspection);
  const since = typeof uptime === "number" ? formatDuration(uptime) : undefined;
  return (
    <Section title="Other figures" flush>
      <Facts rows={{ Uptime: since, ...factsOf(rest) }} />
    </Section>
  );
}
