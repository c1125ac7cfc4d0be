import { formatCount } from "../../model/number";
import { OUTCOMES, phaseOf, progressOf, type RevocationJob } from "../../model/revocation";
import { Badge } from "../state/Badge";
import { Section } from "../task/Section";
import classes from "./Revocation.module.css";

/** How far a job is: a bar of its outcomes, their counts, and what each of them means. */
export function JobProgress(props: { job: RevocationJob }) {
  const { job } = props;
  const percent = Math.floor(progressOf(job) * 100);
  const phase = phaseOf(job);
  // what is still to come stands at the end of the bar
  const outcomes = job.outcomes.toSorted(
    (a, b) => Number(a.outcome === "waiting") - Number(b.outcome === "waiting"),
  );
  return (
    <Section title="Progress">
      <div className={classes.progress}>
        <div
          className={classes.bar}
          role="progressbar"
          aria-label="Tasks judged"
          aria-valuemin={0}
          aria-valuemax={100}
          aria-valuenow={percent}
        >
          {outcomes.map(({ outcome, count }) => (
            <span
              key={outcome}
              data-tone={OUTCOMES[outcome].tone}
              data-outcome={outcome}
              style={{ flexGrow: count }}
            />
          ))}
        </div>
        <ul className={classes.counts} aria-label="Outcomes">
          {outcomes.map(({ outcome, count }) => (
            <li key={outcome} title={OUTCOMES[outcome].text}>
              <Badge tone={OUTCOMES[outcome].tone}>{OUTCOMES[outcome].word}</Badge> {formatCount(count)}
            </li>
          ))}
        </ul>
        {phase ? (
          <p className={classes.note} role="status">
            {phase}
          </p>
        ) : null}
      </div>
    </Section>
  );
}
