import { IconLock } from "@tabler/icons-react";
import type { Stance } from "../../model/command";
import classes from "./Command.module.css";

/** Why this page has no buttons, and what to set. */
export function NoCommands(props: { stance: Stance }) {
  if (props.stance === "open") return null;
  return (
    <p className={classes.closed}>
      <IconLock size={16} aria-hidden="true" />
      {props.stance === "read_only" ? (
        <span>
          Commands are off because this monitor is in read-only mode: start it without <code>read_only</code>{" "}
          to steer workers and tasks.
        </span>
      ) : (
        <span>
          Commands are closed because nobody has to log in here: set <code>basic_auth</code>, or{" "}
          <code>FLOWER_UNAUTHENTICATED_API=true</code> to take them from everybody.
        </span>
      )}
    </p>
  );
}
