"""The parent's side of the collector process: start it, hear its status, tell it evidence, start it again when it dies.

Used by the composition root. The settings, which hold passwords, go through a pipe and never onto a command line.
"""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import IO, Any

import msgspec

from umbel.ingest.settings import STOP_SIGNALS, CollectorSettings
from umbel.model.queue import QueueSample
from umbel.model.stall import Stall
from umbel.store.status import CollectorStatus, is_believed

_log = logging.getLogger("umbel.ingest.supervise")

#: Seconds before the first and the latest restart; a run of HEALTHY_RUN seconds starts from the first again. (On Redis
#: events are missed meanwhile.)
FIRST_WAIT, LAST_WAIT, HEALTHY_RUN = 0.1, 30.0, 30.0
#: First word of a log line (`collector.LOG_FORMAT`) -> its level.
_LEVELS = {name: getattr(logging, name) for name in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")}
#: Seconds given to a collector to store what it holds when it is asked to stop.
STOP_TIME = 10.0


class CollectorProcess:
    """One collector at a time, for as long as `stop` was not called."""

    def __init__(self, settings: CollectorSettings, *, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self._status: CollectorStatus | None = None
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        #: Called whenever the collector says that rows were written, or that it does not know because it stands by.
        self.on_rows: Callable[[], None] = lambda: None
        #: Times that a collector ended without being asked to.
        self.restarts = 0

    def start(self) -> None:
        """Start the process and keep it running; returns at once."""
        self._thread = threading.Thread(target=self._keep_running, name="umbel-supervise", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ask the collector to store what it holds and end; killed when it takes longer than STOP_TIME."""
        self._stopping.set()
        with self._lock:
            process = self._process
        if process is not None:
            self._end(process)
        if self._thread is not None:
            self._thread.join(STOP_TIME)

    @property
    def healthy(self) -> bool:
        """The process runs and has said so lately; whether it is connected is in `status`."""
        status = self._status
        return status is not None and is_believed(status, self._clock())

    @property
    def pid(self) -> int | None:
        """Process id of the collector that runs now."""
        process = self._process
        return None if process is None or process.poll() is not None else process.pid

    def status(self) -> CollectorStatus | None:
        """What the collector last said of itself; None before its first word."""
        return self._status

    def send_evidence(self, hostnames: Collection[str]) -> None:
        """Tell the collector that these workers answered an inspect; forgotten when it is not running."""
        if hostnames:
            self._send("evidence", sorted(hostnames))

    def send_queues(self, names: Collection[str]) -> None:
        """Tell the collector that these queues are there; forgotten when it is not running."""
        if names:
            self._send("queues", sorted(names))

    def send_samples(self, samples: Sequence[QueueSample]) -> None:
        """Give the collector figures of queues to store; forgotten when it is not running."""
        if samples:
            self._send("samples", samples)

    def send_stalls(self, stalls: Sequence[Stall]) -> None:
        """Tell the collector which workers are stalled now, so that others can read it in its status."""
        self._send("stalls", stalls)

    def _send(self, what: str, items: Sequence[Any]) -> None:
        line = msgspec.json.encode({what: items}) + b"\n"
        with self._lock:
            process = self._process
            if process is None or process.stdin is None:
                return
            try:
                process.stdin.write(line)
                process.stdin.flush()
            except (OSError, ValueError):
                pass  # it has just died, and the next one will ask again

    def _keep_running(self) -> None:
        # what this thread starts inherits it: a Ctrl-C of the terminal waits until the collector can end in order
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        wait = FIRST_WAIT
        while not self._stopping.is_set():
            begun = time.monotonic()
            code = self._run_once()
            if self._stopping.is_set():
                return
            self.restarts += 1
            status = self._status
            if status is not None and status.state != "standby":
                # nobody hears of anything until the next one says so
                self._status = msgspec.structs.replace(status, state="connecting", proof_at=None)
            wait = FIRST_WAIT if time.monotonic() - begun > HEALTHY_RUN else min(wait * 2, LAST_WAIT)
            _log.error(
                "The collector ended with code %s; it is started again in %.1f s.",
                code,
                wait,
            )
            self._stopping.wait(wait)

    def _run_once(self) -> int:
        """Start a collector and read its words until it ends; return its exit code."""
        process = subprocess.Popen(
            [sys.executable, "-m", "umbel.ingest.collector"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # glibc's heap for each thread keeps 40 MB after a burst that one heap gives back
            env={"MALLOC_ARENA_MAX": "1", **os.environ},
        )
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        relay = threading.Thread(target=_relay, args=(process.stderr,), name="umbel-relay", daemon=True)
        relay.start()
        with self._lock:
            self._process = process
        try:
            process.stdin.write(msgspec.json.encode(self._settings) + b"\n")
            process.stdin.flush()
        except OSError:
            pass  # it died at once; its exit code says so below
        if self._stopping.is_set():
            self._end(process)
        with process.stdout as statuses:
            self._hear(statuses)
        code = process.wait()
        self._close_stdin(process)
        return code

    def _hear(self, statuses: IO[bytes]) -> None:
        """Keep the latest status until the collector ends."""
        decoder = msgspec.json.Decoder(CollectorStatus)
        for line in statuses:
            before = self._status
            try:
                self._status = now = decoder.decode(line)
            except msgspec.MsgspecError:
                _log.warning("The collector wrote something else than its status: %r", line[:200])
            else:
                if before is None or now.feed != before.feed or now.state == "standby":
                    self.on_rows()

    def _close_stdin(self, process: subprocess.Popen[bytes]) -> None:
        """The sign for the collector to end."""
        with self._lock:
            if process.stdin is not None:
                with suppress(OSError):  # it has ended already
                    process.stdin.close()

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        self._close_stdin(process)
        try:
            process.wait(STOP_TIME)
        except subprocess.TimeoutExpired:
            process.kill()


def _relay(stderr: IO[bytes]) -> None:
    """Log the collector's lines as our own, so that level, format and file are the same for both processes."""
    level = logging.INFO
    with stderr:
        for line in stderr:
            first, _, rest = line.decode("utf-8", "replace").rstrip("\n").partition(" ")
            known = _LEVELS.get(first)
            level = level if known is None else known  # a traceback's lines follow their message
            _log.log(level, "%s", f"{first} {rest}" if known is None else rest)
