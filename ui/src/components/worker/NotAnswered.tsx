import { IconMessageOff } from "@tabler/icons-react";
import type { Inspection } from "../../model/inspection";
import { Message } from "../feedback/Message";

/** A worker that has not told something yet, and why. */
export function NotAnswered(props: { inspection: Inspection; what: string }) {
  const { asked, problem } = props.inspection;
  return (
    <Message
      title={`The worker has not told of ${props.what}`}
      icon={<IconMessageOff size={32} stroke={1.5} />}
    >
      <p>
        {asked === "failed"
          ? `It could not be asked: ${problem}.`
          : asked === "silent"
            ? "It was asked and gave no answer in time. A worker that is frozen, or a solo worker that runs a task, answers nothing."
            : "It answered other questions, but not this one."}
      </p>
    </Message>
  );
}
