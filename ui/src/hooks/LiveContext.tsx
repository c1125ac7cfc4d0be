import { useQuery, useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useEffect, useState, useSyncExternalStore } from "react";
import type { Link } from "../model/status";
import { LiveUpdates } from "../services/live";
import { settingsQuery } from "../services/queries";

const LinkContext = createContext<Link>("connecting");
const LiveContext = createContext<LiveUpdates | null>(null);

/** Runs the one event stream of this tab while it is mounted. */
export function LiveProvider(props: { children: ReactNode }) {
  const cache = useQueryClient();
  const [live] = useState(() => new LiveUpdates(cache));
  const settings = useQuery(settingsQuery);
  // without settings there is no answer from the server: then the updates say so
  const isOff = settings.data?.autoRefresh === false;
  const isKnown = settings.data !== undefined || settings.isError;
  useEffect(() => (isKnown && !isOff ? live.start() : undefined), [live, isKnown, isOff]);
  const link = useSyncExternalStore(live.subscribe, live.getLink);
  return (
    <LiveContext value={live}>
      <LinkContext value={isOff ? "off" : link}>{props.children}</LinkContext>
    </LiveContext>
  );
}

/** How the page is connected to its server. */
export function useLink(): Link {
  return useContext(LinkContext);
}

/** Slows this tab's updates while the caller is mounted: seconds between them, 0 for none, null for all. */
export function usePace(pace: number | null): void {
  const live = useContext(LiveContext);
  useEffect(() => {
    live?.setPace(pace);
    return () => live?.setPace(null);
  }, [live, pace]);
}
