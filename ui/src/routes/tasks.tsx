import { Button } from "@mantine/core";
import { useLocalStorage } from "@mantine/hooks";
import { IconListSearch, IconPlayerPause, IconPlayerPlay } from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { createRoute, useLocation, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { Failure } from "../components/feedback/Failure";
import { Kept } from "../components/feedback/Kept";
import { Message } from "../components/feedback/Message";
import { RevokeMatching } from "../components/revocation/RevokeMatching";
import { SearchBox } from "../components/SearchBox";
import table from "../components/table/Table.module.css";
import { ColumnChooser } from "../components/tasks/ColumnChooser";
import { columnsOf, TASK_COLUMNS } from "../components/tasks/columns";
import { FilterChip } from "../components/tasks/FilterChip";
import { Pager } from "../components/tasks/Pager";
import { SearchHelp } from "../components/tasks/SearchHelp";
import { StateFilter } from "../components/tasks/StateFilter";
import { TaskCards } from "../components/tasks/TaskCards";
import { TasksTable } from "../components/tasks/TasksTable";
import classes from "../components/tasks/TasksTable.module.css";
import { useNarrow } from "../hooks/useNarrow";
import { useTitle } from "../hooks/useTitle";
import { isFiltered } from "../model/revocation";
import type { StateCount, TaskPage, TaskQuery } from "../model/task";
import { ApiError } from "../services/client";
import {
  narrowedStatesQuery,
  pausedTasksQuery,
  settingsQuery,
  statesQuery,
  statusQuery,
  tasksQuery,
} from "../services/queries";
import { previewRevocation, startRevocation } from "../services/revocations";
import page from "../styles/page.module.css";
import { rootRoute } from "./root";
import { DEFAULT_LIMIT, DEFAULT_SORT, pageOf, queryOf, type TasksSearch, validateSearch } from "./tasksView";

declare module "@tanstack/history" {
  interface HistoryState {
    /** Cursors of the pages before this one, first page ("") first. */
    trail?: string[];
  }
}

export const tasksRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/tasks",
  validateSearch,
  component: Tasks,
});

function Tasks() {
  const search = tasksRoute.useSearch();
  const query = queryOf(search);
  const [pausedAt, setPausedAt] = useState(0);
  const cache = useQueryClient();
  const tasks = useQuery(pausedAt ? pausedTasksQuery(query, pausedAt, cache) : tasksQuery(query));
  const { states, counts } = useStates(query);
  const columns = useColumns(search.columns);
  const { narrow, turn } = useTurns(search);
  const isNarrow = useNarrow();
  const onSort = (sort: string) => narrow({ sort: sort === DEFAULT_SORT ? undefined : sort });
  useTitle("Tasks");

  const error = tasks.error instanceof ApiError ? tasks.error : null;
  const searchError = error?.parameter === "search" ? error.message : undefined;
  return (
    <div className={page.stack}>
      <div className={page.head}>
        <h1>Tasks</h1>
        {search.name ? (
          <FilterChip label="name" value={search.name} onClear={() => narrow({ name: undefined })} />
        ) : null}
        {search.worker ? (
          <FilterChip label="worker" value={search.worker} onClear={() => narrow({ worker: undefined })} />
        ) : null}
      </div>
      <div className={classes.toolbar}>
        <SearchBox
          className={classes.search}
          value={query.search}
          onChange={(text) => narrow({ search: text || undefined })}
          label="Search tasks"
          placeholder="Search tasks: text, name:…, state:…, args:…, kwargs:key=value"
          error={searchError}
          help={<SearchHelp />}
        />
        <Revoke query={query} />
        <PauseButton paused={pausedAt > 0} onToggle={() => setPausedAt(pausedAt ? 0 : Date.now())} />
        {isNarrow ? null : (
          <ColumnChooser shown={columns.ids} isDefault={columns.isDefault} onChange={columns.choose} />
        )}
      </div>
      <StateFilter
        states={states}
        counts={counts}
        value={query.state}
        onChange={(state) => narrow({ state: state || undefined })}
      />
      <div className={table.panel}>
        {tasks.data ? (
          <div className={tasks.isPlaceholderData ? classes.stale : undefined}>
            {tasks.data.items.length === 0 ? (
              <NoTasks filtered={Boolean(query.search || query.state || query.worker || query.name)} />
            ) : isNarrow ? (
              <TaskCards tasks={tasks.data.items} sort={query.sort} onSort={onSort} />
            ) : (
              <TasksTable
                tasks={tasks.data.items}
                columns={columnsOf(columns.ids)}
                sort={query.sort}
                onSort={onSort}
                listId={JSON.stringify(query)}
              />
            )}
            <TasksPager search={search} data={tasks.data} narrow={narrow} turn={turn} />
          </div>
        ) : searchError ? (
          <Message title="The search can't be read" icon={<IconListSearch size={32} />}>
            <p>The line under the search box tells where; its ? shows how to write one.</p>
          </Message>
        ) : tasks.error ? (
          <Failure
            what="The tasks"
            status={error?.status ?? 0}
            message={tasks.error.message}
            onRetry={() => void tasks.refetch()}
          />
        ) : (
          <Message title="Loading…">{null}</Message>
        )}
      </div>
    </div>
  );
}

/** The way to revoke all tasks of a filtered list, where commands are taken. */
function Revoke(props: { query: TaskQuery }) {
  const { search, state, name, worker } = props.query;
  const filter = { search, state, name, worker };
  const { data: settings } = useQuery(settingsQuery);
  const navigate = useNavigate();
  if (settings?.commands !== "open" || !isFiltered(filter)) return null;
  return (
    <RevokeMatching
      filter={filter}
      preview={previewRevocation}
      start={startRevocation}
      onStarted={({ id }) => void navigate({ to: "/revocation/$id", params: { id: String(id) } })}
    />
  );
}

/** The states there are, and how many tasks of this list are in each; null where a search makes that unknown. */
function useStates(query: TaskQuery): { states: StateCount[]; counts: StateCount[] | null } {
  const { name, worker, search } = query;
  const isNarrowed = Boolean(name || worker);
  const { data: states = [] } = useQuery(statesQuery);
  const { data: narrowed = null } = useQuery({
    ...narrowedStatesQuery({ name, worker }),
    enabled: isNarrowed && !search,
  });
  return { states, counts: search ? null : isNarrowed ? narrowed : states };
}

type Narrow = (change: TasksSearch) => void;
type Turn = (cursor: string, page: number, trail: string[]) => void;

/** The two ways to move: another list (starts at its first page), or another page of the same list. */
function useTurns(search: TasksSearch): { narrow: Narrow; turn: Turn } {
  const navigate = useNavigate();
  return {
    narrow: (change) =>
      void navigate({
        to: "/tasks",
        search: { ...search, ...change, cursor: undefined, page: undefined },
        replace: "search" in change,
        resetScroll: false,
      }),
    turn: (cursor, page, trail) =>
      void navigate({
        to: "/tasks",
        search: { ...search, cursor: cursor || undefined, page: page > 1 ? String(page) : undefined },
        state: (old) => ({ ...old, trail }),
        resetScroll: false,
      }),
  };
}

function TasksPager(props: { search: TasksSearch; data: TaskPage; narrow: Narrow; turn: Turn }) {
  const { search, data, turn } = props;
  const { trail = [] } = useLocation().state;
  const current = pageOf(search);
  const { limit, cursor } = queryOf(search);
  const { next } = data;
  return (
    <Pager
      page={current}
      shown={data.items.length}
      limit={limit}
      total={data.total}
      onLimit={(size) => props.narrow({ limit: size === DEFAULT_LIMIT ? undefined : String(size) })}
      onFirst={cursor ? () => turn("", 1, []) : null}
      onPrevious={trail.length > 0 ? () => turn(trail.at(-1) ?? "", current - 1, trail.slice(0, -1)) : null}
      onNext={next === null ? null : () => turn(next, current + 1, [...trail, cursor])}
    />
  );
}

/** Columns of the URL, else those remembered in this browser, else the server's `tasks_columns`. */
function useColumns(inUrl: string | undefined) {
  const { data: settings } = useQuery(settingsQuery);
  const navigate = useNavigate();
  const [remembered, remember] = useLocalStorage<string[] | null>({
    key: "umbel-tasks-columns",
    defaultValue: null,
    getInitialValueInEffect: false,
  });
  const usual = columnsOf(settings?.tasksColumns ?? []);
  const chosen = columnsOf(inUrl?.split(",") ?? remembered ?? []);
  const shown = chosen.length > 0 ? chosen : usual.length > 0 ? usual : TASK_COLUMNS.slice(0, 10);
  return {
    ids: shown.map(({ id }) => id),
    isDefault: chosen.length === 0,
    choose: (ids: string[] | null) => {
      remember(ids);
      void navigate({
        to: "/tasks",
        search: (old: TasksSearch) => ({ ...old, columns: ids?.join(",") }),
        replace: true,
        resetScroll: false,
      });
    },
  };
}

function PauseButton(props: { paused: boolean; onToggle: () => void }) {
  return (
    <Button
      variant={props.paused ? "light" : "default"}
      color={props.paused ? "orange" : undefined}
      size="sm"
      aria-pressed={props.paused}
      leftSection={props.paused ? <IconPlayerPlay size={16} /> : <IconPlayerPause size={16} />}
      onClick={props.onToggle}
    >
      {props.paused ? "Paused: go on" : "Pause"}
    </Button>
  );
}

function NoTasks(props: { filtered: boolean }) {
  const { data: status } = useQuery(statusQuery);
  return (
    <Message
      title={props.filtered ? "No stored task matches" : "No task has been stored yet"}
      icon={<IconListSearch size={32} stroke={1.5} />}
    >
      <p>
        {props.filtered
          ? "Widen the search or choose another state."
          : "Tasks appear here as soon as a worker that sends events receives one."}
      </p>
      {props.filtered || status?.storedSince ? <Kept since={status?.storedSince} /> : null}
    </Message>
  );
}
