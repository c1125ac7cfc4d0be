import { Time } from "../time/Time";

/** How far back the history goes, for those who do not find a task. `since`: as `Status.storedSince`. */
export function Kept(props: { since: number | null | undefined }) {
  if (props.since === undefined) return null;
  if (props.since === null) return <p>No task has aged out of the history so far.</p>;
  return (
    <p>
      Tasks that ended before <Time value={props.since} style="absolute" full /> have aged out of the history.
    </p>
  );
}
