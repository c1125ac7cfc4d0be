import { IconStack2 } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { createRoute, useNavigate } from "@tanstack/react-router";
import { Failure } from "../components/feedback/Failure";
import { Message } from "../components/feedback/Message";
import { DEFAULT_QUEUE_SORT } from "../components/queues/columns";
import { Problems } from "../components/queues/Problems";
import { QueueCards } from "../components/queues/QueueCards";
import { QueuesTable } from "../components/queues/QueuesTable";
import { SearchBox } from "../components/SearchBox";
import { useNarrow } from "../hooks/useNarrow";
import { useTitle } from "../hooks/useTitle";
import { ApiError } from "../services/client";
import { BROKER_PACE, queuesQuery, settingsQuery } from "../services/queries";
import page from "../styles/page.module.css";
import { rootRoute } from "./root";
import { paceOf, textOf } from "./searchParams";

interface BrokerSearch {
  search?: string;
  sort?: string;
  /** Seconds between updates, 0 for none. */
  autorefresh?: string;
}

export const brokerRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/broker",
  validateSearch: (raw): BrokerSearch =>
    Object.fromEntries((["search", "sort", "autorefresh"] as const).map((key) => [key, textOf(raw, key)])),
  component: Broker,
});

/** ms between two looks at the broker, as the address and the server's `auto_refresh` want it; false for never. */
export function useBrokerPace(autorefresh: string | undefined): number | false {
  const { data: settings } = useQuery(settingsQuery);
  const pace = paceOf(autorefresh);
  if (pace === 0 || (pace === null && settings?.autoRefresh === false)) return false;
  return pace === null ? BROKER_PACE : pace * 1000;
}

function Broker() {
  const { search = "", sort = DEFAULT_QUEUE_SORT, autorefresh } = brokerRoute.useSearch();
  const queues = useQuery({ ...queuesQuery, refetchInterval: useBrokerPace(autorefresh) });
  const navigate = useNavigate();
  const set = (change: BrokerSearch) =>
    void navigate({ to: "/broker", search: (old: BrokerSearch) => ({ ...old, ...change }), replace: true });
  const Queues = useNarrow() ? QueueCards : QueuesTable;
  useTitle("Broker");

  if (queues.error && !queues.data) {
    const { error } = queues;
    return (
      <Failure
        what="The queues"
        status={error instanceof ApiError ? error.status : 0}
        message={error.message}
        onRetry={() => void queues.refetch()}
      />
    );
  }
  if (!queues.data) return <p className={page.subtle}>Asking the broker…</p>;
  const { items, broker, capabilities, problems } = queues.data;
  return (
    <div className={page.stack}>
      <div className={page.head}>
        <h1>Broker</h1>
        <code className={page.address}>{broker}</code>
        <div className={page.side}>
          <SearchBox
            value={search}
            onChange={(text) => set({ search: text || undefined })}
            label="Search queues"
            placeholder="Search queues"
          />
        </div>
      </div>
      <Problems problems={problems} />
      {items.length === 0 ? (
        <Message title="No queue is known yet" icon={<IconStack2 size={34} stroke={1.5} />}>
          <p>Queues appear here as soon as a worker consumes from one, or a task is sent to it.</p>
        </Message>
      ) : (
        <Queues
          queues={items}
          capabilities={capabilities}
          search={search}
          sort={sort}
          onSort={(next) => set({ sort: next === DEFAULT_QUEUE_SORT ? undefined : next })}
        />
      )}
    </div>
  );
}
