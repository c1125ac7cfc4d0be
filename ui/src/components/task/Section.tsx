import type { ReactNode } from "react";
import classes from "./Section.module.css";

/** A titled block of the detail pages. */
export function Section(props: { title: string; aside?: ReactNode; flush?: boolean; children: ReactNode }) {
  return (
    <section className={classes.section}>
      <header className={classes.head}>
        <h2>{props.title}</h2>
        <div className={classes.aside}>{props.aside}</div>
      </header>
      <div className={props.flush ? undefined : classes.body}>{props.children}</div>
    </section>
  );
}

/** Terms and values in two columns, in the order given; a row whose value is undefined is left out. */
export function Facts(props: { rows: Record<string, ReactNode | undefined> }) {
  return (
    <dl className={classes.facts}>
      {Object.entries(props.rows).map(([term, value]) =>
        value === undefined ? null : (
          <div key={term}>
            <dt>{term}</dt>
            <dd>{value}</dd>
          </div>
        ),
      )}
    </dl>
  );
}
