import { Button, Menu } from "@mantine/core";
import { IconCheck, IconChevronDown, IconClock } from "@tabler/icons-react";
import { useTimeDisplay, type ZoneChoice } from "../../hooks/timeDisplay";
import classes from "./TimeMenu.module.css";

const LABELS: Record<ZoneChoice, string> = { app: "Celery's zone", browser: "My browser's zone", utc: "UTC" };

/** The time zone in use, always printed, and the choice of zone and style. */
export function TimeMenu() {
  const { zone, choice, style, zones, choose, setStyle } = useTimeDisplay();
  const mark = (on: boolean) => (on ? <IconCheck size={14} /> : <span style={{ width: 14 }} />);
  return (
    <Menu position="bottom-end" width={270}>
      <Menu.Target>
        <Button
          variant="default"
          size="compact-sm"
          h={30}
          fw={520}
          leftSection={<IconClock size={15} />}
          rightSection={<IconChevronDown size={14} />}
          aria-label={`Times are shown in ${zone}`}
        >
          <span className={classes.full}>{zone}</span>
          <span className={classes.short}>{shortZone(zone)}</span>
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>Time zone</Menu.Label>
        {(Object.keys(LABELS) as ZoneChoice[]).map((key) => (
          <Menu.Item
            key={key}
            leftSection={mark(choice === key)}
            rightSection={key === "utc" ? null : <small>{zones[key]}</small>}
            onClick={() => choose(key)}
          >
            {LABELS[key]}
          </Menu.Item>
        ))}
        <Menu.Divider />
        <Menu.Label>Style</Menu.Label>
        <Menu.Item leftSection={mark(style === "absolute")} onClick={() => setStyle("absolute")}>
          Date and time
        </Menu.Item>
        <Menu.Item leftSection={mark(style === "relative")} onClick={() => setStyle("relative")}>
          How long ago
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

/** "Europe/Berlin" → "Berlin", for narrow screens. */
function shortZone(zone: string): string {
  return (zone.split("/").at(-1) ?? zone).replaceAll("_", " ");
}
