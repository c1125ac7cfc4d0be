import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { lonelyOf, tickTexts } from "../../model/monitor";
import { formatAmount } from "../../model/number";
import type { Gap } from "../../model/status";
import { formatDuration, momentOf } from "../../model/time";
import classes from "./Chart.module.css";

export interface Series {
  label: string;
  /** A tone of styles/tones.css. */
  tone: string;
}

export interface ChartProps {
  /** Starts of buckets in epoch seconds, then one column a series. */
  data: [number[], ...(number | null)[][]];
  series: readonly Series[];
  zone: string;
  /** Intervals in which events may have been missed: shaded. */
  gaps: Gap[];
  unit: keyof typeof UNITS;
  /** Draw counts as areas down to 0, times as lines. */
  area?: boolean;
}

const HEIGHT = 200;

/** Steps of an axis of counts: there is no half a task. */
const WHOLE = [1, 2, 5]
  .flatMap((step) => Array.from({ length: 10 }, (_, power) => step * 10 ** power))
  .sort((a, b) => a - b);
const UNITS = {
  count: { format: formatAmount, incrs: WHOLE },
  seconds: { format: formatDuration, incrs: undefined },
} as const;

/** One graph over time, with the values at the pointer in its legend. */
export function Chart(props: ChartProps) {
  const ref = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const shape = props.series.map(({ label }) => label).join("\n");

  // biome-ignore lint/correctness/useExhaustiveDependencies: made anew only where its shape changes
  useEffect(() => {
    const box = ref.current;
    if (!box) return undefined;
    const made = new uPlot(
      optionsOf(() => latest.current, box),
      latest.current.data,
      box,
    );
    plot.current = made;
    const recolour = new MutationObserver(() => made.redraw(false));
    recolour.observe(document.documentElement, { attributeFilter: ["data-mantine-color-scheme"] });
    const resize = new ResizeObserver(() => made.setSize({ width: box.clientWidth, height: HEIGHT }));
    resize.observe(box);
    return () => {
      recolour.disconnect();
      resize.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shape, props.zone, props.area, props.unit]);

  useEffect(() => {
    plot.current?.setData(props.data);
  }, [props.data]);

  return <div ref={ref} className={classes.chart} />;
}

/** Colours are read when drawing, so that they follow the theme. */
function optionsOf(props: () => ChartProps, box: HTMLElement): uPlot.Options {
  const colour = (name: string) => getComputedStyle(box).getPropertyValue(name).trim();
  const axis = {
    stroke: () => colour("--text-2"),
    grid: { stroke: () => colour("--line"), width: 1 },
    ticks: { show: false },
    font: "12px Inter Variable, sans-serif",
  };
  const { series, zone, area, unit } = props();
  const { format, incrs } = UNITS[unit];
  return {
    width: box.clientWidth || 600,
    height: HEIGHT,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone),
    scales: { y: { range: (_, __, most) => [0, most > 0 ? most * 1.08 : 1] } },
    axes: [
      { ...axis, values: (_, splits, __, ___, step) => tickTexts(splits, step, props().zone) },
      { ...axis, size: 64, incrs, values: (_, splits) => splits.map(format) },
    ],
    series: [
      { value: (_, seconds) => (seconds === null ? "" : momentText(seconds, props().zone)) },
      ...series.map(({ label, tone }) => ({
        label,
        stroke: () => colour(`--${tone}-mark`),
        fill: area ? () => `${colour(`--${tone}-mark`)}33` : undefined,
        width: 1.5,
        points: area
          ? { show: false }
          : { show: true, size: 4, filter: (made: uPlot, index: number) => lonelyOf(made.data[index] ?? []) },
        spanGaps: false,
        paths: area ? uPlot.paths.stepped?.({ align: 1 }) : undefined,
        value: (_: uPlot, value: number | null) => (value === null ? "–" : format(value)),
      })),
    ],
    cursor: { y: false, points: { size: 6 } },
    hooks: { drawClear: [(made) => shadeGaps(made, props().gaps, colour("--unknown-soft"))] },
  };
}

function momentText(seconds: number, zone: string): string {
  const { date, time } = momentOf(seconds, zone);
  return `${date} ${time.slice(0, 5)}`;
}

function shadeGaps(made: uPlot, gaps: Gap[], fill: string): void {
  const { ctx, bbox } = made;
  const { min, max } = made.scales.x ?? {};
  if (min === undefined || max === undefined || min === null || max === null) return;
  ctx.save();
  ctx.fillStyle = fill;
  for (const gap of gaps) {
    const from = made.valToPos(Math.max(gap.start, min), "x", true);
    const to = made.valToPos(Math.min(gap.end ?? max, max), "x", true);
    if (gap.start < max && (gap.end ?? max) > min)
      ctx.fillRect(from, bbox.top, Math.max(to - from, 2), bbox.height);
  }
  ctx.restore();
}
