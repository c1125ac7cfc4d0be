import { Button, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import type { Command } from "../../model/command";
import { type ConsumedQueue, type Inspection, printValue } from "../../model/inspection";
import { Confirm } from "../command/Confirm";
import { QueueLink } from "../Links";
import table from "../table/Table.module.css";
import { Section } from "../task/Section";
import { Unknown } from "../time/Time";
import { NotAnswered } from "./NotAnswered";
import classes from "./Worker.module.css";

/** The queues from which a worker takes tasks. `send` is null where commands are not let in. */
export function QueuesTab(props: { inspection: Inspection; send: ((command: Command) => void) | null }) {
  const { inspection, send } = props;
  const { hostname: worker, queues } = inspection;
  const [leaving, setLeaving] = useState("");
  const [isAsking, setAsking] = useState(false);
  const ask = (queue: string) => {
    setLeaving(queue);
    setAsking(true);
  };
  if (queues === null) return <NotAnswered inspection={inspection} what="its queues" />;
  return (
    <>
      <Section title="Takes tasks from" flush>
        {queues.length === 0 ? (
          <p className={classes.empty}>From no queue: it does nothing until a consumer is added.</p>
        ) : (
          <QueueRows queues={queues} onLeave={send ? ask : null} />
        )}
      </Section>
      {send ? <AddConsumer onAdd={(queue) => send({ kind: "add_consumer", worker, queue })} /> : null}
      <Confirm
        title={`Take no more tasks from ${leaving}?`}
        action="Cancel consumer"
        opened={isAsking && send !== null}
        onClose={() => setAsking(false)}
        onConfirm={() => send?.({ kind: "cancel_consumer", worker, queue: leaving })}
      >
        <p>
          <code>{worker}</code> stops consuming from <code>{leaving}</code> until it restarts or the consumer
          is added again. Tasks in the queue wait unless another worker takes them.
        </p>
      </Confirm>
    </>
  );
}

function QueueRows(props: { queues: ConsumedQueue[]; onLeave: ((name: string) => void) | null }) {
  const { onLeave } = props;
  return (
    <div className={table.scroll}>
      <table className={table.table}>
        <thead>
          <tr>
            {[
              "Name",
              "Routing key",
              "Durable",
              "Exclusive",
              "Auto delete",
              "No ack",
              "Alias",
              "Arguments",
            ].map((label) => (
              <th key={label} scope="col">
                {label}
              </th>
            ))}
            {onLeave ? <th scope="col">Consumer</th> : null}
          </tr>
        </thead>
        <tbody>
          {props.queues.map((queue) => (
            <tr key={queue.name}>
              <td className={classes.name}>
                <QueueLink name={queue.name} />
              </td>
              <td>{queue.routingKey ?? <Unknown />}</td>
              <td>{flag(queue.durable)}</td>
              <td>{flag(queue.exclusive)}</td>
              <td>{flag(queue.autoDelete)}</td>
              <td>{flag(queue.noAck)}</td>
              <td>{queue.alias ?? "none"}</td>
              <td className={classes.code}>{argumentsOf(queue)}</td>
              {onLeave ? (
                <td>
                  <Button
                    variant="default"
                    size="compact-xs"
                    aria-label={`Cancel the consumer of ${queue.name}`}
                    onClick={() => onLeave(queue.name)}
                  >
                    Cancel
                  </Button>
                </td>
              ) : null}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const flag = (value: boolean | null) => (value === null ? <Unknown /> : value ? "yes" : "no");

/** Arguments of the queue and of its binding, on one line. */
function argumentsOf(queue: ConsumedQueue): string {
  const own = queue.queueArguments ?? {};
  const binding = Object.entries(queue.bindingArguments ?? {}).map(([key, value]) => [
    `binding ${key}`,
    value,
  ]);
  return printValue({ ...own, ...Object.fromEntries(binding) });
}

function AddConsumer(props: { onAdd: (queue: string) => void }) {
  const [text, setText] = useState("");
  const queue = text.trim();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!queue) return;
    props.onAdd(queue);
    setText("");
  };
  return (
    <Section title="Add a consumer">
      <form className={classes.form} onSubmit={submit}>
        <TextInput
          className={classes.grow}
          size="sm"
          label="Queue"
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
          maxLength={1000}
          autoComplete="off"
          spellCheck={false}
        />
        <Button type="submit" variant="default" disabled={!queue}>
          Take tasks from it
        </Button>
      </form>
    </Section>
  );
}
