import { formatCount } from "../../model/number";
import { STATE_ORDER, type StateCount, stateTone } from "../../model/task";
import { TasksLink } from "../Links";
import classes from "./StateStrip.module.css";

/** Known states in the order of a task's life, then the others by name, UNKNOWN last. */
export function inLifeOrder(counts: StateCount[]): StateCount[] {
  const rank = (state: string) => {
    if (state === "UNKNOWN") return STATE_ORDER.length + 1;
    const index = STATE_ORDER.indexOf(state);
    return index < 0 ? STATE_ORDER.length : index;
  };
  return counts
    .filter(({ count }) => count > 0)
    .sort((a, b) => rank(a.state) - rank(b.state) || a.state.localeCompare(b.state));
}

/** Stored tasks by state: a proportional bar and its legend; each entry opens its list. */
export function StateStrip(props: { counts: StateCount[] }) {
  const counts = inLifeOrder(props.counts);
  if (counts.length === 0) return null;
  return (
    <section className={classes.strip} aria-label="Tasks by state">
      <div className={classes.bar} aria-hidden="true">
        {counts.map(({ state, count }) => (
          <span key={state} data-tone={stateTone(state)} style={{ flexGrow: count }} />
        ))}
      </div>
      <ul className={classes.legend}>
        {counts.map(({ state, count }) => (
          <li key={state}>
            <TasksLink state={state} className={classes.entry}>
              <span className={classes.mark} data-tone={stateTone(state)} aria-hidden="true" />
              {state} <b>{formatCount(count)}</b>
            </TasksLink>
          </li>
        ))}
      </ul>
    </section>
  );
}
