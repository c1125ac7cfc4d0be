import { type StateCount, stateLabel, stateTone } from "../../model/task";
import { Pills } from "../Pills";
import { inLifeOrder } from "../state/StateStrip";

/** Flower's buttons; they are there even when no task is in that state. */
const ALWAYS = ["STARTED", "SUCCESS", "FAILURE", "RETRY"];

/** A button a state, with the length of the list it gives. */
export function StateFilter(props: {
  /** The states that stored tasks are in: each has a button. */
  states: StateCount[];
  /** Counts under the other filters; null where they are not known. */
  counts: StateCount[] | null;
  value: string;
  onChange: (state: string) => void;
}) {
  const counts = props.counts && new Map(props.counts.map(({ state, count }) => [state, count]));
  const others = inLifeOrder(props.states)
    .map(({ state }) => state)
    .filter((state) => !ALWAYS.includes(state));
  const chosen = props.value.toUpperCase();
  if (chosen && !ALWAYS.includes(chosen) && !others.includes(chosen)) others.push(chosen);
  const total = props.counts?.reduce((sum, { count }) => sum + count, 0) ?? null;
  return (
    <Pills
      label="Filter by state"
      value={chosen}
      onChange={props.onChange}
      pills={[
        { value: "", label: "All", count: total },
        ...[...ALWAYS, ...others].map((state) => ({
          value: state,
          label: stateLabel(state),
          tone: stateTone(state),
          count: counts && (counts.get(state) ?? 0),
        })),
      ]}
    />
  );
}
