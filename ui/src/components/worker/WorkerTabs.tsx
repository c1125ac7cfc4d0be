import { Button, Tabs } from "@mantine/core";
import { IconRefresh } from "@tabler/icons-react";
import type { ReactNode } from "react";
import type { Command } from "../../model/command";
import { type Inspection, TABS, type Tab, type WorkerControl } from "../../model/inspection";
import page from "../../styles/page.module.css";
import { Time } from "../time/Time";
import { HeldTasks } from "./HeldTasks";
import { LimitsTab } from "./LimitsTab";
import { PoolTab } from "./PoolTab";
import { QueuesTab } from "./QueuesTab";
import { ConfigTab, OtherTab, SystemTab } from "./RecordTabs";
import classes from "./Worker.module.css";

const LABELS: Record<Tab, string> = {
  overview: "Overview",
  pool: "Pool",
  queues: "Queues",
  tasks: "Tasks",
  limits: "Limits",
  config: "Config",
  system: "System",
  other: "Other",
};

/** Flower's tabs of a worker, from its own answers; the overview is what its events tell. */
export function WorkerTabs(props: {
  tab: Tab;
  onTab: (tab: Tab) => void;
  overview: ReactNode;
  inspection: Inspection | undefined;
  /** Why there is no inspection; "" while it is waited for. */
  problem: string;
  control: WorkerControl | undefined;
  send: ((command: Command) => void) | null;
  isAsking: boolean;
  onAsk: () => void;
}) {
  const { tab, inspection } = props;
  return (
    <Tabs value={tab} onChange={(value) => props.onTab((value ?? "overview") as Tab)} keepMounted={false}>
      <Tabs.List aria-label="About this worker">
        {TABS.map((name) => (
          <Tabs.Tab key={name} value={name} className={classes.tab}>
            {LABELS[name]}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      <Tabs.Panel value={tab} className={classes.panel}>
        {tab === "overview" ? (
          props.overview
        ) : inspection ? (
          <>
            <Asked inspection={inspection} isAsking={props.isAsking} onAsk={props.onAsk} />
            <div className={classes.told}>
              <Content {...props} inspection={inspection} />
            </div>
          </>
        ) : (
          <p className={page.subtle}>{props.problem || "Asking the worker…"}</p>
        )}
      </Tabs.Panel>
    </Tabs>
  );
}

function Content(props: {
  tab: Tab;
  inspection: Inspection;
  control: WorkerControl | undefined;
  send: ((command: Command) => void) | null;
}) {
  const { inspection, control, send } = props;
  switch (props.tab) {
    case "pool":
      return <PoolTab inspection={inspection} control={control} send={send} />;
    case "queues":
      return <QueuesTab inspection={inspection} send={send} />;
    case "tasks":
      return <HeldTasks inspection={inspection} />;
    case "limits":
      return <LimitsTab inspection={inspection} control={control} send={send} />;
    case "config":
      return <ConfigTab inspection={inspection} />;
    case "system":
      return <SystemTab inspection={inspection} />;
    default:
      return <OtherTab inspection={inspection} />;
  }
}

/** When the worker told this, and the way to ask it again. */
function Asked(props: { inspection: Inspection; isAsking: boolean; onAsk: () => void }) {
  const { time, asked, problem } = props.inspection;
  return (
    <p className={classes.asked}>
      <span>
        {time === null ? (
          "It has never answered."
        ) : (
          <>
            Its own answer, <Time value={time} style="relative" />.
          </>
        )}
        {asked === "silent" ? " Asked again just now, it gave no answer." : null}
        {asked === "failed" ? ` It could not be asked again: ${problem}.` : null}
      </span>
      <Button
        variant="default"
        size="compact-sm"
        leftSection={<IconRefresh size={14} />}
        disabled={props.isAsking}
        onClick={props.onAsk}
      >
        {props.isAsking ? "Asking…" : "Ask again"}
      </Button>
    </p>
  );
}
