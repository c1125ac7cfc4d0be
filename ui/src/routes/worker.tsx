import { IconMapSearch } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { createRoute, Link } from "@tanstack/react-router";
import { Failure } from "../components/feedback/Failure";
import { Message } from "../components/feedback/Message";
import { TasksLink } from "../components/Links";
import { WorkerBadge } from "../components/state/Badge";
import { WorkerCounters, WorkerFacts } from "../components/workers/WorkerFacts";
import { useTitle } from "../hooks/useTitle";
import { ApiError } from "../services/client";
import { workersQuery } from "../services/queries";
import detail from "../styles/detail.module.css";
import page from "../styles/page.module.css";
import { rootRoute } from "./root";

export const workerRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/worker/$",
  component: WorkerPage,
});

function WorkerPage() {
  const { _splat: hostname = "" } = workerRoute.useParams();
  // The whole list, because the event stream keeps it current.
  const { data, error, refetch } = useQuery(workersQuery);
  const worker = data?.items.find((item) => item.hostname === hostname);
  useTitle(hostname);
  if (error && !data) {
    const status = error instanceof ApiError ? error.status : 0;
    return (
      <Failure what="The worker" status={status} message={error.message} onRetry={() => void refetch()} />
    );
  }
  if (!data) return <p className={page.subtle}>Loading…</p>;
  if (!worker) {
    return (
      <Message title="This worker is not known" heading="h1" icon={<IconMapSearch size={32} />}>
        <p>
          No worker <code>{hostname}</code> is listed. A lost worker leaves the list after a while; its tasks
          stay.
        </p>
        <p>
          <TasksLink worker={hostname}>Tasks of this worker</TasksLink> · <Link to="/">All workers</Link>
        </p>
      </Message>
    );
  }
  return (
    <div className={page.stack}>
      <div className={page.head}>
        <h1>{worker.hostname}</h1>
        <WorkerBadge status={worker.status} reason={worker.statusReason} large />
        <div className={page.side}>
          <TasksLink worker={worker.hostname}>Tasks of this worker</TasksLink>
        </div>
      </div>
      <p className={page.lead}>{worker.statusReason}</p>
      <div className={detail.grid}>
        <div className={detail.column}>
          <WorkerCounters worker={worker} />
        </div>
        <div className={detail.column}>
          <WorkerFacts worker={worker} />
        </div>
      </div>
    </div>
  );
}
