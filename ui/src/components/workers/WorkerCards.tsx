import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { memo, type ReactNode, useLayoutEffect, useRef, useState } from "react";
import { sumWorkers, type Worker, type WorkerTotals } from "../../model/worker";
import { WorkerLink } from "../Links";
import { WorkerBadge } from "../state/Badge";
import { SortSelect } from "../table/SortSelect";
import table from "../table/Table.module.css";
import { COUNT_COLUMNS, WORKER_SORTS } from "./columns";
import classes from "./WorkerCards.module.css";
import { CountLink, LoadAverage, workerCount } from "./WorkerFigures";
import { useWorkerRows, VIRTUAL_FROM, type WorkersView } from "./workerRows";

/** px of one card; as in WorkerCards.module.css. */
const CARD_HEIGHT = 132;

/** The workers table for a narrow screen: a card a worker, with every figure; the page itself scrolls. */
export function WorkerCards(props: WorkersView) {
  const shown = useWorkerRows(props);
  const list = useRef<HTMLUListElement>(null);
  const [top, setTop] = useState(0);
  useLayoutEffect(() => setTop(list.current?.offsetTop ?? 0), []);
  const virtual = useWindowVirtualizer({
    count: shown.length,
    estimateSize: () => CARD_HEIGHT,
    overscan: 6,
    scrollMargin: top,
    enabled: shown.length >= VIRTUAL_FROM,
  });
  const items = virtual.getVirtualItems();
  const visible = shown.length < VIRTUAL_FROM ? shown : items.flatMap(({ index }) => shown[index] ?? []);
  const above = items[0] ? items[0].start - top : 0;
  const below = items.length > 0 ? virtual.getTotalSize() + top - (items.at(-1)?.end ?? 0) : 0;
  return (
    <div className={table.panel}>
      <div className={classes.head}>
        <SortSelect fields={WORKER_SORTS} sort={props.sort} onSort={props.onSort} />
      </div>
      <ul ref={list} className={classes.list} aria-label="Workers">
        <Spacer height={above} />
        {visible.map((worker) => (
          <WorkerCard key={worker.hostname} worker={worker} />
        ))}
        <Spacer height={Math.max(0, below)} />
      </ul>
      <TotalsCard totals={sumWorkers(shown)} all={props.workers.length} />
    </div>
  );
}

const WorkerCard = memo(function WorkerCard(props: { worker: Worker }) {
  const { worker } = props;
  return (
    <li className={classes.card}>
      <div className={classes.title}>
        <WorkerLink hostname={worker.hostname} className={classes.name} title={worker.hostname} />
        <WorkerBadge status={worker.status} reason={worker.statusReason} />
      </div>
      <Figures of={worker} hostname={worker.hostname}>
        <div>
          <dt>Load average</dt>
          <dd className={classes.load}>
            <LoadAverage value={worker.loadavg} />
          </dd>
        </div>
      </Figures>
    </li>
  );
});

/** Sums over the cards shown. */
function TotalsCard(props: { totals: WorkerTotals; all: number }) {
  return (
    <div className={`${classes.card} ${classes.total}`}>
      <div className={classes.title}>
        <b className={classes.name}>Total</b>
        <span className={classes.load}>{workerCount(props.totals.workers, props.all)}</span>
      </div>
      <Figures of={props.totals} />
    </div>
  );
}

function Figures(props: { of: Worker | WorkerTotals; hostname?: string; children?: ReactNode }) {
  return (
    <dl className={classes.figures}>
      {COUNT_COLUMNS.map((column) => (
        <div key={column.field}>
          <dt>{column.label}</dt>
          <dd data-tone={props.of[column.field] ? column.tone : undefined}>
            <CountLink column={column} of={props.of} hostname={props.hostname} />
          </dd>
        </div>
      ))}
      {props.children}
    </dl>
  );
}

/** Stands for the cards that are not drawn. */
function Spacer(props: { height: number }) {
  return props.height > 0 ? <li aria-hidden="true" style={{ height: props.height }} /> : null;
}
