import { Button, NumberInput, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { type Command, isRate } from "../../model/command";
import { type Inspection, taskLimits, type WorkerControl, whyNot } from "../../model/inspection";
import { formatCount } from "../../model/number";
import { Dialog } from "../feedback/Dialog";
import table from "../table/Table.module.css";
import { Section } from "../task/Section";
import { NotAnswered } from "./NotAnswered";
import classes from "./Worker.module.css";

/** The tasks that a worker knows, each with its limits. `send` is null where commands are not let in. */
export function LimitsTab(props: {
  inspection: Inspection;
  control: WorkerControl | undefined;
  send: ((command: Command) => void) | null;
}) {
  const { inspection, control, send } = props;
  const { registered, lengths } = inspection;
  const [task, setTask] = useState("");
  const [isOpen, setOpen] = useState(false);
  const change = (name: string) => {
    setTask(name);
    setOpen(true);
  };
  if (registered === null) return <NotAnswered inspection={inspection} what="its tasks' names" />;
  return (
    <Section title={`Known tasks: ${formatCount(lengths.registered ?? registered.length)}`} flush>
      {registered.length === 0 ? (
        <p className={classes.empty}>It knows no task.</p>
      ) : (
        <div className={table.scroll}>
          <table className={table.table}>
            <thead>
              <tr>
                <th scope="col">Name</th>
                <th scope="col">Set for it</th>
                {send ? <th scope="col">Limits</th> : null}
              </tr>
            </thead>
            <tbody>
              {registered.map((text) => {
                const { name, settings } = taskLimits(text);
                return (
                  <tr key={text}>
                    <td className={classes.name}>{name}</td>
                    <td>{settings || "nothing"}</td>
                    {send ? (
                      <td>
                        <Button
                          variant="default"
                          size="compact-xs"
                          aria-label={`Change the limits of ${name}`}
                          onClick={() => change(name)}
                        >
                          Change
                        </Button>
                      </td>
                    ) : null}
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      )}
      <Dialog
        opened={isOpen && send !== null}
        onClose={() => setOpen(false)}
        title={`Limits of ${task}`}
        centered
      >
        {send ? (
          <LimitForms
            task={task}
            worker={inspection.hostname}
            control={control}
            send={(command) => {
              setOpen(false);
              send(command);
            }}
          />
        ) : null}
      </Dialog>
    </Section>
  );
}

interface FormProps {
  task: string;
  worker: string;
  control: WorkerControl | undefined;
  send: (command: Command) => void;
}

function LimitForms(props: FormProps) {
  const noSoft = whyNot(props.control, "soft_time_limit");
  const noHard = whyNot(props.control, "hard_time_limit");
  return (
    <>
      <RateForm {...props} />
      {noSoft && noHard ? (
        <p className={classes.note}>Its run time can't be limited: {noHard}.</p>
      ) : (
        <TimeForm {...props} noSoft={noSoft} noHard={noHard} />
      )}
    </>
  );
}

function RateForm(props: FormProps) {
  const { task, worker } = props;
  const [text, setText] = useState("");
  const rate = text.trim();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (isRate(rate)) props.send({ kind: "rate_limit", worker, task, rate });
  };
  return (
    <form className={classes.form} onSubmit={submit}>
      <TextInput
        className={classes.grow}
        size="sm"
        label="Starts at most"
        description="10/s, 20/m or 3/h on this worker; 0 lifts the limit."
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
        error={rate && !isRate(rate) ? "A number, with /s, /m or /h after it." : undefined}
        autoComplete="off"
      />
      <Button type="submit" variant="default" disabled={!isRate(rate)}>
        Limit the rate
      </Button>
    </form>
  );
}

function TimeForm(props: FormProps & { noSoft: string; noHard: string }) {
  const { task, worker, noSoft, noHard } = props;
  const [soft, setSoft] = useState<string | number>("");
  const [hard, setHard] = useState<string | number>("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    props.send({ kind: "time_limit", worker, task, soft: limitOf(soft), hard: limitOf(hard) });
  };
  return (
    <form onSubmit={submit}>
      <div className={`${classes.form} ${classes.apart}`}>
        {noSoft ? null : <SecondsInput label="Soft, seconds" value={soft} onChange={setSoft} />}
        {noHard ? null : <SecondsInput label="Hard, seconds" value={hard} onChange={setHard} />}
        <Button type="submit" variant="default">
          Limit the time
        </Button>
      </div>
      <p className={classes.hint}>
        At the soft limit the task gets an exception, at the hard one its process is ended. An empty field
        lifts a limit. {noSoft ? `It can't have a soft limit: ${noSoft}.` : null}
      </p>
    </form>
  );
}

const limitOf = (value: string | number): number | null => (Number(value) > 0 ? Number(value) : null);

function SecondsInput(props: {
  label: string;
  value: string | number;
  onChange: (value: string | number) => void;
}) {
  return <NumberInput {...props} className={classes.number} size="sm" min={0} placeholder="none" />;
}
