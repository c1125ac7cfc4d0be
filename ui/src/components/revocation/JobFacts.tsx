import { formatCount } from "../../model/number";
import { askedWords, type RevocationJob, tasksWord } from "../../model/revocation";
import { AuditLink, WorkerLink } from "../Links";
import { Facts, Section } from "../task/Section";
import { Time } from "../time/Time";

/** What was asked for, by whom, and who did not answer. */
export function JobFacts(props: { job: RevocationJob }) {
  const { job } = props;
  const aside = job.command === null ? undefined : <AuditLink target={String(job.id)}>Audit</AuditLink>;
  return (
    <Section title="Job" aside={aside} flush>
      <Facts
        rows={{
          Filter: askedWords(job.asked),
          Tasks: tasksWord(job.total),
          "Left out": job.leftOut.length > 0 ? leftOutWords(job) : undefined,
          Terminate: job.terminate ? `those that run, with ${job.signal}` : "no: those that run go on",
          Asked: (
            <span>
              <Time value={job.created} /> {job.who === null ? "" : `by ${job.who} `}from{" "}
              {job.address || "here"}
            </span>
          ),
          Started: job.started === null ? undefined : <Time value={job.started} />,
          Ended: job.ended === null ? undefined : <Time value={job.ended} />,
          Silent:
            job.silent.length > 0 ? (
              <span>
                {job.silent.map((worker) => (
                  <span key={worker}>
                    <WorkerLink hostname={worker} />{" "}
                  </span>
                ))}
                did not confirm
              </span>
            ) : undefined,
          Note: job.detail || undefined,
          "Holds for": "3 hours: so long workers remember, unless theirs was set otherwise",
        }}
      />
    </Section>
  );
}

function leftOutWords(job: RevocationJob): string {
  const parts = job.leftOut.map(({ state, count }) => `${formatCount(count)} ${state}`);
  return `${parts.join(", ")}: they had ended`;
}
