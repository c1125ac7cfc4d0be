import { IconChevronDown, IconChevronUp } from "@tabler/icons-react";
import type { ReactNode } from "react";
import classes from "./Table.module.css";

/** The order of a table as it stands in the URL: a field, with `-` in front for descending. */
export function sortOf(text: string): { field: string; descending: boolean } {
  return text.startsWith("-")
    ? { field: text.slice(1), descending: true }
    : { field: text, descending: false };
}

/** A header cell that sorts by its column: first click as `descendingFirst` says, the next one the other way. */
export function SortHeader(props: {
  field: string;
  sort: string;
  onSort: (sort: string) => void;
  align?: "right";
  descendingFirst?: boolean;
  children: ReactNode;
}) {
  const { field, descending } = sortOf(props.sort);
  const sorted = field === props.field;
  const next = sorted ? !descending : (props.descendingFirst ?? false);
  const Icon = (sorted ? descending : next) ? IconChevronDown : IconChevronUp;
  return (
    <th
      scope="col"
      data-align={props.align}
      aria-sort={sorted ? (descending ? "descending" : "ascending") : undefined}
    >
      <button
        type="button"
        className={classes.sort}
        data-sorted={sorted || undefined}
        onClick={() => props.onSort(`${next ? "-" : ""}${props.field}`)}
      >
        {props.children}
        <Icon size={14} aria-hidden="true" />
      </button>
    </th>
  );
}
