import { useQuery } from "@tanstack/react-query";
import { createRoute, useNavigate } from "@tanstack/react-router";
import { Failure } from "../components/feedback/Failure";
import { SearchBox } from "../components/SearchBox";
import { StateStrip } from "../components/state/StateStrip";
import { DEFAULT_WORKER_SORT } from "../components/workers/columns";
import { NoWorkers } from "../components/workers/NoWorkers";
import { StatusFilter } from "../components/workers/StatusFilter";
import { SummaryCards } from "../components/workers/SummaryCards";
import { WorkerCards } from "../components/workers/WorkerCards";
import { WorkersTable } from "../components/workers/WorkersTable";
import { usePace } from "../hooks/LiveContext";
import { useNarrow } from "../hooks/useNarrow";
import { useTitle } from "../hooks/useTitle";
import { ApiError } from "../services/client";
import { statesQuery, statusQuery, workersQuery } from "../services/queries";
import page from "../styles/page.module.css";
import { rootRoute } from "./root";
import { paceOf, textOf } from "./searchParams";

interface DashboardSearch {
  search?: string;
  status?: string;
  sort?: string;
  /** Flower's: seconds between updates, 0 for none. */
  autorefresh?: string;
}

function validateSearch(raw: Record<string, unknown>): DashboardSearch {
  const keys = ["search", "status", "sort", "autorefresh"] as const;
  return Object.fromEntries(keys.map((key) => [key, textOf(raw, key)]));
}

export const dashboardRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/",
  validateSearch,
  component: () => <Dashboard {...dashboardRoute.useSearch()} />,
});

/** Flower's second address of the same page. */
export const workersRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/workers",
  validateSearch,
  component: () => <Dashboard {...workersRoute.useSearch()} />,
});

function Dashboard(props: DashboardSearch) {
  const { search = "", status = "", sort = DEFAULT_WORKER_SORT } = props;
  const workers = useQuery(workersQuery);
  const { data: states = [] } = useQuery(statesQuery);
  const { data: monitor } = useQuery(statusQuery);
  const navigate = useNavigate();
  const set = (change: DashboardSearch) =>
    void navigate({ to: ".", search: (old: DashboardSearch) => ({ ...old, ...change }), replace: true });
  const Workers = useNarrow() ? WorkerCards : WorkersTable;
  usePace(paceOf(props.autorefresh));
  useTitle("Dashboard");

  if (workers.error && !workers.data) {
    const { error } = workers;
    return (
      <Failure
        what="The workers"
        status={error instanceof ApiError ? error.status : 0}
        message={error.message}
        onRetry={() => void workers.refetch()}
      />
    );
  }
  if (!workers.data) return <p className={page.subtle}>Loading…</p>;
  const { items, totals } = workers.data;
  return (
    <div className={page.stack}>
      <h1 className={page.hidden}>Dashboard</h1>
      <SummaryCards totals={totals} />
      <StateStrip counts={states} />
      {items.length === 0 ? (
        <NoWorkers monitor={monitor} />
      ) : (
        <>
          <div className={page.head}>
            <h2>Workers</h2>
            <StatusFilter
              workers={items}
              value={status}
              onChange={(next) => set({ status: next || undefined })}
            />
            <div className={page.side}>
              <SearchBox
                value={search}
                onChange={(text) => set({ search: text || undefined })}
                label="Search workers"
                placeholder="Search workers"
              />
            </div>
          </div>
          <Workers
            workers={items}
            search={search}
            status={status}
            sort={sort}
            onSort={(next) => set({ sort: next === DEFAULT_WORKER_SORT ? undefined : next })}
          />
        </>
      )}
    </div>
  );
}
