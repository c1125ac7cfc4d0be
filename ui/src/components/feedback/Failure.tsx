import { Button } from "@mantine/core";
import { IconPlugConnectedX } from "@tabler/icons-react";
import { Message } from "./Message";

/** A failed request, in words that say what to do. `status` is the HTTP status, 0 when no answer came. */
export function Failure(props: { status: number; message: string; what: string; onRetry: () => void }) {
  return (
    <Message
      title={`${props.what} could not be loaded`}
      tone="failure"
      icon={<IconPlugConnectedX size={32} />}
    >
      <p>{adviceFor(props.status, props.message)}</p>
      <Button variant="default" onClick={props.onRetry}>
        Try again
      </Button>
    </Message>
  );
}

function adviceFor(status: number, message: string): string {
  if (status === 0) return "The monitor does not answer. Check that it still runs; this page keeps trying.";
  if (status === 401) return "You are not logged in any more. Reload the page to log in again.";
  if (status === 403) return "You may not see this. Ask whoever runs the monitor for access.";
  if (status === 503) return `The history can't be read now: ${message} This page keeps trying.`;
  return `The monitor answered ${status}: ${message}`;
}
