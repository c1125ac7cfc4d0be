import { useLocalStorage } from "@mantine/hooks";
import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from "react";
import { browserZone, isZone } from "../model/time";

export type ZoneChoice = "app" | "browser" | "utc";
export type TimeStyle = "absolute" | "relative";

/** How times are shown everywhere on the page: the reader's choice, remembered in the browser. */
export interface TimeDisplay {
  zone: string;
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
  const display = useMemo<TimeDisplay>(() => {
    const zones = { app: isZone(props.appZone) ? props.appZone : "UTC", browser: browserZone(), utc: "UTC" };
    const known = choice in zones ? choice : "app";
    return {
      zone: zones[known],
      choice: known,
      style: style || (props.natural ? "relative" : "absolute"),
      zones,
      choose,
      setStyle,
    };
  }, [props.appZone, props.natural, choice, style, choose, setStyle]);
  return (
    <DisplayContext value={display}>
      <Ticker serverAhead={props.serverAhead}>{props.children}</Ticker>
    </DisplayContext>
  );
}

function Ticker(props: { serverAhead: number; children: ReactNode }) {
  const [now, setNow] = useState(() => Date.now() / 1000);
  useEffect(() => {
    const timer = window.setInterval(() => setNow(Date.now() / 1000), 1000);
    return () => window.clearInterval(timer);
  }, []);
  return <NowContext value={now + props.serverAhead}>{props.children}</NowContext>;
}

export function useTimeDisplay(): TimeDisplay {
  return useContext(DisplayContext);
}

/** The server's time now, epoch seconds, renewed every second. */
export function useNow(): number {
  return useContext(NowContext) || Date.now() / 1000;
}
