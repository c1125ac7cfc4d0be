import { Button, NativeSelect } from "@mantine/core";
import { IconHistory } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useLocation, useNavigate, useSearch } from "@tanstack/react-router";
import { AuditList } from "../components/audit/AuditList";
import { Failure } from "../components/feedback/Failure";
import { Message } from "../components/feedback/Message";
import table from "../components/table/Table.module.css";
import { FilterChip } from "../components/tasks/FilterChip";
import { useTitle } from "../hooks/useTitle";
import { ACTION_NAMES, actionLabel } from "../model/command";
import { ApiError } from "../services/client";
import { auditQuery } from "../services/queries";
import page from "../styles/page.module.css";
import type { AuditSearch } from "./audit";

const LIMIT = 50;

/** Every command: who, what, about what, what came of it, when and from where. */
export function Audit() {
  const search = useSearch({ from: "/audit" }) as AuditSearch;
  const { action = "", target = "", who = "", cursor = "" } = search;
  const audit = useQuery(auditQuery({ action, target, who, cursor, limit: LIMIT }));
  const { narrow, turn, trail } = useTurns(search);
  useTitle("Audit");
  if (audit.error && !audit.data) {
    return (
      <Failure
        what="The audit"
        status={audit.error instanceof ApiError ? audit.error.status : 0}
        message={audit.error.message}
        onRetry={() => void audit.refetch()}
      />
    );
  }
  if (!audit.data) return <p className={page.subtle}>Loading…</p>;
  const { items, next } = audit.data;
  const isNarrowed = Boolean(action || target || who);
  return (
    <div className={page.stack}>
      <div className={page.head}>
        <h1>Audit</h1>
        {target ? (
          <FilterChip label="target" value={target} onClear={() => narrow({ target: undefined })} />
        ) : null}
        {who ? <FilterChip label="who" value={who} onClear={() => narrow({ who: undefined })} /> : null}
        <div className={page.side}>
          <NativeSelect
            size="sm"
            aria-label="Which commands"
            value={action}
            data={[
              { value: "", label: "All commands" },
              ...ACTION_NAMES.map((name) => ({ value: name, label: actionLabel(name) })),
            ]}
            onChange={(event) => narrow({ action: event.currentTarget.value || undefined })}
          />
        </div>
      </div>
      <div className={table.panel}>
        {items.length === 0 ? (
          <Message
            title={isNarrowed || cursor ? "No such command" : "No command has been sent yet"}
            icon={<IconHistory size={32} stroke={1.5} />}
          >
            <p>
              Every command is written down here before it is sent, with what came of it, and kept for 400
              days.
            </p>
          </Message>
        ) : (
          <AuditList rows={items} />
        )}
      </div>
      {cursor || next !== null ? (
        <div className={page.side}>
          <Button
            variant="default"
            disabled={!cursor}
            onClick={() => turn(trail.at(-1) ?? "", trail.slice(0, -1))}
          >
            Newer
          </Button>
          <Button
            variant="default"
            disabled={next === null}
            onClick={() => next !== null && turn(next, [...trail, cursor])}
          >
            Older
          </Button>
        </div>
      ) : null}
    </div>
  );
}

/** The two ways to move: another list (starts with its newest), or another page of the same list. */
function useTurns(search: AuditSearch) {
  const navigate = useNavigate();
  const { trail = [] } = useLocation().state;
  return {
    trail,
    narrow: (change: AuditSearch) =>
      void navigate({ to: "/audit", search: { ...search, ...change, cursor: undefined } }),
    turn: (cursor: string, next: string[]) =>
      void navigate({
        to: "/audit",
        search: { ...search, cursor: cursor || undefined },
        state: (old) => ({ ...old, trail: next }),
      }),
  };
}
