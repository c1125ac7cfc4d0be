import { IconAlertTriangle } from "@tabler/icons-react";
import classes from "./Problems.module.css";

/** Why some figures are missing; the page itself goes on. */
export function Problems(props: { problems: string[] }) {
  if (props.problems.length === 0) return null;
  return (
    <ul className={classes.list} aria-label="Problems">
      {props.problems.map((problem) => (
        <li key={problem}>
          <IconAlertTriangle size={17} aria-hidden="true" />
          <span>{problem}</span>
        </li>
      ))}
    </ul>
  );
}
