import { SegmentedControl, Select } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo } from "react";
import { Failure } from "../components/feedback/Failure";
import { Chart, type Series } from "../components/monitor/Chart";
import { Panel } from "../components/monitor/Panel";
import { QueueLengths } from "../components/monitor/QueueLengths";
import { useNow, useTimeDisplay } from "../hooks/timeDisplay";
import { useNarrow } from "../hooks/useNarrow";
import { useTitle } from "../hooks/useTitle";
import { type Bucket, boundsOf, columnsOf, RANGES, type Range, rangeOf, sumOf } from "../model/monitor";
import { formatCount } from "../model/number";
import { ApiError } from "../services/client";
import { bucketsQuery, gapsQuery, namesQuery, queueNamesQuery } from "../services/queries";
import page from "../styles/page.module.css";
import type { MonitorSearch } from "./monitor";

const OUTCOMES = [
  { name: "succeeded", label: "Succeeded", tone: "success" },
  { name: "failed", label: "Failed", tone: "failure" },
  { name: "retried", label: "Retried", tone: "retry" },
  { name: "revoked", label: "Revoked", tone: "revoked" },
  { name: "rejected", label: "Rejected", tone: "rejected" },
] as const;
const RUNTIMES = ["runtimeP50", "runtimeP95", "runtimeP99"] as const;
const RUNTIME_SERIES: Series[] = [
  { label: "Half took up to", tone: "success" },
  { label: "95 %", tone: "started" },
  { label: "99 %", tone: "retry" },
];
const WAITS = ["waitP50", "waitP95"] as const;
const WAIT_SERIES: Series[] = RUNTIME_SERIES.slice(0, 2);

/** Outcomes, run times and waits over time, from the stored history. */
export function Monitor() {
  const search = useSearch({ from: "/monitor" }) as MonitorSearch;
  const range = rangeOf(search.range);
  const bucket = Math.floor(useNow() / range.span);
  const bounds = useMemo(() => boundsOf(range, bucket * range.span), [range, bucket]);
  const kind = search.task ? "task" : search.worker ? "worker" : "all";
  const query = { kind, label: search.task ?? search.worker, span: range.span, ...bounds } as const;
  const buckets = useQuery(bucketsQuery(query));
  const { data: gaps = [] } = useQuery(gapsQuery);
  const { zone } = useTimeDisplay();
  useTitle("Monitor");

  const rows = buckets.data;
  const data = useMemo(() => {
    const known = rows ?? [];
    // what never happened is not drawn, but for the two that everybody looks for
    const outcomes = OUTCOMES.filter(({ name }, place) => place < 2 || sumOf(known, name) > 0);
    return {
      outcomeSeries: outcomes,
      outcomes: columnsOf(
        known,
        outcomes.map(({ name }) => name),
        bounds,
        range.span,
        0,
      ),
      runtimes: columnsOf(known, RUNTIMES, bounds, range.span, null),
      waits: columnsOf(known, WAITS, bounds, range.span, null),
    };
  }, [rows, bounds, range.span]);

  if (buckets.error && !rows) {
    const { error } = buckets;
    return (
      <Failure
        what="The graphs"
        status={error instanceof ApiError ? error.status : 0}
        message={error.message}
        onRetry={() => void buckets.refetch()}
      />
    );
  }
  const common = { zone, gaps };
  return (
    <div className={page.stack}>
      <Head search={search} />
      {rows ? (
        <>
          <Panel
            title={`Outcomes per ${range.per}`}
            summary={`${outcomeText(rows)}; the last ${range.per} is not over`}
          >
            <Chart {...common} data={data.outcomes} series={data.outcomeSeries} unit="count" area />
          </Panel>
          <Panel title="Task time" summary="how long tasks that succeeded ran">
            <Chart {...common} data={data.runtimes} series={RUNTIME_SERIES} unit="seconds" />
          </Panel>
          <Panel
            title="Waiting"
            summary="from a worker's receipt to the start, without tasks that have an ETA"
          >
            <Chart {...common} data={data.waits} series={WAIT_SERIES} unit="seconds" />
          </Panel>
          <Queues search={search} range={range} />
          {gaps.some((gap) => gap.start < bounds.end && (gap.end ?? bounds.end) > bounds.start) ? (
            <p className={page.subtle}>Shaded: events may have been missed then.</p>
          ) : null}
        </>
      ) : (
        <p className={page.subtle}>Loading…</p>
      )}
    </div>
  );
}

function outcomeText(rows: readonly Bucket[]): string {
  const ended = sumOf(rows, "succeeded") + sumOf(rows, "failed");
  if (ended === 0) return "no task ended in this time";
  const failed = sumOf(rows, "failed");
  const share =
    failed === 0 ? "none failed" : `${formatCount(failed)} failed (${((failed / ended) * 100).toFixed(1)} %)`;
  return `${formatCount(sumOf(rows, "succeeded"))} succeeded, ${share}`;
}

/** Which time, and whose tasks. */
function Head(props: { search: MonitorSearch }) {
  const { search } = props;
  const { data: names } = useQuery(namesQuery);
  const isNarrow = useNarrow();
  const set = useChange();
  return (
    <div className={page.head}>
      <h1>Monitor</h1>
      <SegmentedControl
        aria-label="Time"
        size="xs"
        fullWidth={isNarrow}
        value={rangeOf(search.range).id}
        onChange={(id) => set({ range: id === RANGES[0]?.id ? undefined : id })}
        data={RANGES.map(({ id, label }) => ({ value: id, label: isNarrow ? id : label }))}
      />
      <div className={page.side}>
        <NameSelect
          label="Task"
          names={names?.tasks}
          value={search.task}
          onChange={(task) => set({ task, worker: undefined })}
        />
        <NameSelect
          label="Worker"
          names={names?.workers}
          value={search.worker}
          onChange={(worker) => set({ worker, task: undefined })}
        />
      </div>
    </div>
  );
}

/** The lengths of the longest queues, or of one. */
function Queues(props: { search: MonitorSearch; range: Range }) {
  const { search, range } = props;
  const { data: queues } = useQuery(queueNamesQuery);
  const set = useChange();
  return (
    <Panel
      title="Queue lengths"
      summary={
        search.queue ? `of ${search.queue}` : `the most that lay in the longest queues in each ${range.per}`
      }
      aside={
        <NameSelect
          label="Queue"
          all="Longest queues"
          names={queues}
          value={search.queue}
          onChange={(queue) => set({ queue })}
        />
      }
    >
      <QueueLengths queue={search.queue} range={range} />
    </Panel>
  );
}

/** Changes the address, and with it what is shown. */
function useChange(): (change: MonitorSearch) => void {
  const navigate = useNavigate();
  return (change) =>
    void navigate({
      to: ".",
      search: (old: MonitorSearch) => ({ ...old, ...change }),
      replace: true,
      resetScroll: false,
    });
}

function NameSelect(props: {
  label: string;
  /** What is shown when none is chosen, unless "All …s". */
  all?: string;
  names: string[] | undefined;
  value: string | undefined;
  onChange: (name: string | undefined) => void;
}) {
  const { names = [], value } = props;
  return (
    <Select
      aria-label={props.label}
      placeholder={props.all ?? `All ${props.label.toLowerCase()}s`}
      size="xs"
      searchable
      clearable
      limit={100}
      data={value && !names.includes(value) ? [value, ...names] : names}
      value={value ?? null}
      onChange={(name) => props.onChange(name ?? undefined)}
      nothingFoundMessage={`No such ${props.label.toLowerCase()}`}
    />
  );
}
