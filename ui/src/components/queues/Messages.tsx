import { IconEyeOff, IconInbox } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { useNarrow } from "../../hooks/useNarrow";
import { formatBytes } from "../../model/number";
import type { MessagePage, QueueMessage } from "../../model/queue";
import { epochOf } from "../../model/time";
import { Message } from "../feedback/Message";
import { TaskLink } from "../Links";
import table from "../table/Table.module.css";
import { Time, Unknown } from "../time/Time";
import classes from "./Messages.module.css";
import { Age } from "./QueueFigures";

/** Messages of a queue in the order in which they will be taken. Looking changes nothing. */
export function Messages(props: { page: MessagePage; held: boolean }) {
  const { page, held } = props;
  const isNarrow = useNarrow();
  if (page.reason !== null) {
    return (
      <Message title="The messages can't be shown" icon={<IconEyeOff size={32} stroke={1.5} />}>
        <p>{page.reason}</p>
      </Message>
    );
  }
  if (page.items.length === 0) {
    return (
      <Message
        title={held ? "No worker holds a message" : "No message waits"}
        icon={<IconInbox size={32} stroke={1.5} />}
      >
        <p>
          {held
            ? "Messages that a worker has taken and not acknowledged appear here: running, prefetched, or waiting for an ETA."
            : "Messages that no worker has taken yet appear here."}
        </p>
      </Message>
    );
  }
  const List = isNarrow ? Cards : Rows;
  return (
    <>
      <List messages={page.items} held={held} />
      {page.cut ? (
        <p className={classes.cut}>The messages are too large to show more of them at once.</p>
      ) : null}
    </>
  );
}

function Rows(props: { messages: QueueMessage[]; held: boolean }) {
  return (
    <div className={table.scroll}>
      <table className={`${table.table} ${classes.messages}`}>
        <thead>
          <tr>
            {props.held ? <th scope="col">Held since</th> : <th scope="col">Next</th>}
            <th scope="col">Task</th>
            <th scope="col">Arguments</th>
            <th scope="col">ETA</th>
            <th scope="col" data-align="right">
              Age
            </th>
          </tr>
        </thead>
        <tbody>
          {props.messages.map((message, at) => (
            <tr key={`${message.position ?? at} ${message.taskId}`}>
              <td>
                <Place message={message} />
              </td>
              <td>
                <span className={classes.task}>
                  <Name message={message} />
                </span>
                <span className={classes.id}>
                  <Id message={message} />
                </span>
              </td>
              <td className={classes.args} title={argumentsOf(message)}>
                {argumentsOf(message) || <Unknown />}
              </td>
              <td>{message.eta === null ? "" : <Time value={epochOf(message.eta)} />}</td>
              <td data-align="right">
                <Age value={message.age} basis={message.ageBasis} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Cards(props: { messages: QueueMessage[]; held: boolean }) {
  return (
    <ul className={classes.list} aria-label="Messages">
      {props.messages.map((message, at) => (
        <li key={`${message.position ?? at} ${message.taskId}`} className={classes.card}>
          <span className={classes.task}>
            <Name message={message} />
          </span>
          <span className={classes.side}>
            <Age value={message.age} basis={message.ageBasis} />
          </span>
          <span className={classes.note}>{argumentsOf(message)}</span>
          <span className={`${classes.note} ${classes.side}`}>
            {message.eta === null ? null : (
              <>
                ETA <Time value={epochOf(message.eta)} />
              </>
            )}
          </span>
          <span className={`${classes.note} ${classes.id}`}>
            <Id message={message} />
          </span>
          <span className={`${classes.note} ${classes.side}`}>
            <Place message={message} />
          </span>
        </li>
      ))}
    </ul>
  );
}

/** Its place among those that wait, or since when a worker holds it. */
function Place(props: { message: QueueMessage }): ReactNode {
  const { position, delivered } = props.message;
  return position === null ? <Time value={delivered} /> : `${position}.`;
}

function Name(props: { message: QueueMessage }): ReactNode {
  const { message } = props;
  if (message.unreadable !== null) return <i>{message.unreadable}</i>;
  return message.task ?? <i>no task of Celery's, {formatBytes(message.size)}</i>;
}

/** The task's id; a link where the history has heard of it. */
function Id(props: { message: QueueMessage }): ReactNode {
  const { taskId, ageBasis, delivered } = props.message;
  if (taskId === null) return null;
  return ageBasis === "sent" || delivered !== null ? <TaskLink uuid={taskId} /> : taskId;
}

function argumentsOf(message: QueueMessage): string {
  const kwargs = message.kwargs === "{}" ? null : message.kwargs;
  return [message.args, kwargs].filter((text) => text !== null).join(" ");
}
