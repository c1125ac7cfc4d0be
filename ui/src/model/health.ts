import type { Link, Status } from "./status";
import { formatWait } from "./time";

export type HealthLevel = "good" | "waiting" | "bad";

/** What the connection indicator says: the word, and the sentence behind it. */
export interface Health {
  level: HealthLevel;
  word: string;
  sentence: string;
}

/** Seconds from receipt to storage from which on the page says that it is behind. */
const BEHIND = 2;
/** Seconds without an event, beside the lag, after which the last lag says nothing any more. */
const LAG_HOLDS = 10;

/** How many seconds what is stored is behind what comes in; 0 when that is not worth a word. */
export function behindBy(status: Status): number {
  const isCurrent = status.lastEvent !== null && status.now - status.lastEvent < status.lag + LAG_HOLDS;
  return isCurrent && status.lag > BEHIND ? Math.round(status.lag) : 0;
}

/** Whether what the page shows is live: the page's link first, then the monitor's own sight of the broker. */
export function healthOf(link: Link, status: Status | undefined): Health {
  if (link === "down") {
    return {
      level: "bad",
      word: "No answer",
      sentence:
        "The monitor does not answer; what you see is old. Check that it runs; the page keeps trying.",
    };
  }
  if (link === "held") {
    return {
      level: "waiting",
      word: "Paused",
      sentence: "The address asks for no updates (autorefresh=0). Reload the page for newer data.",
    };
  }
  if (link === "connecting" || !status) {
    return { level: "waiting", word: "Connecting", sentence: "Opening the live stream from the monitor." };
  }
  const blind = monitorHealth(status);
  if (blind) return blind;
  const behind = behindBy(status);
  if (behind > 0) {
    return {
      level: "waiting",
      word: `Behind by ${formatWait(behind)}`,
      sentence:
        "More events come in than are stored at once: what you see is that old. " +
        "Nothing is lost unless “Dropped” below counts, and it catches up by itself.",
    };
  }
  if (link === "polling") {
    return {
      level: "waiting",
      word: "Reconnecting",
      sentence:
        "The live stream is interrupted; the page opens it again and asks every few seconds meanwhile.",
    };
  }
  if (link === "off") {
    return {
      level: "waiting",
      word: "Not live",
      sentence:
        "Live updates are off (--auto_refresh=False, or a hidden tab). Reload the page for newer data.",
    };
  }
  if (link === "paced") {
    return {
      level: "good",
      word: "Live, slowed",
      sentence:
        "The address asks for few updates (autorefresh=, in seconds); between them the page stands still.",
    };
  }
  return {
    level: "good",
    word: "Live",
    sentence: "Events arrive, and this page shows them as they are stored.",
  };
}

function monitorHealth(status: Status): Health | null {
  const why = status.error ? ` ${status.error}` : "";
  switch (status.state) {
    case "connecting":
      return {
        level: "waiting",
        word: "No broker",
        sentence: `The monitor is connecting to the broker.${why}`,
      };
    case "blind":
      return {
        level: "bad",
        word: "Blind",
        sentence: `The monitor is connected, but nothing proves that events reach it.${why}`,
      };
    case "stopped":
      return {
        level: "bad",
        word: "Stopped",
        sentence: `The collector is not running; no event is taken in.${why}`,
      };
    case "absent":
      return {
        level: "bad",
        word: "No collector",
        sentence: `No collector has written to this history yet.${why}`,
      };
    default:
      return status.ready
        ? null
        : { level: "bad", word: "Not ready", sentence: `Events arrive but are not stored reliably.${why}` };
  }
}
