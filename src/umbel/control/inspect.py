"""The inspect cache: what workers answer about themselves, asked rarely, shared by all who want to know.

Filled at start, on demand (concurrent demands share one broadcast), when the history shows a new or restarted worker,
and slowly in the background. Answers are kept as they come. Callers from the event loop use `request` and await it.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, TypeAlias

from umbel.control.mask import mask_secrets
from umbel.control.roster import is_alive, is_gone
from umbel.control.switchboard import Call, Replies, Switchboard
from umbel.errors import InspectError, StoreError
from umbel.model.worker import Worker

logger = logging.getLogger(__name__)

#: What a refresh of all workers asks for; the task lists of a large cluster would be too much.
BRIEF = ("stats", "active_queues", "registered", "conf")
#: What a refresh of one worker asks for.
FULL = (
    "stats",
    "active_queues",
    "registered",
    "scheduled",
    "active",
    "reserved",
    "revoked",
    "conf",
)
#: What workers are told with the question, as Celery's own inspection tells them.
_ARGUMENTS: dict[str, dict[str, Any]] = {
    "active": {"safe": True},
    "registered": {"taskinfoitems": []},
    "conf": {"with_defaults": False},
}

#: Seconds before the first question, for which drivers are imported: the first pages come first.
START_AFTER = 1.0
#: Seconds at least between two looks at the history's workers.
FOLLOW_EVERY = 2.0
#: The same in a large cluster: so many times as long as a look takes, up to so many seconds.
LEISURE, LONGEST_PAUSE = 2_000.0, 10.0
#: Seconds between two questions to all workers that nobody has asked for.
REFRESH_EVERY = 300.0
#: Seconds given to a broker beside the time in which workers may reply.
CONNECT_PATIENCE = 5.0
#: Seconds before a worker that did not answer is asked again.
RETRY_AFTER = 30.0
#: Refreshes under way at once; entries kept of one list in an answer.
MAX_RUNS = 100
MAX_LIST = 10_000

Answers = dict[str, dict[str, Any]]
#: One question, under way or answered: who gave an answer.
Run: TypeAlias = Future[frozenset[str]]


class Inspector:
    """Asks workers and remembers their answers. Thread-safe."""

    def __init__(
        self,
        switchboard: Switchboard,
        *,
        timeout: float,
        fetch_workers: Callable[[], list[Worker]],
        on_evidence: Callable[[Collection[str]], None],
        grace: float = 3600.0,
        follow_every: float = FOLLOW_EVERY,
        max_workers: int = 5000,
        refresh_every: float = REFRESH_EVERY,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`timeout` is how long replies are waited for, `grace` how long a lost worker's answers are kept, in
        seconds; `on_evidence` is told who answered; of more than `max_workers` no answers are kept. The history's
        workers are looked at every `follow_every` seconds, and when `note_change` is called; all are asked again every
        `refresh_every` seconds."""
        self._switchboard = switchboard
        self._timeout = timeout
        self._fetch_workers = fetch_workers
        self._on_evidence = on_evidence
        self._grace = grace
        self._max_workers = max_workers
        self._refresh_every = refresh_every
        self._now = now
        self._lock = threading.Lock()
        self._cache: Answers = {}
        self._running: dict[tuple[str, ...], Run] = {}
        self._asked: dict[str, float] = {}
        self._follow_every = follow_every
        self._stopping = threading.Event()
        self._changed = threading.Event()
        # answers are cleaned and kept by one thread, so that the switchboard goes on meanwhile
        self._keeper = ThreadPoolExecutor(1, "umbel-inspect")
        self._follower = threading.Thread(target=self._follow, name="umbel-inspect-follow", daemon=True)

    def start(self) -> None:
        """Fill the cache and begin to follow the workers, in the background."""
        self._follower.start()

    def stop(self) -> None:
        """End the threads; a question that is under way is left to its own time-out."""
        self._stopping.set()
        self._changed.set()
        self._keeper.shutdown(wait=False, cancel_futures=True)
        if self._follower.is_alive():
            self._follower.join(timeout=1.0)

    def healthy(self) -> bool:
        """The follower runs."""
        return self._follower.is_alive()

    def note_change(self) -> None:
        """The history's workers may be others than before. From any thread."""
        self._changed.set()

    def get_workers(self) -> Answers:
        """hostname -> method -> reply, with `timestamp` (epoch seconds) of the last reply; a method that was not
        answered is absent."""
        with self._lock:
            return {hostname: dict(answers) for hostname, answers in self._cache.items()}

    def get_worker(self, hostname: str) -> dict[str, Any]:
        """The same of one worker; empty when it has not answered."""
        with self._lock:
            return dict(self._cache.get(hostname, {}))

    def get_confs(self) -> dict[str, dict[str, Any]]:
        """The settings that workers changed, by hostname; without those that did not tell."""
        with self._lock:
            told = {hostname: answers.get("conf") for hostname, answers in self._cache.items()}
        return {hostname: conf for hostname, conf in told.items() if isinstance(conf, dict)}

    def get_hostnames(self) -> frozenset[str]:
        """The workers that have answered."""
        with self._lock:
            return frozenset(self._cache)

    def has_registered(self, task: str) -> bool:
        """Whether some worker has said that it has this task."""
        with self._lock:
            # "tasks.add [rate_limit=10/m]" where something is set for it
            return any(
                isinstance(name, str) and name.partition(" [")[0] == task
                for answers in self._cache.values()
                for name in answers.get("registered", ())
            )

    def refresh(self, hostname: str | None = None) -> None:
        """Ask all workers (brief) or one (everything) and wait for it; joins a run that is under way already.

        Raises:
            InspectError: Nobody could be asked: no broker, or one that does not answer.
        """
        patience = self._timeout + CONNECT_PATIENCE
        try:
            self.request(hostname).result(patience)
        except TimeoutError as exc:
            raise InspectError(f"the broker gave no answer within {patience:g} s") from exc

    def request(self, hostname: str | None = None) -> Run:
        """Like `refresh`, without waiting; the result is who answered. Nobody can cancel the future for the others
        that wait for it."""
        return self._begin(() if hostname is None else (hostname,), BRIEF if hostname is None else FULL)

    def request_queues(self) -> Run:
        """Ask all workers from which queues they consume, and nothing else, without waiting."""
        return self._begin((), ("active_queues",))

    def request_brief(self, hostnames: Collection[str]) -> Run:
        """Ask these workers what a refresh of all asks, without waiting."""
        return self._begin(tuple(sorted(hostnames)), BRIEF)

    def _begin(self, hostnames: tuple[str, ...], methods: tuple[str, ...]) -> Run:
        key = (*hostnames, *methods)
        with self._lock:
            under_way = self._running.get(key)
            if under_way is not None:
                return under_way
            run: Run = Future()
            run.set_running_or_notify_cancel()
            if self._stopping.is_set() or len(self._running) >= MAX_RUNS:
                reason = (
                    "the server is stopping"
                    if self._stopping.is_set()
                    else "too many refreshes are under way"
                )
                run.set_exception(InspectError(reason))
                return run
            self._running[key] = run
        self._ask(key, run, hostnames, methods)
        return run

    def _ask(
        self, key: tuple[str, ...], run: Run, hostnames: tuple[str, ...], methods: tuple[str, ...]
    ) -> None:
        left = set(methods)
        failures: list[BaseException] = []
        heard: set[str] = set()

        def one_ended(method: str, replies: Future[Replies]) -> None:
            """In the switchboard's thread."""
            left.discard(method)
            failure = replies.exception()
            if failure is not None:
                failures.append(failure)
                logger.warning("'%s' inspect method failed: %s", method, failure)
            else:
                heard.update(replies.result())
            if not left:
                # after all answers, which the same thread keeps
                self._hand_over(run, self._finish, key, run, heard, failures, len(methods))

        for call in [self._call(method, hostnames) for method in methods]:
            call.replies.add_done_callback(partial(one_ended, call.method))

    def _call(self, method: str, hostnames: tuple[str, ...]) -> Call:
        def keep(hostname: str, reply: Any) -> None:
            self._hand_over(None, self._remember, method, hostname, reply)

        return self._switchboard.call(
            method, _ARGUMENTS.get(method), hostnames or None, timeout=self._timeout, expected=hostnames,
            on_reply=keep,
        )  # fmt: skip

    def _hand_over(self, run: Run | None, work: Callable[..., None], *arguments: Any) -> None:
        try:
            self._keeper.submit(work, *arguments)
        except RuntimeError:  # it is shut down
            if run is not None:
                run.set_exception(InspectError("the server is stopping"))

    def _finish(
        self,
        key: tuple[str, ...],
        run: Run,
        heard: set[str],
        failures: list[BaseException],
        asked: int,
    ) -> None:
        if heard:
            self._on_evidence(heard)
        with self._lock:
            self._running.pop(key, None)
        if len(failures) == asked:
            run.set_exception(failures[0])
        else:
            run.set_result(frozenset(heard))

    def _remember(self, method: str, hostname: str, reply: Any) -> None:
        if isinstance(reply, dict) and reply.keys() == {"error"}:
            logger.debug("%s refused to tell '%s': %s", hostname, method, reply["error"])
            return
        cleaned = _cleaned(method, reply)
        with self._lock:
            if hostname not in self._cache and len(self._cache) >= self._max_workers:
                logger.warning("What %s told is not kept: max_workers is %d", hostname, self._max_workers)
                return
            answers = self._cache.setdefault(hostname, {})
            answers[method] = cleaned
            answers["timestamp"] = self._now()

    def _follow(self) -> None:
        """Thread: fill once, then keep the cache in step with the workers that come and go."""
        refreshed = time.monotonic()
        if not self._stopping.wait(START_AFTER):
            self._wait_for(self.request())
        pause = FOLLOW_EVERY
        while not self._stopping.wait(pause):
            self._changed.wait(self._follow_every - FOLLOW_EVERY)
            self._changed.clear()
            try:
                began = time.thread_time()
                workers = self._fetch_workers()
                pause = min(max(FOLLOW_EVERY, LEISURE * (time.thread_time() - began)), LONGEST_PAUSE)
            except StoreError as exc:
                logger.debug("Workers can't be read yet: %s", exc)
                continue
            self._drop_gone(workers)
            wanted = self._wanted(workers)
            if wanted:
                self._wait_for(self._begin(wanted, BRIEF))
            if time.monotonic() - refreshed >= self._refresh_every:
                refreshed = time.monotonic()
                self._wait_for(self.request())

    def _wait_for(self, future: Run) -> None:
        while not self._stopping.is_set():
            try:
                future.result(timeout=0.5)
            except TimeoutError:
                continue
            except InspectError as exc:
                logger.debug("Nobody could be asked: %s", exc)
            return

    def _drop_gone(self, workers: list[Worker]) -> None:
        now = self._now()
        known = {worker.hostname: worker for worker in workers}
        with self._lock:
            for hostname, answers in list(self._cache.items()):
                worker = known.get(hostname)
                if worker is None:
                    # it answers but sends no events: believe its last answer for as long as a lost worker is shown
                    gone = now - answers["timestamp"] >= self._grace
                else:
                    gone = is_gone(worker, now, self._grace)
                if gone:
                    del self._cache[hostname]
                    self._asked.pop(hostname, None)

    def _wanted(self, workers: list[Worker]) -> tuple[str, ...]:
        """Living workers that were not asked yet, or restarted since, and not asked in vain just now."""
        now = self._now()
        wanted = []
        with self._lock:
            for worker in workers:
                if not is_alive(worker) or now - self._asked.get(worker.hostname, 0.0) < RETRY_AFTER:
                    continue
                pid = self._cache.get(worker.hostname, {}).get("stats", {}).get("pid")
                if pid is None or (worker.pid and pid != worker.pid):
                    self._asked[worker.hostname] = now
                    wanted.append(worker.hostname)
        return tuple(sorted(wanted))


def _cleaned(method: str, reply: Any) -> Any:
    """A reply without the broker's alternates (they hold passwords), with every other secret masked, and bounded."""
    masked = mask_secrets(reply[:MAX_LIST] if isinstance(reply, list) else reply)
    if method == "stats" and isinstance(masked, dict):
        consumer = masked.get("consumer")
        for broker in (
            masked.get("broker"),
            consumer.get("broker") if isinstance(consumer, dict) else None,
        ):
            if isinstance(broker, dict):
                broker.pop("alternates", None)
    return masked
