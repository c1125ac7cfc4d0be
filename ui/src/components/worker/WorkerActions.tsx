import { Button } from "@mantine/core";
import { IconPower, IconRotate } from "@tabler/icons-react";
import { useState } from "react";
import type { Command } from "../../model/command";
import { type WorkerControl, whyNot } from "../../model/inspection";
import { Confirm } from "../command/Confirm";

/** What is done to a whole worker: new processes for its pool, or its end. Both are asked about first. */
export function WorkerActions(props: {
  hostname: string;
  control: WorkerControl | undefined;
  send: (command: Command) => void;
}) {
  const { hostname: worker, send } = props;
  const [asked, setAsked] = useState<"restart" | "shutdown" | null>(null);
  const close = () => setAsked(null);
  return (
    <>
      {whyNot(props.control, "pool_restart") ? null : (
        <Button variant="default" leftSection={<IconRotate size={16} />} onClick={() => setAsked("restart")}>
          Restart pool…
        </Button>
      )}
      <Button variant="default" leftSection={<IconPower size={16} />} onClick={() => setAsked("shutdown")}>
        Shut down…
      </Button>
      <Confirm
        title="Restart the pool?"
        action="Restart pool"
        opened={asked === "restart"}
        onClose={close}
        onConfirm={() => send({ kind: "pool_restart", worker })}
      >
        <p>
          The processes of <code>{worker}</code> are ended and replaced. Tasks that they run may be lost.
        </p>
      </Confirm>
      <Confirm
        title="Shut the worker down?"
        action="Shut down"
        typed={worker}
        opened={asked === "shutdown"}
        onClose={close}
        onConfirm={() => send({ kind: "shutdown", worker })}
      >
        <p>
          <code>{worker}</code> takes no more tasks, finishes those that it runs, and ends. It can't be
          started from here again.
        </p>
      </Confirm>
    </>
  );
}

/** Why the pool can't be restarted, as a sentence; "" where it can. */
export function restartNote(control: WorkerControl | undefined): string {
  const reason = whyNot(control, "pool_restart");
  return reason ? `Its pool can't be restarted: ${reason}.` : "";
}
