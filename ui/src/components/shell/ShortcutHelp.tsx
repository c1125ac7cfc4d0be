import { Dialog } from "../feedback/Dialog";
import classes from "./ShortcutHelp.module.css";

const SHORTCUTS = [
  ["/", "Search on this page"],
  ["g d", "Go to the dashboard"],
  ["g t", "Go to the tasks"],
  ["g m", "Go to the graphs"],
  ["g b", "Go to the broker"],
  ["g a", "Go to the audit"],
  ["?", "This list"],
  ["Esc", "Close a menu or dialog"],
] as const;

export function ShortcutHelp(props: { opened: boolean; onClose: () => void }) {
  return (
    <Dialog opened={props.opened} onClose={props.onClose} title="Keyboard shortcuts" size="sm">
      <dl className={classes.list}>
        {SHORTCUTS.map(([keys, what]) => (
          <div key={keys}>
            <dt>
              {keys.split(" ").map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
