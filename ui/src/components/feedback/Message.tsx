import type { ReactNode } from "react";
import classes from "./Message.module.css";

/** A whole-area message: nothing here yet, not found, or failed. Says what to do next. */
export function Message(props: {
  title: string;
  children: ReactNode;
  tone?: "plain" | "failure";
  icon?: ReactNode;
  heading?: "h1" | "h2";
}) {
  const { heading: Heading = "h2" } = props;
  return (
    <div className={classes.message} data-tone={props.tone === "failure" ? "failure" : undefined}>
      {props.icon ? <div className={classes.icon}>{props.icon}</div> : null}
      <Heading className={classes.title}>{props.title}</Heading>
      <div className={classes.text}>{props.children}</div>
    </div>
  );
}
