import { useNow } from "../../hooks/timeDisplay";
import { type Attempt, type Mark, stateTone, type TaskDetail } from "../../model/task";
import { formatDuration, formatOffset } from "../../model/time";
import { type Axis, axisOf, type Bar, barsOf } from "../../model/timeline";
import { WorkerLink } from "../Links";
import { StateBadge } from "../state/Badge";
import { Time } from "../time/Time";
import { Printed } from "./Printed";
import classes from "./Timeline.module.css";

/** The attempts of a task on one time axis: waiting, running, how each ended, and every mark beneath. */
export function Timeline(props: { task: TaskDetail }) {
  const { task } = props;
  const now = useNow();
  const axis = axisOf(task, now);
  if (task.timeline.length === 0) return <SentOnly marks={task.sentMarks} />;
  return (
    <ol className={classes.attempts}>
      {task.sentMarks.map((mark) => (
        <li key={`${mark.time}-${mark.hostname}`} className={classes.sent}>
          Sent by {mark.hostname} <Time value={mark.time} style="absolute" />
        </li>
      ))}
      {task.timeline.map((attempt, index) => (
        <AttemptRow
          key={attempt.number}
          attempt={attempt}
          axis={axis}
          isLast={index === task.timeline.length - 1}
          isFinished={task.finished}
          showError={index < task.timeline.length - 1}
        />
      ))}
      <li className={classes.axis}>
        <span>
          <Time value={axis.start} style="absolute" />
        </span>
        <span>{formatDuration(axis.end - axis.start)} in all</span>
      </li>
    </ol>
  );
}

function SentOnly(props: { marks: Mark[] }) {
  return (
    <p className={classes.sent}>
      {props.marks.length === 0
        ? "No event of an attempt is known."
        : "Sent; no worker has told that it received the task."}
    </p>
  );
}

function AttemptRow(props: {
  attempt: Attempt;
  axis: Axis;
  isLast: boolean;
  isFinished: boolean;
  showError: boolean;
}) {
  const { attempt, axis } = props;
  const bars = barsOf(attempt, axis, props.isLast && !props.isFinished);
  return (
    <li className={classes.attempt}>
      <div className={classes.head}>
        <b>Attempt {attempt.number}</b>
        <StateBadge state={attempt.state} />
        {attempt.redelivered ? (
          <span
            className={classes.flag}
            title="It began without a retry before it: the broker delivered it again."
          >
            redelivered
          </span>
        ) : null}
        <span className={classes.worker}>
          on <WorkerLink hostname={attempt.worker} /> (pid {attempt.pid})
        </span>
        <span className={classes.lengths}>
          {bars.map((bar) => (
            <span key={bar.kind}>
              {bar.kind === "wait"
                ? bar.isOpen
                  ? "waiting for"
                  : "waited"
                : bar.isOpen
                  ? "running for"
                  : "ran"}{" "}
              <b>{formatDuration(bar.duration)}</b>
            </span>
          ))}
        </span>
      </div>
      <div className={classes.track}>
        {bars.map((bar) => (
          <Stretch key={bar.kind} bar={bar} state={attempt.state} />
        ))}
      </div>
      <ul className={classes.marks}>
        {attempt.marks.map((mark) => (
          <li key={`${mark.time}-${mark.type}-${mark.clock}`}>
            <span>{mark.type}</span> <Time value={mark.time} style="absolute" />
            <span className={classes.offset}>{formatOffset(mark.time - axis.start)}</span>
          </li>
        ))}
      </ul>
      {props.showError && (attempt.traceback || attempt.exception) ? (
        <details className={classes.error}>
          <summary>{attempt.exception || "Traceback"}</summary>
          {attempt.traceback ? <Printed text={attempt.traceback} raw /> : null}
        </details>
      ) : null}
    </li>
  );
}

function Stretch(props: { bar: Bar; state: string }) {
  const { bar, state } = props;
  return (
    <span
      className={classes.bar}
      data-kind={bar.kind}
      data-open={bar.isOpen || undefined}
      data-tone={bar.kind === "run" ? stateTone(state) : "pending"}
      title={`${bar.kind === "wait" ? "waiting" : "running"}: ${formatDuration(bar.duration)}`}
      style={{ left: `${bar.start * 100}%`, width: `${(bar.end - bar.start) * 100}%` }}
    />
  );
}
