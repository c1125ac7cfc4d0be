import { useEffect } from "react";

/** Seconds in ms within which the second key of "g d" must follow. */
const SEQUENCE_MS = 1_000;

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable ||
      target.matches("input:not([type=checkbox]):not([type=radio]), textarea, select"))
  );
}

/**
 * Runs `actions` by key: "/", "?", or a sequence such as "g d". Keys typed into a field, or with a modifier,
 * are left alone.
 */
export function useShortcuts(actions: Record<string, () => void>): void {
  useEffect(() => {
    let first = "";
    let firstAt = 0;
    const onKey = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target))
        return;
      const sequence = event.timeStamp - firstAt < SEQUENCE_MS ? `${first} ${event.key}` : "";
      const action = actions[sequence] ?? actions[event.key];
      first = event.key;
      firstAt = event.timeStamp;
      if (!action) return;
      first = "";
      event.preventDefault();
      action();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [actions]);
}
