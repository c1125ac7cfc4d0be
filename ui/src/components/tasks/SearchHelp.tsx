import { ActionIcon, Popover } from "@mantine/core";
import { IconHelpCircle } from "@tabler/icons-react";
import classes from "./SearchHelp.module.css";

const EXAMPLES = [
  ["charge", "anywhere: id, name, state, worker, args, kwargs, result"],
  ["name:shop.tasks", "in one field; also worker:, args:, kwargs:, result:"],
  ["state:FAILURE", "exactly this state"],
  ["kwargs:order=17", "exactly this keyword argument"],
  ['"not found"', "quotes keep spaces and parentheses together"],
  ["name:mail state:RETRY", "both (a space means AND)"],
  ["(name:mail OR name:sms) worker:eu1", "either, in a group"],
] as const;

/** How to write a search, by example. */
export function SearchHelp() {
  return (
    <Popover position="bottom-end" width={440} withArrow>
      <Popover.Target>
        <ActionIcon variant="subtle" color="gray" size="sm" aria-label="Search syntax">
          <IconHelpCircle size={17} />
        </ActionIcon>
      </Popover.Target>
      <Popover.Dropdown maw="calc(100vw - 24px)">
        <h2 className={classes.title}>Search syntax</h2>
        <dl className={classes.list}>
          {EXAMPLES.map(([query, meaning]) => (
            <div key={query}>
              <dt>
                <code>{query}</code>
              </dt>
              <dd>{meaning}</dd>
            </div>
          ))}
        </dl>
        <p className={classes.note}>
          Upper and lower case are alike. Terms need at least 3 characters, except after <code>state:</code>{" "}
          and in <code>kwargs:key=value</code>. There is no NOT.
        </p>
      </Popover.Dropdown>
    </Popover>
  );
}
