import { IconMapSearch } from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { createRoute, Link } from "@tanstack/react-router";
import { CommandLog } from "../components/command/CommandLog";
import { NoCommands } from "../components/command/NoCommands";
import { Failure } from "../components/feedback/Failure";
import { Kept } from "../components/feedback/Kept";
import { Message } from "../components/feedback/Message";
import { RetryActions } from "../components/task/RetryActions";
import { RevocationSection } from "../components/task/RevocationSection";
import { Section } from "../components/task/Section";
import { TaskActions } from "../components/task/TaskActions";
import { TaskFamily, TaskPlaces, TaskTimes } from "../components/task/TaskFacts";
import { TaskHeader } from "../components/task/TaskHeader";
import { TaskTexts } from "../components/task/TaskTexts";
import { Timeline } from "../components/task/Timeline";
import { useCommands } from "../hooks/useCommands";
import { useTitle } from "../hooks/useTitle";
import { whyNot } from "../model/inspection";
import type { TaskDetail } from "../model/task";
import { ApiError } from "../services/client";
import {
  controlQuery,
  KEYS,
  revocationQuery,
  settingsQuery,
  statusQuery,
  taskQuery,
} from "../services/queries";
import detail from "../styles/detail.module.css";
import page from "../styles/page.module.css";
import { rootRoute } from "./root";

export const taskRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/task/$",
  component: TaskPage,
});

function TaskPage() {
  const { _splat: uuid = "" } = taskRoute.useParams();
  const { data: task, error, refetch } = useQuery(taskQuery(uuid));
  const { data: revocation } = useQuery(revocationQuery(uuid, task?.state));
  useTitle(task ? `${task.name ?? "Task"} ${task.state}` : "Task");
  if (error instanceof ApiError && error.status === 404) return <UnknownTask uuid={uuid} />;
  if (error && !task) {
    const status = error instanceof ApiError ? error.status : 0;
    return <Failure what="The task" status={status} message={error.message} onRetry={() => void refetch()} />;
  }
  if (!task) return <p className={page.subtle}>Loading…</p>;
  return (
    <div className={page.stack}>
      <TaskHeader task={task} />
      <Steering key={uuid} task={task} />
      <div className={detail.grid}>
        <div className={detail.column}>
          <Section
            title={task.timeline.length > 1 ? `Timeline: ${task.timeline.length} attempts` : "Timeline"}
          >
            <Timeline task={task} />
          </Section>
          <TaskTexts task={task} />
        </div>
        <div className={detail.column}>
          {revocation?.command?.target === uuid ? (
            <RevocationSection revocation={revocation} isRunning={task.state === "STARTED"} />
          ) : null}
          <TaskTimes task={task} />
          <TaskPlaces task={task} />
          <TaskFamily task={task} />
        </div>
      </div>
    </div>
  );
}

/** The buttons of a task, and what came of those that were pressed. */
function Steering(props: { task: TaskDetail }) {
  const { task } = props;
  const cache = useQueryClient();
  const { data: settings } = useQuery(settingsQuery);
  const isRunning = task.state === "STARTED" && task.worker !== null;
  const control = useQuery({
    ...controlQuery(task.worker ?? ""),
    enabled: isRunning && settings?.commands === "open",
  });
  const { runs, send, dismiss } = useCommands(() => {
    void cache.invalidateQueries({ queryKey: [...KEYS.revocation, task.uuid] });
    void cache.invalidateQueries({ queryKey: [...KEYS.task, task.uuid] });
  });
  if (!settings) return null;
  return (
    <>
      {settings.commands !== "open" ? (
        <NoCommands stance={settings.commands} />
      ) : task.finished ? (
        <RetryActions task={task} send={send} />
      ) : (
        <TaskActions
          task={task}
          whyNotTerminate={isRunning ? whyNot(control.data, "terminate") : ""}
          canAbort={settings.canAbort}
          send={send}
        />
      )}
      <CommandLog runs={runs} onDismiss={dismiss} />
    </>
  );
}

function UnknownTask(props: { uuid: string }) {
  const { data: status } = useQuery(statusQuery);
  return (
    <Message title="This task is not known" heading="h1" icon={<IconMapSearch size={32} />}>
      <p>
        No event of <code>{props.uuid}</code> is stored, and no result backend knows it. It may have aged out
        of the history, its events may have been missed, or no worker has received it yet.
      </p>
      <Kept since={status?.storedSince} />
      <p>
        <Link to="/tasks">Search the tasks</Link>
      </p>
    </Message>
  );
}
