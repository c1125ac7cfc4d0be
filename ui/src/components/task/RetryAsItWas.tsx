import { Button, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { queueWords, type RetryPlan, sourceWords } from "../../model/retry";
import command from "../command/Command.module.css";
import { Printed } from "./Printed";
import classes from "./Retry.module.css";
import { Facts } from "./Section";

/** Asks before a task is sent once more as it was: where its arguments are from, and where it goes. */
export function RetryAsItWas(props: {
  plan: RetryPlan;
  state: string;
  onClose: () => void;
  onEdit: () => void;
  /** With the queue, where it is another than its own. */
  onConfirm: (queue: string | null) => void;
}) {
  const { plan } = props;
  const [queue, setQueue] = useState("");
  const isKnown = plan.source !== null && plan.serializer !== null;
  if (!isKnown) return <Refused {...props} />;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const chosen = queue.trim();
    if (plan.queue !== null || chosen) props.onConfirm(plan.queue === null ? chosen : null);
  };
  return (
    <form className={command.question} onSubmit={submit}>
      <p>
        A new task with the arguments that this one received, from{" "}
        <b>{plan.source && sourceWords(plan.source)}</b>.
        {props.state === "SUCCESS" ? " It has succeeded: its work is done once more." : ""}
      </p>
      <div className={classes.facts}>
        <Value title="Arguments" text={plan.args ?? ""} />
        <Value title="Keyword arguments" text={plan.kwargs ?? ""} />
        <Facts
          rows={{
            Queue: plan.queue === null ? undefined : `${plan.queue} (${queueWords(plan.queueFrom)})`,
            Priority: plan.priority === null ? undefined : String(plan.priority),
            Headers: plan.headers.length === 0 ? undefined : plan.headers.join(", "),
          }}
        />
      </div>
      {plan.queue === null ? (
        <TextInput
          label="Queue"
          description="Nobody knows from which queue it came."
          value={queue}
          onChange={(event) => setQueue(event.currentTarget.value)}
          required
        />
      ) : null}
      <Cautions cautions={plan.cautions} />
      <div className={command.choices}>
        <Button variant="default" onClick={props.onClose}>
          Cancel
        </Button>
        <Button type="submit" data-autofocus>
          Retry
        </Button>
      </div>
    </form>
  );
}

function Value(props: { title: string; text: string }) {
  return (
    <section className={classes.value}>
      <h3>{props.title}</h3>
      <Printed text={props.text} foldLines={8} />
    </section>
  );
}

/** Why it can't be sent as it was, and what can be done. */
function Refused(props: { plan: RetryPlan; onClose: () => void; onEdit: () => void }) {
  return (
    <div className={command.question}>
      <p>
        <b>The arguments that it received are not known</b>, so it can't be sent as it was.
      </p>
      <p className={classes.reason}>{props.plan.reason}</p>
      <div className={command.choices}>
        <Button variant="default" onClick={props.onClose}>
          Close
        </Button>
        {props.plan.ended ? <Button onClick={props.onEdit}>Retry with edits…</Button> : null}
      </div>
    </div>
  );
}

/** What should be known before it is sent. */
export function Cautions(props: { cautions: string[] }) {
  if (props.cautions.length === 0) return null;
  return (
    <ul className={classes.cautions}>
      {props.cautions.map((caution) => (
        <li key={caution}>{caution}</li>
      ))}
    </ul>
  );
}
