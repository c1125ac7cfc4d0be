import { useEffect } from "react";

/** Sets the document title: "<page> · Umbel". */
export function useTitle(page: string): void {
  useEffect(() => {
    document.title = `${page} · Umbel`;
  }, [page]);
}
