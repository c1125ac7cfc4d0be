import { memo, type ReactNode } from "react";
import { type Capabilities, type Queue, sumQueues } from "../../model/queue";
import { QueueLink } from "../Links";
import { Cards } from "../table/Cards";
import cards from "../table/Cards.module.css";
import { SortSelect } from "../table/SortSelect";
import table from "../table/Table.module.css";
import { figuresOf, sortsOf } from "./columns";
import classes from "./QueueCards.module.css";
import { Figure, IdleSince, OldestAge, queueCount } from "./QueueFigures";
import { Sum } from "./QueuesTable";
import { type QueuesView, useQueueRows } from "./queueRows";

/** The queues table for a narrow screen: a card a queue, with every figure; the page itself scrolls. */
export function QueueCards(props: QueuesView) {
  const { capabilities: can } = props;
  const shown = useQueueRows(props);
  return (
    <div className={table.panel}>
      <div className={cards.head}>
        <SortSelect fields={sortsOf(can)} sort={props.sort} onSort={props.onSort} />
      </div>
      <Cards
        label="Queues"
        rows={shown}
        card={(queue) => <QueueCard key={queue.name} queue={queue} can={can} />}
      />
      <TotalsCard shown={shown} all={props.queues.length} can={can} />
    </div>
  );
}

const QueueCard = memo(function QueueCard(props: { queue: Queue; can: Capabilities }) {
  const { queue, can } = props;
  return (
    <li className={cards.card}>
      <QueueLink name={queue.name} className={`${cards.name} ${classes.name}`} title={queue.name} />
      <dl className={`${cards.figures} ${classes.figures}`}>
        {figuresOf(can).map(({ field, label }) => (
          <Term key={field} label={label}>
            <Figure queue={queue} field={field} />
          </Term>
        ))}
        {can.idleSince ? (
          <Term label="Idle since">
            <IdleSince queue={queue} />
          </Term>
        ) : null}
        {can.oldest ? (
          <Term label="Oldest waits">
            <OldestAge queue={queue} />
          </Term>
        ) : null}
      </dl>
    </li>
  );
});

/** Sums over the cards shown. */
function TotalsCard(props: { shown: Queue[]; all: number; can: Capabilities }) {
  const sums = sumQueues(props.shown);
  return (
    <div className={`${cards.card} ${cards.total} ${classes.total}`}>
      <b className={`${cards.name} ${classes.name}`}>{queueCount(props.shown.length, props.all)}</b>
      <dl className={`${cards.figures} ${classes.figures}`}>
        {figuresOf(props.can).map(({ field, label }) =>
          field === "consumers" ? null : (
            <Term key={field} label={label}>
              <Sum value={sums[field]} />
            </Term>
          ),
        )}
      </dl>
    </div>
  );
}

function Term(props: { label: string; children: ReactNode }) {
  return (
    <div>
      <dt>{props.label}</dt>
      <dd>{props.children}</dd>
    </div>
  );
}
