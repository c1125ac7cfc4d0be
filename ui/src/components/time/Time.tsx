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

/** A moment in the reader's zone and style; the other style is in the title. */
export function Time(props: { value: number | null; style?: "absolute" | "relative"; full?: boolean }) {
  const { zone, style } = useTimeDisplay();
  const { value } = props;
  if (value === null) return <Unknown />;
  const { date, time } = momentOf(value, zone);
  if ((props.style ?? style) === "relative") return <Ago value={value} title={`${date} ${time} ${zone}`} />;
  return (
    <time
      dateTime={new Date(value * 1000).toISOString()}
      className={classes.time}
      title={`${date} ${time} ${zone}`}
    >
      <span className={props.full ? undefined : classes.date}>{date}</span> {time}
      {props.full ? <span className={classes.zone}> {zone}</span> : null}
    </time>
  );
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
