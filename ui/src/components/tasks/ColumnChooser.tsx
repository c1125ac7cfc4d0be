import { Button, Checkbox, Popover } from "@mantine/core";
import { IconColumns3 } from "@tabler/icons-react";
import classes from "./ColumnChooser.module.css";
import { TASK_COLUMNS } from "./columns";

/** Which columns the table has. A column that is switched on takes its usual place. */
export function ColumnChooser(props: {
  shown: string[];
  onChange: (ids: string[] | null) => void;
  isDefault: boolean;
}) {
  const toggle = (id: string, on: boolean) => {
    if (!on) return props.onChange(props.shown.filter((shown) => shown !== id));
    const order = TASK_COLUMNS.map((column) => column.id);
    const next = [...props.shown];
    const after = next.findIndex((shown) => order.indexOf(shown) > order.indexOf(id));
    next.splice(after < 0 ? next.length : after, 0, id);
    props.onChange(next);
  };
  return (
    <Popover position="bottom-end" withArrow>
      <Popover.Target>
        <Button variant="default" size="sm" leftSection={<IconColumns3 size={16} />}>
          Columns
        </Button>
      </Popover.Target>
      <Popover.Dropdown>
        <div className={classes.grid}>
          {TASK_COLUMNS.map(({ id, label }) => (
            <Checkbox
              key={id}
              size="xs"
              label={label}
              checked={props.shown.includes(id)}
              disabled={props.shown.length === 1 && props.shown[0] === id}
              onChange={(event) => toggle(id, event.currentTarget.checked)}
            />
          ))}
        </div>
        <Button
          fullWidth
          mt="sm"
          size="compact-sm"
          variant="subtle"
          disabled={props.isDefault}
          onClick={() => props.onChange(null)}
        >
          Back to the default columns
        </Button>
      </Popover.Dropdown>
    </Popover>
  );
}
