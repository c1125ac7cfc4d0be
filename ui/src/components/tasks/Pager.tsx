import { ActionIcon, NativeSelect } from "@mantine/core";
import { IconChevronLeft, IconChevronRight, IconChevronsLeft } from "@tabler/icons-react";
import { formatCount, formatFloor } from "../../model/number";
import type { Total } from "../../model/task";
import classes from "./TasksTable.module.css";

export const PAGE_SIZES = [15, 30, 50, 100];

/** "1,234", or "100k+" where counting stopped. */
export function totalText(total: Total): string {
  return total.exact ? formatCount(total.value) : `${formatFloor(total.value)}+`;
}

/** Moves through pages by cursor: a page keeps its place while tasks come in before it. */
export function Pager(props: {
  page: number;
  shown: number;
  limit: number;
  total: Total;
  onLimit: (limit: number) => void;
  onFirst: (() => void) | null;
  onPrevious: (() => void) | null;
  onNext: (() => void) | null;
}) {
  const first = (props.page - 1) * props.limit + 1;
  const range = props.shown === 0 ? "0" : `${formatCount(first)}–${formatCount(first + props.shown - 1)}`;
  return (
    <div className={classes.pager}>
      <NativeSelect
        size="xs"
        aria-label="Tasks a page"
        value={String(props.limit)}
        data={PAGE_SIZES.map((size) => ({ value: String(size), label: `${size} a page` }))}
        onChange={(event) => props.onLimit(Number(event.currentTarget.value))}
      />
      <div className={classes.pagerMoves}>
        <span>
          {range} of {totalText(props.total)}
        </span>
        <Move label="First page" Icon={IconChevronsLeft} go={props.onFirst} />
        <Move label="Previous page" Icon={IconChevronLeft} go={props.onPrevious} />
        <Move label="Next page" Icon={IconChevronRight} go={props.onNext} />
      </div>
    </div>
  );
}

function Move(props: { label: string; Icon: typeof IconChevronLeft; go: (() => void) | null }) {
  return (
    <ActionIcon
      variant="default"
      size={30}
      aria-label={props.label}
      disabled={props.go === null}
      onClick={props.go ?? undefined}
    >
      <props.Icon size={16} />
    </ActionIcon>
  );
}
