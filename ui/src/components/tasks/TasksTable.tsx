import { useEffect, useRef } from "react";
import type { Task } from "../../model/task";
import { SortHeader } from "../table/SortHeader";
import table from "../table/Table.module.css";
import type { TaskColumn } from "./columns";
import classes from "./TasksTable.module.css";

/** One page of tasks as a table. Rows that came since the last drawing of the same list are marked for a moment. */
export function TasksTable(props: {
  tasks: Task[];
  columns: TaskColumn[];
  sort: string;
  onSort: (sort: string) => void;
  /** Names the list: rows are only "new" against an earlier page of the same one. */
  listId: string;
}) {
  const isNew = useNewRows(props.tasks, props.listId);
  return (
    <div className={`${table.scroll} ${classes.scroll}`}>
      <table className={`${table.table} ${classes.tasks}`}>
        <thead>
          <tr>
            {props.columns.map((column) => (
              <SortHeader
                key={column.id}
                field={column.id}
                sort={props.sort}
                onSort={props.onSort}
                align={column.align}
                descendingFirst={column.descendingFirst}
              >
                {column.label}
              </SortHeader>
            ))}
          </tr>
        </thead>
        <tbody>
          {props.tasks.map((task) => (
            <tr key={task.uuid} data-new={isNew(task.uuid) || undefined}>
              {props.columns.map((column) => (
                <td key={column.id} data-align={column.align}>
                  {column.cell(task)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function useNewRows(tasks: Task[], listId: string): (uuid: string) => boolean {
  const seen = useRef<{ listId: string; uuids: Set<string> } | null>(null);
  const before = seen.current;
  useEffect(() => {
    seen.current = { listId, uuids: new Set(tasks.map(({ uuid }) => uuid)) };
  }, [tasks, listId]);
  return (uuid) => before !== null && before.listId === listId && !before.uuids.has(uuid);
}
