import { formatCount } from "../model/number";
import type { Tone } from "../model/task";
import classes from "./Pills.module.css";

export interface Pill {
  value: string;
  label: string;
  tone?: Tone;
  /** null: not known for the present filters, so no number is drawn. */
  count: number | null;
}

/** A row of choices of which one holds; each shows how many rows it would give. */
export function Pills(props: {
  label: string;
  pills: Pill[];
  value: string;
  onChange: (value: string) => void;
}) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset cannot be laid out as a row in every browser
    <div className={classes.pills} role="group" aria-label={props.label}>
      {props.pills.map(({ value, label, tone, count }) => (
        <button
          key={value}
          type="button"
          className={classes.pill}
          aria-pressed={props.value === value}
          onClick={() => props.onChange(value)}
        >
          {tone ? <span className={classes.mark} data-tone={tone} aria-hidden="true" /> : null}
          {label}
          {count === null ? null : <span className={classes.count}>{formatCount(count)}</span>}
        </button>
      ))}
    </div>
  );
}
