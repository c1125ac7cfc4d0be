import { Button, NativeSelect } from "@mantine/core";
import { IconBan, IconPlayerStop, IconSquareX } from "@tabler/icons-react";
import { useState } from "react";
import { type Command, SIGNALS } from "../../model/command";
import type { TaskDetail } from "../../model/task";
import { Confirm } from "../command/Confirm";
import classes from "./TaskActions.module.css";

/** What can be done about a task that has not ended. Each is asked about first. */
export function TaskActions(props: {
  task: TaskDetail;
  /** Why its worker can't end it while it runs; "" where it can, or nobody knows. */
  whyNotTerminate: string;
  canAbort: boolean;
  send: (command: Command) => void;
}) {
  const { task, send, whyNotTerminate } = props;
  const { uuid } = task;
  const [asked, setAsked] = useState<"revoke" | "terminate" | "abort" | null>(null);
  const [signal, setSignal] = useState("SIGTERM");
  const isRunning = task.state === "STARTED";
  const close = () => setAsked(null);
  return (
    <div className={classes.actions}>
      <Button
        variant="default"
        size="sm"
        leftSection={<IconBan size={16} />}
        onClick={() => setAsked("revoke")}
      >
        Revoke…
      </Button>
      {whyNotTerminate ? null : (
        <Button
          variant="default"
          size="sm"
          leftSection={<IconSquareX size={16} />}
          onClick={() => setAsked("terminate")}
        >
          Terminate…
        </Button>
      )}
      {props.canAbort && isRunning ? (
        <Button
          variant="default"
          size="sm"
          leftSection={<IconPlayerStop size={16} />}
          onClick={() => setAsked("abort")}
        >
          Abort…
        </Button>
      ) : null}
      {whyNotTerminate ? (
        <span className={classes.note}>It can't be terminated where it runs: {whyNotTerminate}.</span>
      ) : null}
      <Confirm
        title="Revoke this task?"
        action="Revoke"
        opened={asked === "revoke"}
        onClose={close}
        onConfirm={() => send({ kind: "revoke", uuid, terminate: false, signal: "SIGTERM" })}
      >
        <p>
          {isRunning
            ? "It runs already, and goes on: it is only not started again, by a retry or another delivery."
            : "No worker that lives now will start it. Its message is thrown away when a worker takes it."}
        </p>
      </Confirm>
      <Confirm
        title="Terminate this task?"
        action="Terminate"
        opened={asked === "terminate"}
        onClose={close}
        onConfirm={() => send({ kind: "revoke", uuid, terminate: true, signal })}
      >
        <p>
          {isRunning
            ? "The process that runs it gets the signal, whatever the task is doing. It is not started again."
            : "No worker will start it; where it runs by then, its process gets the signal."}
        </p>
        <NativeSelect
          label="Signal"
          value={signal}
          data={SIGNALS}
          onChange={(event) => setSignal(event.currentTarget.value)}
        />
      </Confirm>
      <Confirm
        title="Abort this task?"
        action="Abort"
        opened={asked === "abort"}
        onClose={close}
        onConfirm={() => send({ kind: "abort", uuid })}
      >
        <p>
          The task is marked at the result backend. Only a task that looks for the mark (Celery's{" "}
          <code>AbortableTask</code>) stops; any other goes on.
        </p>
      </Confirm>
    </div>
  );
}
