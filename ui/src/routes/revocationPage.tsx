import { Button } from "@mantine/core";
import { IconMapSearch, IconPlayerStop } from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useLocation, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { Failure } from "../components/feedback/Failure";
import { Message } from "../components/feedback/Message";
import { AuditLink } from "../components/Links";
import { Pills } from "../components/Pills";
import { JobFacts } from "../components/revocation/JobFacts";
import { JobItems } from "../components/revocation/JobItems";
import { JobProgress } from "../components/revocation/JobProgress";
import classes from "../components/revocation/Revocation.module.css";
import { Badge } from "../components/state/Badge";
import { Section } from "../components/task/Section";
import { useTitle } from "../hooks/useTitle";
import { jobVerdict, OUTCOMES, type RevocationJob } from "../model/revocation";
import { ApiError } from "../services/client";
import { settingsQuery } from "../services/queries";
import { revocationItemsQuery, revocationJobQuery, stopRevocation } from "../services/revocations";
import detail from "../styles/detail.module.css";
import page from "../styles/page.module.css";
import type { RevocationSearch } from "./revocation";

const LIMIT = 50;

/** A bulk revocation: how far it is, what came of each task, and the button that stops it. */
export function Revocation() {
  const { id } = useParams({ from: "/revocation/$id" });
  const job = useQuery(revocationJobQuery(id));
  useTitle(`Bulk revocation ${id}`);
  if (job.error && !job.data) {
    const status = job.error instanceof ApiError ? job.error.status : 0;
    if (status === 404) return <NoJob id={id} />;
    return (
      <Failure
        what="The bulk revocation"
        status={status}
        message={job.error.message}
        onRetry={() => void job.refetch()}
      />
    );
  }
  if (!job.data) return <p className={page.subtle}>Loading…</p>;
  const { tone, word } = jobVerdict(job.data);
  return (
    <div className={page.stack}>
      <div className={page.head}>
        <h1>Bulk revocation {job.data.id}</h1>
        <Badge tone={tone} large>
          {word}
        </Badge>
        <div className={page.side}>
          <Stop job={job.data} />
          <AuditLink action="revoke_many">All bulk revocations</AuditLink>
        </div>
      </div>
      <div className={detail.grid}>
        <div className={detail.column}>
          <JobProgress job={job.data} />
          <Items job={job.data} />
        </div>
        <div className={detail.column}>
          <JobFacts job={job.data} />
        </div>
      </div>
    </div>
  );
}

function Stop(props: { job: RevocationJob }) {
  const { job } = props;
  const { data: settings } = useQuery(settingsQuery);
  const cache = useQueryClient();
  const [problem, setProblem] = useState("");
  if (job.state !== "running" || settings?.commands !== "open") return null;
  const stop = () => {
    setProblem("");
    stopRevocation(job.id)
      .catch((error: unknown) => setProblem(error instanceof Error ? error.message : String(error)))
      .finally(() => void cache.invalidateQueries(revocationJobQuery(String(job.id))));
  };
  return (
    <>
      {problem ? <span role="alert">{problem}</span> : null}
      <Button
        variant="default"
        leftSection={<IconPlayerStop size={16} />}
        disabled={job.stopping}
        onClick={stop}
      >
        Stop
      </Button>
    </>
  );
}

function Items(props: { job: RevocationJob }) {
  const { job } = props;
  const search = useSearch({ from: "/revocation/$id" }) as RevocationSearch;
  const navigate = useNavigate();
  const { trail = [] } = useLocation().state;
  const { outcome = "", cursor = "" } = search;
  const items = useQuery(
    revocationItemsQuery(String(job.id), { outcome, cursor, limit: LIMIT }, job.state === "running"),
  );
  const go = (change: RevocationSearch, next: string[]) =>
    void navigate({
      to: "/revocation/$id",
      params: { id: String(job.id) },
      search: { ...search, cursor: undefined, ...change },
      state: (old) => ({ ...old, trail: next }),
      resetScroll: false,
    });
  const next = items.data?.next ?? null;
  return (
    <Section title="Tasks" flush>
      <div className={classes.choices}>
        <Pills
          label="Which tasks"
          value={outcome}
          onChange={(value) => go({ outcome: value || undefined }, [])}
          pills={[
            { value: "", label: "All", count: job.total },
            ...job.outcomes.map((one) => ({
              value: one.outcome,
              label: OUTCOMES[one.outcome].word,
              tone: OUTCOMES[one.outcome].tone,
              count: one.count,
            })),
          ]}
        />
      </div>
      {items.data ? (
        items.data.items.length > 0 ? (
          <JobItems items={items.data.items} />
        ) : (
          <Message title="No task has this outcome">{null}</Message>
        )
      ) : items.error ? (
        <Failure
          what="The tasks"
          status={items.error instanceof ApiError ? items.error.status : 0}
          message={items.error.message}
          onRetry={() => void items.refetch()}
        />
      ) : (
        <Message title="Loading…">{null}</Message>
      )}
      {cursor || next !== null ? (
        <div className={classes.moves}>
          <Button
            variant="default"
            size="xs"
            disabled={!cursor}
            onClick={() => go({ cursor: trail.at(-1) || undefined }, trail.slice(0, -1))}
          >
            Previous
          </Button>
          <Button
            variant="default"
            size="xs"
            disabled={next === null}
            onClick={() => next !== null && go({ cursor: next }, [...trail, cursor])}
          >
            Next
          </Button>
        </div>
      ) : null}
    </Section>
  );
}

function NoJob(props: { id: string }) {
  return (
    <Message title="This bulk revocation is not known" heading="h1" icon={<IconMapSearch size={32} />}>
      <p>
        There is no job <code>{props.id}</code>. The last hundred are kept, and a preview that was not started
        for an hour.
      </p>
      <p>
        <Link to="/tasks">Tasks</Link>
      </p>
    </Message>
  );
}
