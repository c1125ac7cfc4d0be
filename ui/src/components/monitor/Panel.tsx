import type { ReactNode } from "react";
import classes from "./Panel.module.css";

/** One graph with its title and what it sums up to. */
export function Panel(props: { title: string; summary: ReactNode; aside?: ReactNode; children: ReactNode }) {
  return (
    <figure className={classes.panel}>
      <figcaption className={classes.caption}>
        <h2>{props.title}</h2>
        <span className={classes.summary}>{props.summary}</span>
        {props.aside ? <div className={classes.aside}>{props.aside}</div> : null}
      </figcaption>
      {props.children}
    </figure>
  );
}
