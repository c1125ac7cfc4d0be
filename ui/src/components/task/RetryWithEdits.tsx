import { Button, Textarea, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import type { EditedArguments } from "../../model/command";
import { jsonProblem, layOutJson, queueWords, type RetryEdit, type RetryPlan } from "../../model/retry";
import command from "../command/Command.module.css";
import classes from "./Retry.module.css";
import { Cautions } from "./RetryAsItWas";

/** A form for other arguments. It says where what stands in it comes from. */
export function RetryWithEdits(props: {
  plan: RetryPlan;
  onClose: () => void;
  onConfirm: (queue: string, edited: EditedArguments) => void;
}) {
  const { plan } = props;
  const { edit } = plan;
  // what is not known stays empty, and can't be sent: no arguments are arguments too
  const [args, setArgs] = useState(layOutJson(edit.args ?? ""));
  const [kwargs, setKwargs] = useState(layOutJson(edit.kwargs ?? ""));
  const [queue, setQueue] = useState(plan.queue ?? "");
  const problems = {
    args: jsonProblem(args, "array"),
    kwargs: jsonProblem(kwargs, "object"),
    queue: queue.trim() ? "" : "A queue is needed.",
  };
  const isSound = !problems.args && !problems.kwargs && !problems.queue;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (isSound) props.onConfirm(queue.trim(), { args, kwargs });
  };
  if (!plan.ended) return <p className={classes.reason}>{plan.reason}</p>;
  return (
    <form className={command.question} onSubmit={submit}>
      <Basis edit={edit} />
      <JsonField
        label="Arguments"
        description="A JSON array"
        placeholder='[1, "two"]'
        value={args}
        problem={problems.args}
        onChange={setArgs}
      />
      <JsonField
        label="Keyword arguments"
        description="A JSON object"
        placeholder='{"name": 1}'
        value={kwargs}
        problem={problems.kwargs}
        onChange={setKwargs}
      />
      <TextInput
        label="Queue"
        description={
          plan.queue === null ? "Nobody knows from which queue it came." : queueWords(plan.queueFrom)
        }
        value={queue}
        error={problems.queue || undefined}
        onChange={(event) => setQueue(event.currentTarget.value)}
        spellCheck={false}
      />
      <Cautions cautions={plan.cautions} />
      <div className={command.choices}>
        <Button variant="default" onClick={props.onClose}>
          Cancel
        </Button>
        <Button type="submit" disabled={!isSound}>
          Send
        </Button>
      </div>
    </form>
  );
}

/** A JSON text to be edited. What is empty has not been written yet, and is no mistake. */
function JsonField(props: {
  label: string;
  description: string;
  placeholder: string;
  value: string;
  problem: string;
  onChange: (value: string) => void;
}) {
  const { problem, onChange, ...field } = props;
  return (
    <Textarea
      {...field}
      classNames={{ input: classes.json }}
      rows={5}
      resize="vertical"
      error={field.value && problem}
      onChange={(event) => onChange(event.currentTarget.value)}
      spellCheck={false}
    />
  );
}

/** Where what stands in the form comes from, and how far it is to be trusted. */
function Basis(props: { edit: RetryEdit }) {
  const { basis, reason } = props.edit;
  if (basis === "printed") {
    return (
      <p className={classes.marked}>
        <b>From the printed form: check it.</b> The sender may print something else than it sends, and tuples
        read as lists here.
      </p>
    );
  }
  if (basis === null) {
    return (
      <p className={classes.marked}>
        <b>Nothing is filled in.</b> {reason}
      </p>
    );
  }
  return <p>What stands here is what the task received, from its {basis}.</p>;
}
