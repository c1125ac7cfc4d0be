/** How moments and durations are written. Pure: zone and "now" are arguments. */

const FORMATS = new Map<string, Intl.DateTimeFormat>();

function formatFor(zone: string): Intl.DateTimeFormat {
  let format = FORMATS.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat("en-CA", {
      timeZone: zone,
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
      fractionalSecondDigits: 3,
      hourCycle: "h23",
    });
    FORMATS.set(zone, format);
  }
  return format;
}

export interface Moment {
  /** 2026-11-22 */
  date: string;
  /** 09:45:15.123 */
  time: string;
}

/** An epoch time in a zone, to the millisecond, rounded down so that it never lies ahead. */
export function momentOf(epoch: number, zone: string): Moment {
  const parts: Record<string, string> = {};
  for (const { type, value } of formatFor(zone).formatToParts(new Date(Math.floor(epoch * 1000 + 1e-4)))) {
    parts[type] = value;
  }
  return {
    date: `${parts.year}-${parts.month}-${parts.day}`,
    time: `${parts.hour}:${parts.minute}:${parts.second}.${parts.fractionalSecond}`,
  };
}

/** Whether the browser knows this IANA zone. */
export function isZone(zone: string): boolean {
  try {
    formatFor(zone);
    return true;
  } catch {
    return false;
  }
}

export function browserZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
}

const two = (value: number): string => String(value).padStart(2, "0");

/** A duration: 12 ms, 4.21 s, 1m 05s, 1h 02m 03s, 3d 04h. */
export function formatDuration(seconds: number): string {
  if (seconds <= -0.001) return `−${formatDuration(-seconds)}`;
  if (seconds < 0.001) return seconds === 0 ? "0 ms" : "< 1 ms";
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 59.995) return `${seconds.toFixed(2)} s`;
  const whole = Math.round(seconds);
  const [days, hours, minutes] = [
    Math.floor(whole / 86_400),
    Math.floor(whole / 3600) % 24,
    Math.floor(whole / 60) % 60,
  ];
  if (days > 0) return `${days}d ${two(hours)}h`;
  if (hours > 0) return `${hours}h ${two(minutes)}m ${two(whole % 60)}s`;
  return `${minutes}m ${two(whole % 60)}s`;
}

/** How much later something was, to the millisecond: +0 ms, +75 ms, +1m 05s; never earlier. */
export function formatOffset(seconds: number): string {
  return `+${formatDuration(Math.max(0, Math.round(seconds * 1000) / 1000))}`;
}

/** Whole seconds in a word: "7 s", "2 min", "3 h". */
export function formatWait(seconds: number): string {
  if (seconds < 90) return `${seconds} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

/** How long ago, coarse: "just now", "12 s ago", "5 min ago", "3 h ago", "2 d ago"; "in …" for the future. */
export function formatAgo(epoch: number, now: number): string {
  const seconds = now - epoch;
  const size = Math.abs(seconds);
  if (size < 2) return "just now";
  let text: string;
  if (size < 90) text = `${Math.floor(size)} s`;
  else if (size < 5400) text = `${Math.floor(size / 60)} min`;
  else if (size < 129_600) text = `${Math.floor(size / 3600)} h`;
  else text = `${Math.floor(size / 86_400)} d`;
  return seconds > 0 ? `${text} ago` : `in ${text}`;
}

/** Epoch seconds of an ISO 8601 text, in UTC where it names no zone; null where it is none. */
export function epochOf(text: string): number | null {
  const time = Date.parse(/[Zz]|[+-]\d\d:?\d\d$/.test(text) ? text : `${text}Z`);
  return Number.isNaN(time) ? null : time / 1000;
}
