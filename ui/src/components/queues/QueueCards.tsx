import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { memo, type ReactNode, useLayoutEffect, useRef, useState } from "react";
import { type Capabilities, type Queue, sumQueues } from "../../model/queue";
import { QueueLink } from "../Links";
import { SortSelect } from "../table/SortSelect";
import table from "../table/Table.module.css";
import { figuresOf, sortsOf } from "./columns";
import classes from "./QueueCards.module.css";
import { Figure, IdleSince, OldestAge, queueCount } from "./QueueFigures";
import { Sum } from "./QueuesTable";
import { type QueuesView, useQueueRows, VIRTUAL_FROM } from "./queueRows";

/** px of one card; as in QueueCards.module.css. */
const CARD_HEIGHT = 132;

/** The queues table for a narrow screen: a card a queue, with every figure; the page itself scrolls. */
export function QueueCards(props: QueuesView) {
  const { capabilities: can } = props;
  const shown = useQueueRows(props);
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
        <SortSelect fields={sortsOf(can)} sort={props.sort} onSort={props.onSort} />
      </div>
      <ul ref={list} className={classes.list} aria-label="Queues">
        <Spacer height={above} />
        {visible.map((queue) => (
          <QueueCard key={queue.name} queue={queue} can={can} />
        ))}
        <Spacer height={Math.max(0, below)} />
      </ul>
      <TotalsCard shown={shown} all={props.queues.length} can={can} />
    </div>
  );
}

const QueueCard = memo(function QueueCard(props: { queue: Queue; can: Capabilities }) {
  const { queue, can } = props;
  return (
    <li className={classes.card}>
      <QueueLink name={queue.name} className={classes.name} title={queue.name} />
      <dl className={classes.figures}>
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
    <div className={`${classes.card} ${classes.total}`}>
      <b className={classes.name}>{queueCount(props.shown.length, props.all)}</b>
      <dl className={classes.figures}>
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

/** Stands for the cards that are not drawn. */
function Spacer(props: { height: number }) {
  return props.height > 0 ? <li aria-hidden="true" style={{ height: props.height }} /> : null;
}
