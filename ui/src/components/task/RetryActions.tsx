import { Button } from "@mantine/core";
import { IconPencil, IconReload } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import type { Command } from "../../model/command";
import type { RetryPlan } from "../../model/retry";
import type { TaskDetail } from "../../model/task";
import { retryQuery } from "../../services/queries";
import command from "../command/Command.module.css";
import { Dialog } from "../feedback/Dialog";
import { RetryAsItWas } from "./RetryAsItWas";
import { RetryWithEdits } from "./RetryWithEdits";
import classes from "./TaskActions.module.css";

type Way = "asItWas" | "edits";

/** What can be done about a task that has ended: send it once more. */
export function RetryActions(props: { task: TaskDetail; send: (command: Command) => void }) {
  const { task, send } = props;
  const [way, setWay] = useState<Way | null>(null);
  const close = () => setWay(null);
  const submit = (queue: string | null, edited: { args: string; kwargs: string } | null) => {
    close();
    send({ kind: "retry", uuid: task.uuid, queue, edited });
  };
  return (
    <div className={classes.actions}>
      <Button
        variant="default"
        size="sm"
        leftSection={<IconReload size={16} />}
        onClick={() => setWay("asItWas")}
      >
        Retry…
      </Button>
      <Button
        variant="default"
        size="sm"
        leftSection={<IconPencil size={16} />}
        onClick={() => setWay("edits")}
      >
        Retry with edits…
      </Button>
      <Dialog
        opened={way !== null}
        onClose={close}
        title={way === "edits" ? "Retry with edits" : "Retry this task?"}
        size="lg"
        centered
      >
        {way === null ? null : (
          <Planned uuid={task.uuid} onClose={close}>
            {(plan) =>
              way === "asItWas" ? (
                <RetryAsItWas
                  plan={plan}
                  state={task.state}
                  onClose={close}
                  onEdit={() => setWay("edits")}
                  onConfirm={(queue) => submit(queue, null)}
                />
              ) : (
                <RetryWithEdits plan={plan} onClose={close} onConfirm={submit} />
              )
            }
          </Planned>
        )}
      </Dialog>
    </div>
  );
}

/** Asks the server what a retry would be, and shows that it does. */
function Planned(props: { uuid: string; onClose: () => void; children: (plan: RetryPlan) => ReactNode }) {
  const { data: plan, error, isFetching } = useQuery({ ...retryQuery(props.uuid), refetchOnMount: "always" });
  if (plan && !isFetching) return props.children(plan);
  return (
    <div className={command.question}>
      <p role="status">
        {error
          ? `It can't be told whether it can be sent once more: ${error.message}`
          : "Looking for its message and its result…"}
      </p>
      <div className={command.choices}>
        <Button variant="default" onClick={props.onClose}>
          Close
        </Button>
      </div>
    </div>
  );
}
