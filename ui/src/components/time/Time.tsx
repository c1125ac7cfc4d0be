import { useNow, useTimeDisplay } from "../../hooks/timeDisplay";
import { formatAgo, formatDuration, momentOf } from "../../model/time";
import classes from "./Time.module.css";

/** "Not known", as opposed to zero or none. */
export function Unknown(props: { title?: string }) {
  return (
    <span className={classes.unknown} title={props.title ?? "not known"}>
      –
    </span>
  );
}

/**
 * A moment in the reader's zone and style; the other style and the zone are in the title. Today's date is left
 * out, except with `full`.
 */
export function Time(props: { value: number | null; style?: "absolute" | "relative"; full?: boolean }) {
  const { zone, today, style } = useTimeDisplay();
  const { value } = props;
  if (value === null) return <Unknown />;
  const { date, time } = momentOf(value, zone);
  const title = `${date} ${time} ${zone}`;
  if ((props.style ?? style) === "relative") return <Ago value={value} title={title} />;
  return (
    <time dateTime={new Date(value * 1000).toISOString()} className={classes.time} title={title}>
      {props.full || date !== today ? <span className={classes.date}>{date} </span> : null}
      {time}
    </time>
  );
}

/** The zone that times are shown in. */
export function ZoneName() {
  return <span className={classes.zone}>{useTimeDisplay().zone}</span>;
}

/** Its own component, so that only relative times render every second. */
function Ago(props: { value: number; title: string }) {
  return (
    <time dateTime={new Date(props.value * 1000).toISOString()} className={classes.time} title={props.title}>
      {formatAgo(props.value, useNow())}
    </time>
  );
}

export function Duration(props: { value: number | null }) {
  if (props.value === null) return <Unknown />;
  return (
    <span className={classes.time} title={`${props.value} s`}>
      {formatDuration(props.value)}
    </span>
  );
}
