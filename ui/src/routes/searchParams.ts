/** The page's search parameters are plain texts, as in Flower's URLs: `?state=FAILURE`, never JSON. */

export function parseSearch(text: string): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(text));
}

export function stringifySearch(search: Record<string, unknown>): string {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries(search)) {
    if (value !== undefined && value !== null && value !== "") params.set(key, String(value));
  }
  const text = params.toString();
  return text ? `?${text}` : "";
}

/** The text of one parameter, or undefined where it is absent or empty. */
export function textOf(raw: Record<string, unknown>, key: string): string | undefined {
  const value = raw[key];
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** Seconds of an `autorefresh` parameter, 0 for never; null (as updates come) where it is absent or no number. */
export function paceOf(text: string | undefined): number | null {
  const seconds = Number(text ?? Number.NaN);
  if (!Number.isFinite(seconds) || seconds < 0) return null;
  return seconds === 0 ? 0 : Math.min(Math.max(seconds, 1), 86_400);
}
