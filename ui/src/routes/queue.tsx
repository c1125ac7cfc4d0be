import { IconMapSearch } from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { createRoute, Link, useNavigate } from "@tanstack/react-router";
import { CommandLog } from "../components/command/CommandLog";
import { NoCommands } from "../components/command/NoCommands";
import { Failure } from "../components/feedback/Failure";
import { Message } from "../components/feedback/Message";
import { Pills } from "../components/Pills";
import { Messages } from "../components/queues/Messages";
import { Problems } from "../components/queues/Problems";
import { canPurge, PurgeQueue } from "../components/queues/PurgeQueue";
import { QueueFacts, QueueNumbers } from "../components/queues/QueueFacts";
import { QueueHistory } from "../components/queues/QueueHistory";
import { Section } from "../components/task/Section";
import { Pager } from "../components/tasks/Pager";
import { useCommands } from "../hooks/useCommands";
import { useTitle } from "../hooks/useTitle";
import type { QueueDetail } from "../model/queue";
import { ApiError } from "../services/client";
import { KEYS, messagesQuery, queueQuery, settingsQuery } from "../services/queries";
import detail from "../styles/detail.module.css";
import page from "../styles/page.module.css";
import { useBrokerPace } from "./broker";
import { rootRoute } from "./root";
import { textOf } from "./searchParams";

const LIMIT = 50;

interface QueueSearch {
  /** "yes": the messages that workers hold. */
  held?: string;
  page?: string;
  limit?: string;
  /** Of the graph. */
  range?: string;
  autorefresh?: string;
}

export const queueRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/queue/$",
  validateSearch: (raw): QueueSearch =>
    Object.fromEntries(
      (["held", "page", "limit", "range", "autorefresh"] as const).map((key) => [key, textOf(raw, key)]),
    ),
  component: QueuePage,
});

function QueuePage() {
  const { _splat: name = "" } = queueRoute.useParams();
  const search = queueRoute.useSearch();
  const { autorefresh } = search;
  const navigate = useNavigate();
  const pace = useBrokerPace(autorefresh);
  const queue = useQuery({ ...queueQuery(name), refetchInterval: pace });
  const { data: settings } = useQuery(settingsQuery);
  const cache = useQueryClient();
  const { runs, send, dismiss } = useCommands(() => void cache.invalidateQueries({ queryKey: KEYS.queues }));
  useTitle(name);
  if (queue.error && !queue.data) {
    const status = queue.error instanceof ApiError ? queue.error.status : 0;
    if (status === 404) return <NoQueue name={name} />;
    return (
      <Failure
        what="The queue"
        status={status}
        message={queue.error.message}
        onRetry={() => void queue.refetch()}
      />
    );
  }
  if (!queue.data) return <p className={page.subtle}>Asking the broker…</p>;
  return (
    <div className={page.stack}>
      <div className={page.head}>
        <h1>{queue.data.name}</h1>
        <div className={page.side}>
          {settings?.commands === "open" && canPurge(queue.data) ? (
            <PurgeQueue queue={queue.data} send={send} />
          ) : null}
          <Link to="/broker">All queues</Link>
        </div>
      </div>
      {settings && canPurge(queue.data) ? <NoCommands stance={settings.commands} /> : null}
      <CommandLog runs={runs} onDismiss={dismiss} />
      <Problems problems={queue.data.problems} />
      <div className={detail.grid}>
        <div className={detail.column}>
          <QueueHistory
            queue={queue.data.name}
            range={search.range}
            onRange={(range) =>
              void navigate({
                to: "/queue/$",
                params: { _splat: name },
                search: { ...search, range },
                replace: true,
                resetScroll: false,
              })
            }
          />
          <Contents queue={queue.data} pace={pace} />
        </div>
        <div className={detail.column}>
          <QueueNumbers queue={queue.data} />
          <QueueFacts queue={queue.data} />
        </div>
      </div>
    </div>
  );
}

/** The messages themselves, where this kind of broker shows them. */
function Contents(props: { queue: QueueDetail; pace: number | false }) {
  const { queue } = props;
  const search = queueRoute.useSearch();
  const navigate = useNavigate();
  const held = search.held === "yes" ? "yes" : "no";
  const limit = Math.min(Math.max(Number(search.limit) || LIMIT, 1), 200);
  const current = Math.max(1, Math.floor(Number(search.page)) || 1);
  const messages = useQuery({
    ...messagesQuery(queue.name, { held, offset: (current - 1) * limit, limit }),
    refetchInterval: props.pace,
  });
  const set = (change: QueueSearch) =>
    void navigate({
      to: "/queue/$",
      params: { _splat: queue.name },
      search: { ...search, page: undefined, ...change },
      replace: true,
      resetScroll: false,
    });
  const turn = (to: number) => set({ page: to > 1 ? String(to) : undefined });
  const total = messages.data?.total ?? 0;
  return (
    <Section
      title="Messages"
      flush
      aside={
        queue.capabilities.peek ? (
          <Pills
            label="Which messages"
            value={held}
            onChange={(value) => set({ held: value === "yes" ? "yes" : undefined })}
            pills={[
              { value: "no", label: "Waiting", count: queue.ready },
              { value: "yes", label: "Held by workers", count: queue.unacked },
            ]}
          />
        ) : null
      }
    >
      {messages.data ? (
        <>
          <Messages page={messages.data} held={held === "yes"} />
          {total > 0 ? (
            <Pager
              page={current}
              shown={messages.data.items.length}
              limit={limit}
              total={{ value: total, exact: true }}
              onLimit={(size) => set({ limit: size === LIMIT ? undefined : String(size) })}
              onFirst={current > 1 ? () => turn(1) : null}
              onPrevious={current > 1 ? () => turn(current - 1) : null}
              onNext={current * limit < total ? () => turn(current + 1) : null}
            />
          ) : null}
        </>
      ) : messages.error ? (
        <Failure
          what="The messages"
          status={messages.error instanceof ApiError ? messages.error.status : 0}
          message={messages.error.message}
          onRetry={() => void messages.refetch()}
        />
      ) : (
        <Message title="Looking into the queue…">{null}</Message>
      )}
    </Section>
  );
}

function NoQueue(props: { name: string }) {
  return (
    <Message title="This queue is not known" heading="h1" icon={<IconMapSearch size={32} />}>
      <p>
        No queue <code>{props.name}</code> is known to the broker, to a worker or to the history.
      </p>
      <p>
        <Link to="/broker">All queues</Link>
      </p>
    </Message>
  );
}
