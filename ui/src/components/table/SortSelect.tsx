import { ActionIcon, Group, NativeSelect } from "@mantine/core";
import { IconSortAscending, IconSortDescending } from "@tabler/icons-react";
import { sortOf } from "./SortHeader";

export interface SortField {
  field: string;
  label: string;
  /** Chosen, it begins descending: times and numbers. */
  descendingFirst?: boolean;
}

/** The order of a list that has no headers to click. */
export function SortSelect(props: { fields: SortField[]; sort: string; onSort: (sort: string) => void }) {
  const { field, descending } = sortOf(props.sort);
  const Icon = descending ? IconSortDescending : IconSortAscending;
  const choose = (next: string) => {
    const chosen = props.fields.find((known) => known.field === next);
    props.onSort(`${chosen?.descendingFirst ? "-" : ""}${next}`);
  };
  return (
    <Group gap="xs" wrap="nowrap">
      <NativeSelect
        size="xs"
        aria-label="Sort by"
        value={field}
        data={props.fields.map((known) => ({ value: known.field, label: `Sort by ${known.label}` }))}
        onChange={(event) => choose(event.currentTarget.value)}
      />
      <ActionIcon
        variant="default"
        size={30}
        aria-label={descending ? "Descending: turn around" : "Ascending: turn around"}
        onClick={() => props.onSort(`${descending ? "" : "-"}${field}`)}
      >
        <Icon size={16} />
      </ActionIcon>
    </Group>
  );
}
