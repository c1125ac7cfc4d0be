"""The inspect cache: what workers answer about themselves, asked rarely, shared by all who want to know.

Filled at start, on demand (concurrent demands share one run), and when the history shows a new or restarted
worker. Runs in its own few threads; callers from the event loop use a thread to wait. Sends broadcasts only.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError

from umbel.control.mask import mask_secrets
from umbel.control.roster import is_alive, is_gone
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

#: Seconds before the first question, for which drivers are imported: the first pages come first.
START_AFTER = 1.0
#: Seconds between two looks at the history's workers.
FOLLOW_EVERY = 2.0
#: Seconds given to a broker beside the time in which workers may reply.
CONNECT_PATIENCE = 5.0
#: Seconds before a worker that did not answer is asked again.
RETRY_AFTER = 30.0

Answers = dict[str, dict[str, Any]]


class Inspector:
    """Asks workers and remembers their answers. Thread-safe."""

    def __init__(
        self,
        app: Celery,
        *,
        timeout: float,
        fetch_workers: Callable[[], list[Worker]],
        on_evidence: Callable[[Collection[str]], None],
        grace: float = 3600.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`timeout` is how long replies are waited for, `grace` how long a lost worker's answers are kept, in
        seconds; `on_evidence` is told who answered."""
        self._app = app
        self._timeout = timeout
        self._fetch_workers = fetch_workers
        self._on_evidence = on_evidence
        self._grace = grace
        self._now = now
        self._lock = threading.Lock()
        self._cache: Answers = {}
        self._running: dict[tuple[str, ...], Future[None]] = {}
        self._asked: dict[str, float] = {}
        self._stopping = threading.Event()
        self._threads = ThreadPoolExecutor(len(FULL), "umbel-inspect")
        self._runs = ThreadPoolExecutor(4, "umbel-refresh")
        self._follower = threading.Thread(target=self._follow, name="umbel-inspect-follow", daemon=True)

    def start(self) -> None:
        """Fill the cache and begin to follow the workers, in the background."""
        self._follower.start()

    def stop(self) -> None:
        """End the threads; a call that is under way is left to its own time-out."""
        self._stopping.set()
        self._runs.shutdown(wait=False, cancel_futures=True)
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._follower.is_alive():
            self._follower.join(timeout=1.0)

    def healthy(self) -> bool:
        """The follower runs."""
        return self._follower.is_alive()

    def get_workers(self) -> Answers:
        """hostname -> method -> reply, with `timestamp` (epoch seconds) of the last reply; a method that was not
        answered is absent."""
        with self._lock:
            return {hostname: dict(answers) for hostname, answers in self._cache.items()}

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

    def request(self, hostname: str | None = None) -> Future[None]:
        """Like `refresh`, without waiting."""
        return self._begin(() if hostname is None else (hostname,), BRIEF if hostname is None else FULL)

    def request_queues(self) -> Future[None]:
        """Ask all workers from which queues they consume, and nothing else, without waiting."""
        return self._begin((), ("active_queues",))

    def _begin(self, hostnames: tuple[str, ...], methods: tuple[str, ...]) -> Future[None]:
        key = (*hostnames, *methods)
        with self._lock:
            under_way = self._running.get(key)
            if under_way is not None:
                return under_way
            future = self._runs.submit(self._ask, hostnames, methods)
            self._running[key] = future
        future.add_done_callback(lambda _: self._running.pop(key, None))
        return future

    def _ask(self, hostnames: tuple[str, ...], methods: tuple[str, ...]) -> None:
        calls = [self._threads.submit(self._call, method, hostnames) for method in methods]
        failures = []
        heard: set[str] = set()
        for method, call in zip(methods, calls, strict=True):
            try:
                replies = call.result()
            except InspectError as exc:
                failures.append(exc)
                logger.warning("'%s' inspect method failed: %s", method, exc)
                continue
            heard.update(replies)
            self._remember(method, replies)
        if heard:
            self._on_evidence(heard)
        if len(failures) == len(methods):
            raise failures[0]

    def _call(self, method: str, hostnames: Iterable[str]) -> Answers:
        """One inspect method's replies by hostname. Raises InspectError."""
        options = {
            "max_retries": 1,
            "interval_start": 0,
            "interval_step": 0.2,
            "interval_max": 0.2,
            # Redis only: a frozen server would hold the thread for as long as it is frozen
            "socket_timeout": self._timeout + CONNECT_PATIENCE,
            "socket_connect_timeout": CONNECT_PATIENCE,
        }
        try:
            with self._app.connection_for_write(connect_timeout=2, transport_options=options) as connection:
                inspect = self._app.control.inspect(
                    destination=list(hostnames) or None,
                    timeout=self._timeout,
                    connection=connection,
                )
                ask = getattr(inspect, method)
                replies: Answers | None = ask(safe=True) if method == "active" else ask()
                return replies or {}
        except self._errors() as exc:
            raise InspectError(_one_line(exc)) from exc

    def _errors(self) -> tuple[type[BaseException], ...]:
        """What a broker in trouble may raise, driver errors included."""
        connection = self._app.connection_for_write()
        return (
            OperationalError,
            OSError,
            *connection.connection_errors,
            *connection.channel_errors,
        )

    def _remember(self, method: str, replies: Answers) -> None:
        now = self._now()
        with self._lock:
            for hostname, reply in replies.items():
                answers = self._cache.setdefault(hostname, {})
                answers[method] = _cleaned(method, reply)
                answers["timestamp"] = now

    def _follow(self) -> None:
        """Thread: fill once, then keep the cache in step with the workers that come and go."""
        if not self._stopping.wait(START_AFTER):
            self._wait_for(self.request())
        while not self._stopping.wait(FOLLOW_EVERY):
            try:
                workers = self._fetch_workers()
            except StoreError as exc:
                logger.debug("Workers can't be read yet: %s", exc)
                continue
            self._drop_gone(workers)
            wanted = self._wanted(workers)
            if wanted:
                self._wait_for(self._begin(wanted, BRIEF))

    def _wait_for(self, future: Future[None]) -> None:
        try:
            future.result()
        except InspectError as exc:
            logger.debug("Nobody could be asked: %s", exc)

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
    """A reply without the broker's alternates (they hold passwords) and with every other secret masked."""
    masked = mask_secrets(reply)
    if method == "stats" and isinstance(masked, dict):
        consumer = masked.get("consumer")
        for broker in (
            masked.get("broker"),
            consumer.get("broker") if isinstance(consumer, dict) else None,
        ):
            if isinstance(broker, dict):
                broker.pop("alternates", None)
    return masked


def _one_line(exc: BaseException) -> str:
    return " ".join(str(exc).split()) or type(exc).__name__
