import { Tooltip } from "@mantine/core";
import { stateTone, type Tone } from "../../model/task";
import { STATUS_TONES, type WorkerStatus } from "../../model/worker";
import classes from "./Badge.module.css";

/** A coloured label; the mark's shape differs too, so that colour is never the only carrier. */
export function Badge(props: { tone: Tone; children: string; large?: boolean }) {
  return (
    <span className={classes.badge} data-tone={props.tone} data-large={props.large || undefined}>
      <span className={classes.mark} aria-hidden="true" />
      {props.children}
    </span>
  );
}

/** A task's state in Celery's own word. */
export function StateBadge(props: { state: string; large?: boolean }) {
  return (
    <Badge tone={stateTone(props.state)} large={props.large}>
      {props.state}
    </Badge>
  );
}

/** A worker's status with the sentence that says why. */
export function WorkerBadge(props: { status: WorkerStatus; reason: string; large?: boolean }) {
  return (
    <Tooltip label={props.reason} disabled={!props.reason} events={{ hover: true, focus: true, touch: true }}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: the reason must be reachable without a mouse */}
      <span className={classes.wrap} tabIndex={0}>
        <Badge tone={STATUS_TONES[props.status]} large={props.large}>
          {props.status}
        </Badge>
      </span>
    </Tooltip>
  );
}
