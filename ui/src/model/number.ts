const WHOLE = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** 1234567 → 1,234,567 */
export function formatCount(value: number): string {
  return WHOLE.format(value);
}

/** 100000 → 100k: a floor, as in "100k+". */
export function formatFloor(value: number): string {
  if (value >= 1_000_000) return `${Math.floor(value / 100_000) / 10}M`;
  return value >= 1000 ? `${Math.floor(value / 1000)}k` : String(value);
}

/** Bytes in binary units. */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let size = bytes;
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? size : size.toFixed(1)} ${units[unit]}`;
}

/** A count, or a mean of counts: 1,234 or 0.4. */
export function formatAmount(value: number): string {
  return Number.isInteger(value) || value >= 100 ? formatCount(Math.round(value)) : value.toFixed(1);
}
