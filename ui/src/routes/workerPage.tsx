import { IconMapSearch } from "@tabler/icons-react";
import { type UseQueryResult, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useLocation, useNavigate, useParams } from "@tanstack/react-router";
import { CommandLog } from "../components/command/CommandLog";
import { NoCommands } from "../components/command/NoCommands";
import { Failure } from "../components/feedback/Failure";
import { Message } from "../components/feedback/Message";
import { AuditLink, TasksLink } from "../components/Links";
import { WorkerBadge } from "../components/state/Badge";
import { restartNote, WorkerActions } from "../components/worker/WorkerActions";
import { WorkerTabs } from "../components/worker/WorkerTabs";
import { WorkerCounters, WorkerFacts } from "../components/workers/WorkerFacts";
import { type Commands, useCommands } from "../hooks/useCommands";
import { useTitle } from "../hooks/useTitle";
import { type Inspection, tabOf, type WorkerControl } from "../model/inspection";
import type { Worker } from "../model/worker";
import { ApiError } from "../services/client";
import { controlQuery, inspectionQuery, KEYS, settingsQuery, workersQuery } from "../services/queries";
import detail from "../styles/detail.module.css";
import page from "../styles/page.module.css";

/** ms after which a worker is asked once more what a command has changed: a pool takes up to 10 s to grow. */
const SETTLE_MS = [2_000, 5_000, 11_000];

export function WorkerPage() {
  const { _splat: hostname = "" } = useParams({ from: "/worker/$" });
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
  return worker ? <Known key={hostname} worker={worker} /> : <UnknownWorker hostname={hostname} />;
}

function Known(props: { worker: Worker }) {
  const { worker } = props;
  const { hostname } = worker;
  const { data: settings } = useQuery(settingsQuery);
  const commands = useWorkerCommands(hostname);
  const inspection = useQuery(inspectionQuery(hostname));
  const told = inspection.data?.time ?? null;
  const control = useQuery({
    ...controlQuery(hostname),
    queryKey: [...KEYS.control, hostname, told],
    enabled: inspection.isFetched,
  });
  const stance = settings?.commands;
  const hasStopped = worker.status === "stopped";
  const isOpen = stance === "open" && !hasStopped;
  const note = isOpen ? restartNote(control.data) : "";
  return (
    <div className={page.stack}>
      <div className={page.head}>
        <h1>{hostname}</h1>
        <WorkerBadge status={worker.status} reason={worker.statusReason} large />
        <div className={page.side}>
          <TasksLink worker={hostname}>Tasks of this worker</TasksLink>
          <AuditLink target={hostname}>Its commands</AuditLink>
          {isOpen && control.isFetched ? (
            <WorkerActions hostname={hostname} control={control.data} send={commands.send} />
          ) : null}
        </div>
      </div>
      <p className={page.lead}>
        {worker.statusReason} {hasStopped ? "It can't be started from here." : note}
      </p>
      {stance ? <NoCommands stance={stance} /> : null}
      <CommandLog runs={commands.runs} onDismiss={commands.dismiss} />
      <Told
        worker={worker}
        inspection={inspection}
        control={control.data}
        send={isOpen && control.isFetched ? commands.send : null}
      />
    </div>
  );
}

/** The tabs, of which the address names one. */
function Told(props: {
  worker: Worker;
  inspection: UseQueryResult<Inspection>;
  control: WorkerControl | undefined;
  send: Commands["send"] | null;
}) {
  const { worker, inspection } = props;
  const { hash } = useLocation();
  const navigate = useNavigate();
  return (
    <WorkerTabs
      tab={tabOf(hash)}
      onTab={(tab) =>
        void navigate({
          to: "/worker/$",
          params: { _splat: worker.hostname },
          hash: tab === "overview" ? "" : `tab-${tab}`,
          replace: true,
          resetScroll: false,
          hashScrollIntoView: false,
        })
      }
      overview={
        <div className={detail.grid}>
          <div className={detail.column}>
            <WorkerCounters worker={worker} />
          </div>
          <div className={detail.column}>
            <WorkerFacts worker={worker} />
          </div>
        </div>
      }
      inspection={inspection.data}
      problem={inspection.error ? `The worker could not be asked: ${inspection.error.message}` : ""}
      control={props.control}
      send={props.send}
      isAsking={inspection.isFetching}
      onAsk={() => void inspection.refetch()}
    />
  );
}

/** Commands to this worker; after each it is asked what has changed. */
function useWorkerCommands(hostname: string): Commands {
  const cache = useQueryClient();
  const askAgain = () => {
    void cache.invalidateQueries({ queryKey: [...KEYS.inspection, hostname] });
    void cache.invalidateQueries({ queryKey: [...KEYS.control, hostname] });
  };
  return useCommands(({ kind }) => {
    if (kind === "shutdown") return;
    askAgain();
    for (const wait of SETTLE_MS) window.setTimeout(askAgain, wait);
  });
}

function UnknownWorker(props: { hostname: string }) {
  return (
    <Message title="This worker is not known" heading="h1" icon={<IconMapSearch size={32} />}>
      <p>
        No worker <code>{props.hostname}</code> is listed. A lost worker leaves the list after a while; its
        tasks stay.
      </p>
      <p>
        <TasksLink worker={props.hostname}>Tasks of this worker</TasksLink> · <Link to="/">All workers</Link>
      </p>
    </Message>
  );
}
