import { IconPlant2 } from "@tabler/icons-react";
import type { Status } from "../../model/status";
import { Message } from "../feedback/Message";

/** Why no worker shows, and what to do: it depends on whether the monitor can see the broker at all. */
export function NoWorkers(props: { monitor: Status | undefined }) {
  const { monitor } = props;
  const sighted = monitor?.state === "connected" && monitor.ready;
  return (
    <Message title="No worker has been seen yet" icon={<IconPlant2 size={34} stroke={1.5} />}>
      {monitor && !sighted ? (
        <p>
          Whether any are running is not known: the monitor does not hear the broker
          {monitor.broker ? (
            <>
              {" "}
              at <code>{monitor.broker}</code>
            </>
          ) : null}
          . {monitor.error}
        </p>
      ) : (
        <>
          <p>
            The monitor hears the broker{monitor ? <Where broker={monitor.broker} /> : null}, but no worker
            spoke.
          </p>
          <ul>
            <li>
              Start a worker on this broker: <code>celery -A proj worker</code>
            </li>
            <li>
              A running worker sends events only with <code>-E</code> or{" "}
              <code>worker_send_task_events = True</code>; Umbel asks for them every few seconds unless{" "}
              <code>--enable_events=False</code>.
            </li>
            <li>Check that the broker URL, virtual host or database number is the one the workers use.</li>
          </ul>
        </>
      )}
    </Message>
  );
}

function Where(props: { broker: string }) {
  return (
    <>
      {" "}
      at <code>{props.broker}</code>
    </>
  );
}
