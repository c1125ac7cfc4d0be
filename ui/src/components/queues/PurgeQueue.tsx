import { Button } from "@mantine/core";
import { IconTrash } from "@tabler/icons-react";
import { useState } from "react";
import type { Command } from "../../model/command";
import { formatCount } from "../../model/number";
import type { QueueDetail } from "../../model/queue";
import { Confirm } from "../command/Confirm";

/** Whether what waits in this queue can be thrown away. */
export function canPurge(queue: QueueDetail): boolean {
  return queue.capabilities.purge && queue.folded.length === 0;
}

/** Throws away what waits in a queue, once its name has been typed. */
export function PurgeQueue(props: { queue: QueueDetail; send: (command: Command) => void }) {
  const { queue, send } = props;
  const [isAsked, setAsked] = useState(false);
  return (
    <>
      <Button variant="default" leftSection={<IconTrash size={16} />} onClick={() => setAsked(true)}>
        Purge…
      </Button>
      <Confirm
        title="Purge this queue?"
        action="Purge"
        typed={queue.name}
        opened={isAsked}
        onClose={() => setAsked(false)}
        onConfirm={() => send({ kind: "purge", queue: queue.name })}
      >
        <p>
          {queue.ready === null ? "What waits" : waiting(queue.ready)} in <code>{queue.name}</code> is thrown
          away for ever, and so is whatever is sent to it until then. No task of it will run.
        </p>
        <p>
          What workers hold stays: tasks that run, tasks taken in advance, and those that wait there for their
          ETA.
        </p>
      </Confirm>
    </>
  );
}

function waiting(ready: number): string {
  return ready === 1 ? "The 1 message that waits" : `What waits (${formatCount(ready)} messages now)`;
}
