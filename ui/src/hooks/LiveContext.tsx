import { useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useEffect, useState, useSyncExternalStore } from "react";
import type { Link } from "../model/status";
import { LiveUpdates } from "../services/live";

const LiveContext = createContext<Link>("connecting");

/** Runs the one event stream of this tab while it is mounted. */
export function LiveProvider(props: { children: ReactNode }) {
  const cache = useQueryClient();
  const [live] = useState(() => new LiveUpdates(cache));
  useEffect(() => live.start(), [live]);
  const link = useSyncExternalStore(live.subscribe, live.getLink);
  return <LiveContext value={link}>{props.children}</LiveContext>;
}

/** How the page is connected to its server. */
export function useLink(): Link {
  return useContext(LiveContext);
}
