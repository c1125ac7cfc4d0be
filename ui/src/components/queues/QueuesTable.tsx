import { memo } from "react";
import { formatCount } from "../../model/number";
import { type Capabilities, type Queue, sumQueues } from "../../model/queue";
import { QueueLink } from "../Links";
import { useDrawnRows } from "../table/drawnRows";
import { SortHeader } from "../table/SortHeader";
import table from "../table/Table.module.css";
import { Unknown } from "../time/Time";
import { type FigureColumn, figuresOf } from "./columns";
import { Figure, IdleSince, OldestAge, queueCount } from "./QueueFigures";
import classes from "./QueuesTable.module.css";
import { type QueuesView, useQueueRows } from "./queueRows";

/** Every queue with its figures; searched and sorted here, drawn only as far as it is in view. */
export function QueuesTable(props: QueuesView) {
  const { capabilities: can, sort, onSort } = props;
  const shown = useQueueRows(props);
  const { ref, visible, above, below } = useDrawnRows(shown);
  const figures = figuresOf(can);
  const width = figures.length + 1 + Number(can.idleSince) + Number(can.oldest);
  return (
    <div className={table.panel}>
      <div ref={ref} className={`${table.scroll} ${classes.scroll}`}>
        <table className={`${table.table} ${classes.queues}`} aria-rowcount={shown.length + 2}>
          <thead>
            <tr>
              <SortHeader field="name" sort={sort} onSort={onSort}>
                Queue
              </SortHeader>
              {figures.map(({ field, label }) => (
                <SortHeader
                  key={field}
                  field={field}
                  sort={sort}
                  onSort={onSort}
                  align="right"
                  descendingFirst
                >
                  {label}
                </SortHeader>
              ))}
              {can.idleSince ? (
                <SortHeader field="idleSince" sort={sort} onSort={onSort} align="right" descendingFirst>
                  Idle since
                </SortHeader>
              ) : null}
              {can.oldest ? (
                <SortHeader field="oldestAge" sort={sort} onSort={onSort} align="right" descendingFirst>
                  Oldest waits
                </SortHeader>
              ) : null}
            </tr>
          </thead>
          <tbody>
            <Spacer height={above} width={width} />
            {visible.map((queue) => (
              <QueueRow key={queue.name} queue={queue} figures={figures} can={can} />
            ))}
            <Spacer height={Math.max(0, below)} width={width} />
          </tbody>
          <Totals shown={shown} all={props.queues.length} figures={figures} can={can} />
        </table>
      </div>
    </div>
  );
}

const QueueRow = memo(function QueueRow(props: { queue: Queue; figures: FigureColumn[]; can: Capabilities }) {
  const { queue, can } = props;
  return (
    <tr>
      <th scope="row" className={classes.name}>
        <QueueLink name={queue.name} title={queue.name} />
      </th>
      {props.figures.map(({ field }) => (
        <td key={field} data-align="right">
          <Figure queue={queue} field={field} />
        </td>
      ))}
      {can.idleSince ? (
        <td data-align="right">
          <IdleSince queue={queue} />
        </td>
      ) : null}
      {can.oldest ? (
        <td data-align="right">
          <OldestAge queue={queue} />
        </td>
      ) : null}
    </tr>
  );
});

/** Sums over the rows shown. */
function Totals(props: { shown: Queue[]; all: number; figures: FigureColumn[]; can: Capabilities }) {
  const sums = sumQueues(props.shown);
  return (
    <tfoot>
      <tr>
        <th scope="row" className={classes.name}>
          {queueCount(props.shown.length, props.all)}
        </th>
        {props.figures.map(({ field }) => (
          <td key={field} data-align="right">
            {field === "consumers" ? null : <Sum value={sums[field]} />}
          </td>
        ))}
        {props.can.idleSince ? <td /> : null}
        {props.can.oldest ? <td /> : null}
      </tr>
    </tfoot>
  );
}

export function Sum(props: { value: number | null }) {
  return props.value === null ? <Unknown title="not known of every queue" /> : formatCount(props.value);
}

/** Stands for the rows that are not drawn. */
function Spacer(props: { height: number; width: number }) {
  if (props.height <= 0) return null;
  return (
    <tr className={table.spacer}>
      <td colSpan={props.width} style={{ height: props.height }} />
    </tr>
  );
}
