import { formatCount } from "../../model/number";
import type { Worker } from "../../model/worker";
import { TasksLink } from "../Links";
import { Facts, Section } from "../task/Section";
import { Duration, Time, Unknown } from "../time/Time";

/** Seconds of clock difference above which it is worth a word. */
const SKEW_WORTH_TELLING = 30;

/** Totals since the history began, each with its list. */
export function WorkerCounters(props: { worker: Worker }) {
  const { worker } = props;
  const tasks = (value: number, state?: string) => (
    <TasksLink worker={worker.hostname} state={state}>
      {formatCount(value)}
    </TasksLink>
  );
  return (
    <Section title="Tasks, in total" flush>
      <Facts
        rows={{
          "Active now":
            worker.active === null ? (
              <Unknown title="no heartbeat has told it" />
            ) : (
              tasks(worker.active, "STARTED")
            ),
          Processed: tasks(worker.processed),
          Succeeded: tasks(worker.succeeded, "SUCCESS"),
          Failed: tasks(worker.failed, "FAILURE"),
          Retried: tasks(worker.retried, "RETRY"),
          Revoked: tasks(worker.revoked, "REVOKED"),
        }}
      />
    </Section>
  );
}

/** What the worker's events tell of it. */
export function WorkerFacts(props: { worker: Worker }) {
  const { worker } = props;
  const { skew } = worker;
  return (
    <Section title="Worker" flush>
      <Facts
        rows={{
          "Load average": worker.loadavg?.map((load) => load.toFixed(2)).join("  ") ?? <Unknown />,
          "Process id": worker.pid === null ? <Unknown /> : String(worker.pid),
          Software: worker.software ?? <Unknown />,
          "Last heartbeat": <Time value={worker.lastHeartbeat} style="relative" />,
          "Last heard": <Time value={worker.lastSeen} style="relative" />,
          "Heartbeat every": <Duration value={worker.freq} />,
          "This run since": <Time value={worker.runStarted} style="absolute" full />,
          "First seen": <Time value={worker.firstSeen} style="absolute" full />,
          "Runs seen": formatCount(worker.runs),
          "Clock ahead by": (
            <span>
              <Duration value={skew} />
              {skew !== null && Math.abs(skew) > SKEW_WORTH_TELLING ? " (set the clock of this host)" : null}
            </span>
          ),
          "Logical clock": formatCount(worker.clock),
        }}
      />
    </Section>
  );
}
