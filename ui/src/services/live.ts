import type { QueryClient } from "@tanstack/react-query";
import type { Link } from "../model/status";
import type { WorkerList } from "../model/worker";
import { apiUrl, errorFrom } from "./client";
import { KEYS } from "./queries";
import { readEvents } from "./sse";
import { stateCountsFrom, statusFrom, totalsFrom, type Wire, workerFrom, workerListFrom } from "./wire";

/** Waits between attempts to open the stream again, in ms; the last one repeats. */
const BACKOFF_MS = [500, 1_000, 2_000, 5_000, 10_000];
/** Failures in a row after which the page polls instead. */
const POLL_AFTER = 2;
const POLL_MS = 3_000;
/** A stream that is silent for longer than this is dead: the server sends a comment at least every 15 s. */
const SILENCE_MS = 45_000;
/** Task lists are asked for again at most this often. */
const REFRESH_MS = 1_000;
/** What the stream keeps current, and a poll asks for again. */
const LIVE_KEYS = [KEYS.status, KEYS.gaps, KEYS.workers, KEYS.states, KEYS.tasks, KEYS.task];

/**
 * Keeps the query cache current from the server's event stream, and polls while there is none.
 *
 * The stream is closed while the tab is hidden and resumed with `Last-Event-ID`. With a pace (`setPace`) there is
 * no stream: everything is asked for again at that pace, or never. Nothing else in the page knows whether an answer
 * came by the stream or by a request.
 */
export class LiveUpdates {
  private readonly listeners = new Set<() => void>();
  private link: Link = "connecting";
  private pace: number | null = null;
  private isStarted = false;
  private lastId = "";
  private failures = 0;
  private running: AbortController | null = null;
  private pollTimer = 0;
  private refreshTimer = 0;
  private refreshedAt = 0;
  private readonly changed = new Set<string>();
  private manyChanged = false;

  constructor(private readonly cache: QueryClient) {}

  /** Begin; the returned function ends it. */
  start(): () => void {
    const onVisibility = () => (document.hidden ? this.pause() : this.resume());
    document.addEventListener("visibilitychange", onVisibility);
    this.isStarted = true;
    onVisibility();
    return () => {
      this.isStarted = false;
      document.removeEventListener("visibilitychange", onVisibility);
      this.pause();
    };
  }

  /** Seconds between updates: null takes them as they come, 0 takes none. */
  setPace(pace: number | null): void {
    if (this.pace === pace) return;
    this.pace = pace;
    if (!this.isStarted || document.hidden) return;
    this.pause();
    this.resume();
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  getLink = (): Link => this.link;

  private setLink(link: Link): void {
    if (this.link === link) return;
    this.link = link;
    for (const listener of this.listeners) listener();
  }

  private pause(): void {
    this.running?.abort();
    this.running = null;
    window.clearTimeout(this.pollTimer);
    window.clearTimeout(this.refreshTimer);
    this.refreshTimer = 0;
    this.setLink("off");
  }

  private resume(): void {
    if (this.running) return;
    if (this.pace === 0) {
      this.setLink("held");
      return;
    }
    this.running = new AbortController();
    this.setLink("connecting");
    void (this.pace ? this.askEvery(this.pace, this.running.signal) : this.run(this.running.signal));
  }

  /** Asks for everything every `seconds` until `signal`. */
  private async askEvery(seconds: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.askAgain();
      if (signal.aborted) return;
      this.setLink(this.isUnanswered() ? "down" : "paced");
      await rest(seconds * 1000, signal);
    }
  }

  private async askAgain(): Promise<void> {
    const asked = LIVE_KEYS.map((queryKey) =>
      this.cache.invalidateQueries({ queryKey }, { cancelRefetch: false }),
    );
    await Promise.all(asked);
  }

  private isUnanswered(): boolean {
    return Boolean(this.cache.getQueryState(KEYS.status)?.error);
  }

  /** Opens the stream again and again until `signal`. */
  private async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.readStream(signal);
      } catch {
        // an unreachable server, a refused login or a broken stream: the polls tell which
      }
      if (signal.aborted) return;
      this.failures += 1;
      if (this.failures >= POLL_AFTER) this.poll(signal);
      else this.setLink(this.lastId ? "polling" : "connecting");
      const wait = BACKOFF_MS[Math.min(this.failures, BACKOFF_MS.length) - 1];
      await rest(wait ?? POLL_MS, signal);
    }
  }

  private async readStream(signal: AbortSignal): Promise<void> {
    const attempt = new AbortController();
    const stop = () => attempt.abort();
    signal.addEventListener("abort", stop);
    let watchdog = window.setTimeout(stop, SILENCE_MS);
    try {
      const headers: Record<string, string> = { Accept: "text/event-stream" };
      if (this.lastId) headers["Last-Event-ID"] = this.lastId;
      const response = await fetch(apiUrl("stream"), { headers, cache: "no-store", signal: attempt.signal });
      if (!response.ok || !response.body) throw await errorFrom(response);
      const heard = () => {
        window.clearTimeout(watchdog);
        watchdog = window.setTimeout(stop, SILENCE_MS);
      };
      for await (const message of readEvents(response.body, heard)) {
        this.failures = 0;
        window.clearTimeout(this.pollTimer);
        this.setLink("live");
        if (message.id) this.lastId = message.id;
        if (message.event === "snapshot") this.applySnapshot(JSON.parse(message.data));
        else if (message.event === "delta") this.applyDelta(JSON.parse(message.data));
      }
    } finally {
      window.clearTimeout(watchdog);
      signal.removeEventListener("abort", stop);
      attempt.abort();
    }
  }

  /** Asks for everything every few seconds until the stream is back. */
  private poll(signal: AbortSignal): void {
    window.clearTimeout(this.pollTimer);
    const tick = async () => {
      if (signal.aborted) return;
      await this.askAgain();
      if (signal.aborted || this.failures < POLL_AFTER) return;
      this.setLink(this.isUnanswered() ? "down" : "polling");
      this.pollTimer = window.setTimeout(tick, POLL_MS);
    };
    void tick();
  }

  private applySnapshot(snapshot: Wire["Snapshot"]): void {
    this.cache.setQueryData(KEYS.status, statusFrom(snapshot.status));
    this.cache.setQueryData(KEYS.workers, workerListFrom(snapshot.workers));
    this.cache.setQueryData(KEYS.states, stateCountsFrom(snapshot.facets));
    this.manyChanged = true;
    this.refreshSoon();
    void this.cache.invalidateQueries({ queryKey: KEYS.gaps });
  }

  private applyDelta(delta: Wire["Delta"]): void {
    if (delta.status) this.applyStatus(delta.status);
    if (delta.workers.length > 0 || delta.workers_removed.length > 0) {
      this.cache.setQueryData<WorkerList>(KEYS.workers, (list) => list && mergeWorkers(list, delta));
    }
    if (delta.facets) this.cache.setQueryData(KEYS.states, stateCountsFrom(delta.facets));
    if (delta.tasks === null) this.manyChanged = true;
    else for (const uuid of delta.tasks) this.changed.add(uuid);
    if (this.manyChanged || this.changed.size > 0) this.refreshSoon();
  }

  private applyStatus(wire: Wire["Status"]): void {
    const before = this.cache.getQueryData<{ openGap: boolean }>(KEYS.status);
    this.cache.setQueryData(KEYS.status, statusFrom(wire));
    if (before?.openGap !== wire.open_gap) void this.cache.invalidateQueries({ queryKey: KEYS.gaps });
  }

  /** Asks again for the open task list and the open tasks that changed: at once, then at most once a second. */
  private refreshSoon(): void {
    if (this.refreshTimer) return;
    const wait = Math.max(0, this.refreshedAt + REFRESH_MS - Date.now());
    this.refreshTimer = window.setTimeout(() => {
      this.refreshTimer = 0;
      this.refreshedAt = Date.now();
      const { manyChanged } = this;
      const changed = new Set(this.changed);
      this.manyChanged = false;
      this.changed.clear();
      void this.cache.invalidateQueries({ queryKey: KEYS.tasks });
      void this.cache.invalidateQueries({
        queryKey: KEYS.states,
        predicate: ({ queryKey }) => queryKey.length > KEYS.states.length,
      });
      void this.cache.invalidateQueries({
        queryKey: KEYS.task,
        predicate: ({ queryKey }) => manyChanged || changed.has(String(queryKey[1])),
      });
    }, wait);
  }
}

/** Resolves after `ms`, or at once when `signal` aborts. */
function rest(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      window.clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = window.setTimeout(end, ms);
    signal.addEventListener("abort", end);
  });
}

function mergeWorkers(list: WorkerList, delta: Wire["Delta"]): WorkerList {
  const rows = new Map(list.items.map((worker) => [worker.hostname, worker]));
  for (const worker of delta.workers) rows.set(worker.hostname, workerFrom(worker));
  for (const hostname of delta.workers_removed) rows.delete(hostname);
  return { items: [...rows.values()], totals: delta.totals ? totalsFrom(delta.totals) : list.totals };
}
