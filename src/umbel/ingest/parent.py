"""The collector's side of the pipes to its parent: takes commands, and says how it is.

Both in threads of their own, so that the parent hears of a history that takes no writes, too. Started by
`ingest.collector`; the other side is `ingest.supervise`.
"""

import io
import logging
import time
from collections.abc import Callable, Iterator
from typing import IO

import msgspec

from umbel.ingest.bell import Bell
from umbel.ingest.source import SourceHealth
from umbel.model.queue import QueueSample
from umbel.model.stall import Stall
from umbel.store.status import BELIEVED, CollectorStatus

_log = logging.getLogger("umbel.ingest.collector")

#: Bytes read at once: what a pipe holds.
_PIECE = 65536

#: Seconds between two lines while something happens.
INTERVAL = 1.0
#: The same while nothing does.
QUIET_INTERVAL = BELIEVED / 2


class Command(msgspec.Struct, frozen=True):
    """A line on stdin after the first."""

    #: Workers that answered an inspect just now.
    evidence: list[str] = msgspec.field(default_factory=list)
    #: Queues that workers or the broker told of.
    queues: list[str] = msgspec.field(default_factory=list)
    #: Figures of queues, oldest first.
    samples: list[QueueSample] = msgspec.field(default_factory=list)
    #: All workers that are stalled now; None where that is not what this is about.
    stalls: list[Stall] | None = None


def obey(stdin: io.FileIO, take: Callable[[Command], None], stop: Callable[[], None]) -> None:
    """Take commands until the parent closes the pipe, which it also does by dying; then `stop`."""
    for line in _lines(stdin):
        try:
            take(msgspec.json.decode(line, type=Command))
        except msgspec.MsgspecError as error:
            _log.warning("A command could not be read: %s", error)
    stop()


def _lines(stdin: io.FileIO) -> Iterator[bytearray]:
    """What comes, line by line. (The file's own lines, as it has no buffer, would cost a call of the system a byte.)"""
    waiting = bytearray()
    while piece := stdin.read(_PIECE):
        waiting += piece
        if b"\n" in piece:
            *lines, waiting = waiting.split(b"\n")
            yield from lines


class Reporter:
    """Writes statuses until the parent is gone."""

    def __init__(self, get_status: Callable[[], CollectorStatus]) -> None:
        self._get_status = get_status
        self._news = Bell()
        self._health: SourceHealth | None = None

    def wake(self) -> None:
        """There is something to tell. From any thread."""
        self._news.set()

    def note_health(self, health: SourceHealth) -> None:
        """How the source is now: what is new of it is told at once."""
        known, self._health = self._health, health
        if known is None or health != msgspec.structs.replace(known, proof_at=health.proof_at):
            self.wake()

    def run(self, stdout: IO[bytes], stop: Callable[[], None]) -> None:
        """Write a line now and then, until nobody reads any more; then `stop`."""
        try:
            self._run(stdout)
        except (BrokenPipeError, ValueError):
            stop()

    def _run(self, stdout: IO[bytes]) -> None:
        encode = msgspec.json.Encoder().encode
        last: CollectorStatus | None = None
        while True:
            status = self._get_status()
            stdout.write(encode(status) + b"\n")
            stdout.flush()
            if last is None or is_news(last, status):
                time.sleep(INTERVAL)
            else:
                self._news.wait(QUIET_INTERVAL)
                self._news.clear()
            last = status


def is_news(before: CollectorStatus, now: CollectorStatus) -> bool:
    """Whether anything is otherwise than before; another proof of life alone is nothing new."""
    return now != msgspec.structs.replace(before, time=now.time, proof_at=now.proof_at)
