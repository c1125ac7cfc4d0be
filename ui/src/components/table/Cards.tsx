import type { ReactNode } from "react";
import classes from "./Cards.module.css";
import { useDrawnCards } from "./drawnRows";

/** A long list as cards, for a narrow screen: the page itself scrolls, and only what is in view is drawn. */
export function Cards<T>(props: { label: string; rows: readonly T[]; card: (row: T) => ReactNode }) {
  const { ref, visible, above, below } = useDrawnCards(props.rows);
  return (
    <ul ref={ref} className={classes.list} aria-label={props.label}>
      <Spacer height={above} />
      {visible.map(props.card)}
      <Spacer height={below} />
    </ul>
  );
}

/** Stands for the cards that are not drawn. */
function Spacer(props: { height: number }) {
  return props.height > 0 ? <li aria-hidden="true" style={{ height: props.height }} /> : null;
}
