import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { useNow, useTimeDisplay } from "../../hooks/timeDisplay";
import {
  boundsOf,
  type Line,
  peaksOf,
  type QueueBucket,
  queueColumnsOf,
  type Range,
} from "../../model/monitor";
import { queueBucketsQuery } from "../../services/queries";
import page from "../../styles/page.module.css";
import { Chart, type Series } from "./Chart";

/** Colours of the longest queues, in this order. */
const TONES = ["started", "retry", "success", "revoked", "failure"];

/** The lengths of one queue, or of the longest ones, over a time that ends now. */
export function QueueLengths(props: { queue: string | undefined; range: Range }) {
  const { queue, range } = props;
  const bucket = Math.floor(useNow() / range.span);
  const bounds = useMemo(() => boundsOf(range, bucket * range.span), [range, bucket]);
  const buckets = useQuery(queueBucketsQuery({ queue, span: range.span, ...bounds }));
  const { zone } = useTimeDisplay();
  const rows = buckets.data;
  const { data, series } = useMemo(() => {
    const { lines, series } = queue === undefined ? longest(rows ?? []) : figuresOf(queue);
    return { series, data: queueColumnsOf(rows ?? [], lines, bounds, range.span) };
  }, [rows, queue, bounds, range.span]);
  if (rows === undefined)
    return (
      <p className={page.subtle}>
        {buckets.error ? `The lengths can't be read: ${buckets.error.message}` : "Loading…"}
      </p>
    );
  if (rows.length === 0) return <p className={page.subtle}>Nothing was sampled in this time.</p>;
  return <Chart data={data} series={series} zone={zone} gaps={[]} unit="count" />;
}

type Drawn = { lines: Line[]; series: Series[] };

/** The most that lay in each of the longest queues. */
function longest(rows: readonly QueueBucket[]): Drawn {
  const peaks = peaksOf(rows).slice(0, TONES.length);
  return {
    lines: peaks.map(({ queue }) => ({ queue, figureOf: ({ messages }) => messages?.max })),
    series: peaks.map(({ queue }, place) => ({ label: queue, tone: TONES[place] ?? "custom" })),
  };
}

function figuresOf(queue: string): Drawn {
  return {
    lines: [
      { queue, figureOf: ({ messages }) => messages?.max },
      { queue, figureOf: ({ messages }) => messages?.mean },
      { queue, figureOf: ({ unacked }) => unacked?.max },
    ],
    series: [
      { label: "Most messages", tone: "started" },
      { label: "Mean", tone: "success" },
      { label: "Most unacked", tone: "retry" },
    ],
  };
}
