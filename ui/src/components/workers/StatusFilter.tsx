import { STATUS_TONES, WORKER_STATUSES, type Worker } from "../../model/worker";
import { Pills } from "../Pills";

/** All, and each status that some worker has, with counts. */
export function StatusFilter(props: {
  workers: Worker[];
  value: string;
  onChange: (status: string) => void;
}) {
  const counts = new Map<string, number>();
  for (const { status } of props.workers) counts.set(status, (counts.get(status) ?? 0) + 1);
  const present = WORKER_STATUSES.filter((status) => counts.has(status) || status === props.value);
  return (
    <Pills
      label="Filter by status"
      value={props.value}
      onChange={props.onChange}
      pills={[
        { value: "", label: "All", count: props.workers.length },
        ...present.map((status) => ({
          value: status,
          label: status,
          tone: STATUS_TONES[status],
          count: counts.get(status) ?? 0,
        })),
      ]}
    />
  );
}
