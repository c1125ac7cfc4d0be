import { type StateCount, stateLabel, stateTone } from "../../model/task";
import { Pills } from "../Pills";
import { inLifeOrder } from "../state/StateStrip";

/** Flower's buttons; they are there even when no task is in that state. */
const ALWAYS = ["STARTED", "SUCCESS", "FAILURE", "RETRY"];

/** `counted` is false while other filters are on: then no count would equal its list. */
export function StateFilter(props: {
  states: StateCount[];
  counted: boolean;
  value: string;
  onChange: (state: string) => void;
}) {
  const counts = new Map(props.states.map(({ state, count }) => [state, count]));
  const others = inLifeOrder(props.states)
    .map(({ state }) => state)
    .filter((state) => !ALWAYS.includes(state));
  const chosen = props.value.toUpperCase();
  if (chosen && !ALWAYS.includes(chosen) && !others.includes(chosen)) others.push(chosen);
  const total = props.states.reduce((sum, { count }) => sum + count, 0);
  return (
    <Pills
      label="Filter by state"
      value={chosen}
      onChange={props.onChange}
      pills={[
        { value: "", label: "All", count: props.counted ? total : null },
        ...[...ALWAYS, ...others].map((state) => ({
          value: state,
          label: stateLabel(state),
          tone: stateTone(state),
          count: props.counted ? (counts.get(state) ?? 0) : null,
        })),
      ]}
    />
  );
}
