import type { MantineColorScheme, MantineColorSchemeManager } from "@mantine/core";

const KEY = "flower-theme";

function stored(fallback: MantineColorScheme): MantineColorScheme {
  try {
    const value = localStorage.getItem(KEY);
    return value === "light" || value === "dark" ? value : "auto";
  } catch {
    return fallback;
  }
}

/** Remembers the choice as Flower's page does: `flower-theme` is light or dark, and absent for the system's. */
export function flowerColorScheme(): MantineColorSchemeManager {
  let onStorage: ((event: StorageEvent) => void) | undefined;
  return {
    get: stored,
    set: (value) => {
      try {
        if (value === "auto") localStorage.removeItem(KEY);
        else localStorage.setItem(KEY, value);
      } catch {
        // storage is blocked: the choice holds until the page is closed
      }
    },
    subscribe: (onUpdate) => {
      onStorage = (event) => {
        if (event.key === KEY) onUpdate(stored("auto"));
      };
      window.addEventListener("storage", onStorage);
    },
    unsubscribe: () => {
      if (onStorage) window.removeEventListener("storage", onStorage);
    },
    clear: () => localStorage.removeItem(KEY),
  };
}
