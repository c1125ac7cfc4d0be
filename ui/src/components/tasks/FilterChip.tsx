import { CloseButton } from "@mantine/core";
import classes from "./TasksTable.module.css";

/** A filter that came with the URL, and the way out of it. */
export function FilterChip(props: { label: string; value: string; onClear: () => void }) {
  return (
    <span className={classes.chip}>
      {props.label} <b title={props.value}>{props.value}</b>
      <CloseButton size="xs" aria-label={`Remove the ${props.label} filter`} onClick={props.onClear} />
    </span>
  );
}
