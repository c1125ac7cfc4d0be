import { memo, type ReactNode } from "react";
import { sumWorkers, type Worker, type WorkerTotals } from "../../model/worker";
import { WorkerLink } from "../Links";
import { WorkerBadge } from "../state/Badge";
import { Cards } from "../table/Cards";
import cards from "../table/Cards.module.css";
import { SortSelect } from "../table/SortSelect";
import table from "../table/Table.module.css";
import { COUNT_COLUMNS, WORKER_SORTS } from "./columns";
import classes from "./WorkerCards.module.css";
import { CountLink, LoadAverage, workerCount } from "./WorkerFigures";
import { useWorkerRows, type WorkersView } from "./workerRows";

/** The workers table for a narrow screen: a card a worker, with every figure; the page itself scrolls. */
export function WorkerCards(props: WorkersView) {
  const shown = useWorkerRows(props);
  return (
    <div className={table.panel}>
      <div className={cards.head}>
        <SortSelect fields={WORKER_SORTS} sort={props.sort} onSort={props.onSort} />
      </div>
      <Cards
        label="Workers"
        rows={shown}
        card={(worker) => <WorkerCard key={worker.hostname} worker={worker} />}
      />
      <TotalsCard totals={sumWorkers(shown)} all={props.workers.length} />
    </div>
  );
}

const WorkerCard = memo(function WorkerCard(props: { worker: Worker }) {
  const { worker } = props;
  return (
    <li className={cards.card}>
      <div className={classes.title}>
        <WorkerLink hostname={worker.hostname} className={cards.name} title={worker.hostname} />
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
    <div className={`${cards.card} ${cards.total}`}>
      <div className={classes.title}>
        <b className={cards.name}>Total</b>
        <span className={classes.load}>{workerCount(props.totals.workers, props.all)}</span>
      </div>
      <Figures of={props.totals} />
    </div>
  );
}

function Figures(props: { of: Worker | WorkerTotals; hostname?: string; children?: ReactNode }) {
  return (
    <dl className={`${cards.figures} ${classes.figures}`}>
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
