import { IconMapSearch } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { createRoute, Link } from "@tanstack/react-router";
import { Failure } from "../components/feedback/Failure";
import { Message } from "../components/feedback/Message";
import { Section } from "../components/task/Section";
import { TaskFamily, TaskPlaces, TaskTimes } from "../components/task/TaskFacts";
import { TaskHeader } from "../components/task/TaskHeader";
import { TaskTexts } from "../components/task/TaskTexts";
import { Timeline } from "../components/task/Timeline";
import { useTitle } from "../hooks/useTitle";
import { ApiError } from "../services/client";
import { taskQuery } from "../services/queries";
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
          <TaskTimes task={task} />
          <TaskPlaces task={task} />
          <TaskFamily task={task} />
        </div>
      </div>
    </div>
  );
}

function UnknownTask(props: { uuid: string }) {
  return (
    <Message title="This task is not known" heading="h1" icon={<IconMapSearch size={32} />}>
      <p>
        No event of <code>{props.uuid}</code> is stored. It may have aged out of the history, its events may
        have been missed, or no worker has received it yet.
      </p>
      <p>
        <Link to="/tasks">Search the tasks</Link>
      </p>
    </Message>
  );
}
