import { Button, NumberInput } from "@mantine/core";
import { type ReactNode, useState } from "react";
import type { Command } from "../../model/command";
import {
  humanize,
  type Inspection,
  printValue,
  statsPart,
  type WorkerControl,
  whyNot,
} from "../../model/inspection";
import { Facts, Section } from "../task/Section";
import { NotAnswered } from "./NotAnswered";
import classes from "./Worker.module.css";

/** A worker's pool, and what can be changed at it. `send` is null where commands are not let in. */
export function PoolTab(props: {
  inspection: Inspection;
  control: WorkerControl | undefined;
  send: ((command: Command) => void) | null;
}) {
  const { inspection, control, send } = props;
  const pool = statsPart(inspection, "pool");
  const scaling = statsPart(inspection, "autoscaler");
  if (inspection.stats === null) return <NotAnswered inspection={inspection} what="its pool" />;
  const prefetch = inspection.stats.prefetch_count;
  return (
    <>
      {send ? <Size hostname={inspection.hostname} control={control} send={send} /> : null}
      <Section title="Pool" flush>
        <Facts
          rows={{
            ...poolRows(pool ?? {}),
            "Worker process": printValue(inspection.stats.pid),
            "Prefetch count": prefetch === undefined ? undefined : printValue(prefetch),
          }}
        />
      </Section>
      {scaling ? (
        <Section title="Autoscaler" flush>
          <Facts rows={factsOf(scaling)} />
        </Section>
      ) : null}
    </>
  );
}

/** The number of processes first, then all that the worker tells of its pool. */
function poolRows(pool: Record<string, unknown>): Record<string, ReactNode> {
  const { processes, ...rest } = pool;
  const counted = Array.isArray(processes)
    ? { Processes: `${processes.length}: ${printValue(processes)}` }
    : processes === undefined
      ? {}
      : { Processes: printValue(processes) };
  return { ...counted, ...factsOf(rest) };
}

/** A worker's record as terms and values. */
export function factsOf(record: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [humanize(key), printValue(value)]));
}

function Size(props: {
  hostname: string;
  control: WorkerControl | undefined;
  send: (command: Command) => void;
}) {
  const { hostname: worker, control, send } = props;
  const noGrowth = whyNot(control, "pool_grow");
  const noScaling = whyNot(control, "autoscale");
  return (
    <Section title="Change the pool">
      {noGrowth ? (
        <p className={classes.note}>This worker can't grow or shrink: {noGrowth}.</p>
      ) : (
        <GrowForm
          onGrow={(n) => send({ kind: "pool_grow", worker, n })}
          onShrink={(n) => send({ kind: "pool_shrink", worker, n })}
        />
      )}
      {noScaling ? (
        <p className={classes.note}>It can't be told to scale itself: {noScaling}.</p>
      ) : (
        <ScaleForm
          key={`${control?.autoscale?.min} ${control?.autoscale?.max}`}
          bounds={control?.autoscale ?? {}}
          onApply={(min, max) => send({ kind: "autoscale", worker, min, max })}
        />
      )}
    </Section>
  );
}

function GrowForm(props: { onGrow: (n: number) => void; onShrink: (n: number) => void }) {
  const [text, setText] = useState<string | number>(1);
  const n = Number(text);
  const isGood = Number.isInteger(n) && n >= 1 && n <= 1000;
  return (
    <div className={classes.form}>
      <Count label="Processes" min={1} max={1000} value={text} onChange={setText} />
      <Button variant="default" disabled={!isGood} onClick={() => props.onGrow(n)}>
        Grow
      </Button>
      <Button variant="default" disabled={!isGood} onClick={() => props.onShrink(n)}>
        Shrink
      </Button>
    </div>
  );
}

function ScaleForm(props: { bounds: Record<string, number>; onApply: (min: number, max: number) => void }) {
  const [min, setMin] = useState<string | number>(props.bounds.min ?? 1);
  const [max, setMax] = useState<string | number>(props.bounds.max ?? 1);
  const [low, high] = [Number(min), Number(max)];
  const isGood = min !== "" && max !== "" && low <= high && high >= 1;
  return (
    <div className={classes.form}>
      <Count label="Least" min={0} max={10_000} value={min} onChange={setMin} />
      <Count label="Most" min={1} max={10_000} value={max} onChange={setMax} />
      <Button variant="default" disabled={!isGood} onClick={() => props.onApply(low, high)}>
        Set bounds
      </Button>
    </div>
  );
}

/** A field for a whole number of processes. */
function Count(props: {
  label: string;
  min: number;
  max: number;
  value: string | number;
  onChange: (value: string | number) => void;
}) {
  return <NumberInput className={classes.number} size="sm" allowDecimal={false} {...props} />;
}
