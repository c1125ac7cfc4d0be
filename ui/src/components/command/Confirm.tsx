import { Button, TextInput } from "@mantine/core";
import { type FormEvent, type ReactNode, useState } from "react";
import { Dialog } from "../feedback/Dialog";
import classes from "./Command.module.css";

/** Asks before something is done that can do harm. With `typed` the reader has to type that text first. */
export function Confirm(props: {
  title: string;
  /** What the button says. */
  action: string;
  opened: boolean;
  typed?: string;
  onConfirm: () => void;
  onClose: () => void;
  children: ReactNode;
}) {
  return (
    <Dialog opened={props.opened} onClose={props.onClose} title={props.title} size="md" centered>
      <Question {...props} />
    </Dialog>
  );
}

/** What a dialog asks. Its own component, so that what was typed is gone when the dialog closes. */
export function Question(props: {
  action: string;
  typed?: string;
  onConfirm: () => void;
  /** Before `onConfirm`, and instead of it. */
  onClose: () => void;
  children: ReactNode;
}) {
  const { typed } = props;
  const [text, setText] = useState("");
  const isSure = typed === undefined || text.trim() === typed;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!isSure) return;
    props.onClose();
    props.onConfirm();
  };
  return (
    <form className={classes.question} onSubmit={submit}>
      {props.children}
      {typed === undefined ? null : (
        <TextInput
          data-autofocus
          label={
            <>
              Type <code>{typed}</code> to confirm
            </>
          }
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
          autoComplete="off"
          spellCheck={false}
        />
      )}
      <div className={classes.choices}>
        <Button variant="default" onClick={props.onClose}>
          Cancel
        </Button>
        <Button type="submit" className={classes.danger} disabled={!isSure}>
          {props.action}
        </Button>
      </div>
    </form>
  );
}
