import { useSessionStorage } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { createRootRoute, Link, Outlet, useNavigate } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { AppFrame } from "../components/shell/AppFrame";
import { Banners } from "../components/shell/Banners";
import { ConnectionIndicator } from "../components/shell/ConnectionIndicator";
import { ShortcutHelp } from "../components/shell/ShortcutHelp";
import { ThemeMenu } from "../components/shell/ThemeMenu";
import { TimeMenu } from "../components/time/TimeMenu";
import { LiveProvider, useLink } from "../hooks/LiveContext";
import { TimeDisplayProvider } from "../hooks/timeDisplay";
import { useShortcuts } from "../hooks/useShortcuts";
import type { Gap } from "../model/status";
import { gapsQuery, settingsQuery, statusQuery } from "../services/queries";
import { NotFound } from "./notFound";

/** A closed gap is worth a banner for this long, in seconds. */
const GAP_BANNER_AGE = 24 * 3600;

export const rootRoute = createRootRoute({ component: Root, notFoundComponent: NotFound });

function Root() {
  return (
    <LiveProvider>
      <Shell />
    </LiveProvider>
  );
}

function Shell() {
  const link = useLink();
  const { data: settings } = useQuery(settingsQuery);
  const { data: status, dataUpdatedAt } = useQuery(statusQuery);
  const { gaps, dismiss } = useGapBanners(status?.now);
  const navigate = useNavigate();
  const [help, setHelp] = useState(false);
  useShortcuts(
    useMemo(
      () => ({
        "/": () => document.querySelector<HTMLInputElement>("[data-search]")?.focus(),
        "g d": () => void navigate({ to: "/" }),
        "g t": () => void navigate({ to: "/tasks" }),
        "g m": () => void navigate({ to: "/monitor" }),
        "g b": () => void navigate({ to: "/broker" }),
        "g a": () => void navigate({ to: "/audit" }),
        "?": () => setHelp(true),
      }),
      [navigate],
    ),
  );
  const serverAhead = status ? Math.round(status.now - dataUpdatedAt / 1000) : 0;
  return (
    <TimeDisplayProvider
      appZone={settings?.timezone ?? "UTC"}
      natural={settings?.naturalTime ?? false}
      serverAhead={Math.abs(serverAhead) > 2 ? serverAhead : 0}
    >
      <AppFrame
        home={(content, className) => (
          <Link to="/" className={className} aria-label="Umbel, dashboard">
            {content}
          </Link>
        )}
        nav={
          <>
            <Link to="/" activeOptions={{ exact: true, includeSearch: false }}>
              Dashboard
            </Link>
            <Link to="/tasks" activeOptions={{ includeSearch: false }}>
              Tasks
            </Link>
            <Link to="/broker" activeOptions={{ includeSearch: false }}>
              Broker
            </Link>
            <Link to="/monitor" activeOptions={{ includeSearch: false }}>
              Monitor
            </Link>
            <Link to="/audit" activeOptions={{ includeSearch: false }}>
              Audit
            </Link>
          </>
        }
        tools={
          <>
            <ConnectionIndicator link={link} status={status} />
            <TimeMenu />
            <ThemeMenu />
          </>
        }
        banners={<Banners gaps={gaps} notices={status?.notices ?? []} onDismiss={dismiss} />}
        version={settings?.version ?? ""}
      >
        <Outlet />
      </AppFrame>
      <ShortcutHelp opened={help} onClose={() => setHelp(false)} />
    </TimeDisplayProvider>
  );
}

/** The open gap, and the newest closed one that was lossy, recent and not dismissed in this tab. */
function useGapBanners(now: number | undefined): { gaps: Gap[]; dismiss: (gap: Gap) => void } {
  const { data = [] } = useQuery(gapsQuery);
  const [dismissed, setDismissed] = useSessionStorage<number>({
    key: "umbel-gap-dismissed",
    defaultValue: 0,
    getInitialValueInEffect: false,
  });
  const recent = data.find(
    (gap) =>
      gap.end !== null &&
      gap.lossy &&
      gap.id > dismissed &&
      now !== undefined &&
      now - gap.end < GAP_BANNER_AGE,
  );
  const open = data.find((gap) => gap.end === null);
  const shown = open ?? recent;
  return { gaps: shown ? [shown] : [], dismiss: (gap) => setDismissed(gap.id) };
}
