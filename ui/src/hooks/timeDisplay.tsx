import { useLocalStorage } from "@mantine/hooks";
import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from "react";
import { browserZone, isZone, momentOf } from "../model/time";

export type ZoneChoice = "app" | "browser" | "utc";
export type TimeStyle = "absolute" | "relative";

/** How times are shown everywhere on the page: the reader's choice, remembered in the browser. */
export interface TimeDisplay {
  zone: string;
  /** The date now in that zone: times of today are shown without it. */
  today: string;
  choice: ZoneChoice;
  style: TimeStyle;
  /** IANA name behind each choice. */
  zones: Record<ZoneChoice, string>;
  choose: (choice: ZoneChoice) => void;
  setStyle: (style: TimeStyle) => void;
}

const noop = () => undefined;
const FALLBACK: TimeDisplay = {
  zone: "UTC",
  today: "",
  choice: "utc",
  style: "absolute",
  zones: { app: "UTC", browser: "UTC", utc: "UTC" },
  choose: noop,
  setStyle: noop,
};

const DisplayContext = createContext<TimeDisplay>(FALLBACK);
const NowContext = createContext<number>(0);

/** `serverAhead`: seconds the server's clock is ahead of the browser's, so that "ago" is measured at the server. */
export function TimeDisplayProvider(props: {
  appZone: string;
  natural: boolean;
  serverAhead: number;
  children: ReactNode;
}) {
  const { appZone, natural } = props;
  const now = useTick() + props.serverAhead;
  const [choice, choose] = useLocalStorage<ZoneChoice>({
    key: "umbel-zone",
    defaultValue: "app",
    getInitialValueInEffect: false,
  });
  const [style, setStyle] = useLocalStorage<TimeStyle | "">({
    key: "umbel-time",
    defaultValue: "",
    getInitialValueInEffect: false,
  });
  const zones = useMemo(
    () => ({ app: isZone(appZone) ? appZone : "UTC", browser: browserZone(), utc: "UTC" }),
    [appZone],
  );
  const known = choice in zones ? choice : "app";
  const zone = zones[known];
  const today = momentOf(now, zone).date;
  const display = useMemo<TimeDisplay>(
    () => ({
      zone,
      today,
      choice: known,
      style: style || (natural ? "relative" : "absolute"),
      zones,
      choose,
      setStyle,
    }),
    [zone, today, known, style, natural, zones, choose, setStyle],
  );
  return (
    <DisplayContext value={display}>
      <NowContext value={now}>{props.children}</NowContext>
    </DisplayContext>
  );
}

/** Epoch seconds, renewed every second. */
function useTick(): number {
  const [now, setNow] = useState(() => Date.now() / 1000);
  useEffect(() => {
    const timer = window.setInterval(() => setNow(Date.now() / 1000), 1000);
    return () => window.clearInterval(timer);
  }, []);
  return now;
}

export function useTimeDisplay(): TimeDisplay {
  return useContext(DisplayContext);
}

/** The server's time now, epoch seconds, renewed every second. */
export function useNow(): number {
  return useContext(NowContext) || Date.now() / 1000;
}
