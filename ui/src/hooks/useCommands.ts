import { useEffect, useRef, useState } from "react";
import type { Command, Run } from "../model/command";
import { ApiError } from "../services/client";
import { sendCommand } from "../services/commands";

/** Runs that stay on the page. */
const KEPT = 6;

export interface Commands {
  /** Newest first. */
  runs: Run[];
  send: (command: Command) => void;
  dismiss: (key: number) => void;
}

/** Sends commands and keeps what came of them while the page is open. `onEnd` hears of each that has ended. */
export function useCommands(onEnd: (command: Command) => void): Commands {
  const [runs, setRuns] = useState<Run[]>([]);
  const count = useRef(0);
  const tell = useRef(onEnd);
  useEffect(() => {
    tell.current = onEnd;
  });
  const send = (command: Command) => {
    count.current += 1;
    const key = count.current;
    const change = (part: Partial<Run>) =>
      setRuns((old) => old.map((run) => (run.key === key ? { ...run, ...part } : run)));
    setRuns((old) => [{ key, command, answer: null, error: null }, ...old].slice(0, KEPT));
    void sendCommand(command)
      .then((answer) => change({ answer }))
      .catch((error: unknown) => {
        const status = error instanceof ApiError ? error.status : 0;
        change({ error: { status, message: error instanceof Error ? error.message : String(error) } });
      })
      .finally(() => tell.current(command));
  };
  return { runs, send, dismiss: (key) => setRuns((old) => old.filter((run) => run.key !== key)) };
}
