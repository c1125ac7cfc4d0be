import { Popover, UnstyledButton } from "@mantine/core";
import { useNow, useTimeDisplay } from "../../hooks/timeDisplay";
import { healthOf } from "../../model/health";
import { formatBytes, formatCount } from "../../model/number";
import type { Link, Status } from "../../model/status";
import { formatAgo, formatDuration, momentOf } from "../../model/time";
import classes from "./ConnectionIndicator.module.css";

/** One word on whether the page is live; behind it, what the monitor knows of itself. */
export function ConnectionIndicator(props: { link: Link; status: Status | undefined }) {
  const health = healthOf(props.link, props.status);
  return (
    <Popover position="bottom-end" width={340} withArrow>
      <Popover.Target>
        <UnstyledButton
          className={classes.button}
          data-level={health.level}
          aria-label={`Monitor: ${health.word}`}
        >
          <span className={classes.dot} aria-hidden="true" />
          <span className={classes.word}>{health.word}</span>
        </UnstyledButton>
      </Popover.Target>
      <Popover.Dropdown>
        <p className={classes.sentence}>{health.sentence}</p>
        {props.status ? <Details status={props.status} /> : null}
      </Popover.Dropdown>
    </Popover>
  );
}

function Details(props: { status: Status }) {
  const { status } = props;
  const now = useNow();
  const { zone } = useTimeDisplay();
  const agedOut = (since: number | null) => {
    if (since === null) return "nothing yet";
    const { date, time } = momentOf(since, zone);
    return `before ${date} ${time.slice(0, 8)}`;
  };
  const ago = (time: number | null) => (time === null ? "none yet" : formatAgo(time, now));
  const rows: [string, string][] = [
    ["Broker", status.broker || "not told"],
    ["Last event", ago(status.lastEvent)],
    ["Last proof of life", ago(status.lastProof)],
    ["Stored after", formatDuration(status.lag)],
    ["Events taken in", formatCount(status.events)],
    ...causes("Dropped", status.dropped),
    ...causes("Unreadable", status.malformed),
    ["Reconnects", formatCount(status.reconnects)],
    ["Stored tasks", status.storedTasks === null ? "not known" : formatCount(status.storedTasks)],
    ["Aged out", agedOut(status.storedSince)],
    ["History size", status.storedBytes === null ? "not known" : formatBytes(status.storedBytes)],
  ];
  return (
    <dl className={classes.list}>
      {rows.map(([term, text]) => (
        <div key={term}>
          <dt>{term}</dt>
          <dd>{text}</dd>
        </div>
      ))}
    </dl>
  );
}

function causes(what: string, counts: Record<string, number>): [string, string][] {
  const entries = Object.entries(counts).filter(([, count]) => count > 0);
  if (entries.length === 0) return [[what, "none"]];
  return entries.map(([cause, count]) => [`${what}: ${cause}`, formatCount(count)]);
}
