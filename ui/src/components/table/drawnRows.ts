import { useVirtualizer, useWindowVirtualizer } from "@tanstack/react-virtual";
import { type RefObject, useLayoutEffect, useRef, useState } from "react";

/** Up to here every row is in the document, so that the browser's own search finds it. */
const VIRTUAL_FROM = 150;

/** px of a row and of a card; as --row-height in styles/tokens.css and .card in Cards.module.css. */
const ROW_HEIGHT = 34;
const CARD_HEIGHT = 132;

/** The part of a long list that is in view, and the px that stand for the rest. */
export interface Drawn<T, E extends Element> {
  /** For the element that scrolls, or for the list where the page does. */
  ref: RefObject<E | null>;
  visible: readonly T[];
  above: number;
  below: number;
}

function visibleOf<T>(rows: readonly T[], items: readonly { index: number }[]): readonly T[] {
  return rows.length < VIRTUAL_FROM ? rows : items.flatMap(({ index }) => rows[index] ?? []);
}

/** Rows of a table that scrolls by itself. */
export function useDrawnRows<T>(rows: readonly T[]): Drawn<T, HTMLDivElement> {
  const ref = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => ref.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 12,
    enabled: rows.length >= VIRTUAL_FROM,
  });
  const items = virtual.getVirtualItems();
  return {
    ref,
    visible: visibleOf(rows, items),
    above: items[0]?.start ?? 0,
    below: virtual.getTotalSize() - (items.at(-1)?.end ?? 0),
  };
}

/** Cards of a list that scrolls with the page. */
export function useDrawnCards<T>(rows: readonly T[]): Drawn<T, HTMLUListElement> {
  const ref = useRef<HTMLUListElement>(null);
  const [top, setTop] = useState(0);
  useLayoutEffect(() => setTop(ref.current?.offsetTop ?? 0), []);
  const virtual = useWindowVirtualizer({
    count: rows.length,
    estimateSize: () => CARD_HEIGHT,
    overscan: 6,
    scrollMargin: top,
    enabled: rows.length >= VIRTUAL_FROM,
  });
  const items = virtual.getVirtualItems();
  return {
    ref,
    visible: visibleOf(rows, items),
    above: items[0] ? items[0].start - top : 0,
    below: items.length > 0 ? Math.max(0, virtual.getTotalSize() + top - (items.at(-1)?.end ?? 0)) : 0,
  };
}
