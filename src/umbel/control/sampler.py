"""Looks at the queues now and then, watched or not: their figures go into the history, and stalled workers are found.

One thread of the server. It asks rarely while nothing changes, so that a monitor at rest costs next to nothing, and not
at all while another monitor writes the history.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as FutureTimeout

from umbel.control.queues import Board, Queues, QueueState
from umbel.control.stalls import StallWatch
from umbel.errors import BrokerError, StoreError
from umbel.model.queue import QueueSample
from umbel.model.stall import Stall
from umbel.store.status import CollectorStatus

_log = logging.getLogger(__name__)

#: Seconds between two readings while queues move or somebody looks, and while nothing happens.
FASTEST, SLOWEST = 5.0, 15.0
#: Seconds before the first one: the first pages come first.
START_AFTER = 2.0
#: Of the CPU of one core, what readings may take while nobody looks, as long as they come once in LONGEST seconds, and
#: in DEAR times the step in which stalled workers are found in time.
SHARE, LONGEST, DEAR = 0.0005, 55.0, 4 / 3
#: Seconds between two readings at least.
_BRIEFEST = 0.5
#: Seconds that samples of unchanged figures may wait, so that several are stored at once.
GATHER = 60.0
#: Queues of which samples are kept: the longest ones.
MOST_QUEUES = 300
#: Seconds for which a sample stands at most.
_LONGEST_WEIGHT = 60.0
#: Seconds that a reading may take until it is left to its own time-out.
_PATIENCE = 60.0


class Pace:
    """How long to wait until the next reading."""

    def __init__(self, longest_step: float) -> None:
        """At most so many seconds; a third more where readings are dear."""
        self.fastest, self._slowest = min(FASTEST, longest_step), min(SLOWEST, longest_step)
        self._longest = min(LONGEST, longest_step * DEAR)
        self.pause = self.fastest

    def note(self, *, moves: bool, is_watched: bool, cost: float) -> None:
        """A reading cost so much CPU, and this is what it was like."""
        if is_watched:
            self.pause = self.fastest
            return
        slower = self.fastest if moves else min(self.pause * 1.5, self._slowest)
        self.pause = min(max(slower, cost / SHARE), self._longest)


class Sampler:
    """Reads, stores and judges until it is stopped."""

    def __init__(
        self,
        queues: Queues,
        stalls: StallWatch,
        *,
        get_status: Callable[[], CollectorStatus | None],
        send: Callable[[Sequence[QueueSample]], None],
        send_stalls: Callable[[Sequence[Stall]], None] = lambda _: None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`get_status` is the word of our own collector, to which `send` gives samples, and `send_stalls` the workers
        that are stalled."""
        self._queues = queues
        self._stalls = stalls
        self._get_status = get_status
        self._send = send
        self._send_stalls = send_stalls
        self._now = now
        self._pace = Pace(stalls.longest_step)
        #: When a suspect has to be judged, in epoch seconds UTC.
        self._due: float | None = None
        #: The latest reading, while it is true.
        self._board: Board | None = None
        self._figures: object = None
        self._unsent: list[QueueSample] = []
        self._stopping = threading.Event()
        #: Rung when somebody comes to look, and at the end.
        self._bell = threading.Event()
        queues.on_look = self._bell.set
        self._thread = threading.Thread(target=self._run, name="umbel-sampler", daemon=True)

    def start(self) -> None:
        """Begin, in the background."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a reading under way is left to its own time-out."""
        self._stopping.set()
        self._bell.set()
        if self._thread.is_alive():
            self._thread.join(timeout=1.0)

    def healthy(self) -> bool:
        """The thread runs."""
        return self._thread.is_alive()

    @property
    def stalls(self) -> tuple[Stall, ...]:
        """The workers that take no tasks though they could."""
        return self._stalls.get()

    def get_board(self) -> Board | None:
        """The latest reading; None where nothing is sampled."""
        return self._board

    def _run(self) -> None:
        begun = time.monotonic()
        due = begun + START_AFTER
        while not self._stopping.is_set():
            if self._bell.wait(due - time.monotonic()):
                self._bell.clear()
                due = min(due, begun + self._pace.fastest)
                continue
            begun = time.monotonic()
            try:
                self.sample()
            except (BrokerError, StoreError, FutureTimeout, CancelledError, RuntimeError) as exc:
                # too much is asked already, the history is in trouble, or the server stops
                _log.debug("The queues could not be sampled: %r", exc)
                self._board = self._due = None
            due = time.monotonic() + self.pause

    @property
    def pause(self) -> float:
        """Seconds until the next reading: sooner where a suspect has to be judged."""
        due = self._pace.pause if self._due is None else self._due - self._now()
        return max(min(due, self._pace.pause), _BRIEFEST)

    def sample(self) -> None:
        """Take one reading, where it is ours to take."""
        status = self._get_status()
        if status is None or status.state == "standby":
            self._board, self._due, self._unsent = None, None, []
            self._stalls.forget()
            return
        is_watched = self._queues.is_watched
        # of the pages' readings none is missed, and none is made beside them
        board = self._queues.request_unwatched(max_age=self._pace.fastest - 0.5).result(_PATIENCE)
        before, self._board = self._board, board
        self._judge(board)
        if before is not None and before.time == board.time:
            return
        figures = {name: _figures(state) for name, state in board.queues.items()}
        moves, self._figures = figures != self._figures, figures
        self._pace.note(moves=moves or self._stalls.suspects, is_watched=is_watched, cost=board.cost)
        self._keep(board, before, at_once=moves or is_watched)

    def _judge(self, board: Board) -> None:
        before = self._stalls.get()
        self._due = self._stalls.note(board, self._now())
        stalls = self._stalls.get()
        if stalls or before:
            self._send_stalls(stalls)

    def _keep(self, board: Board, before: Board | None, *, at_once: bool) -> None:
        elapsed = FASTEST if before is None else board.time - before.time
        seconds = min(max(elapsed, 0.1), _LONGEST_WEIGHT)
        self._unsent += samples_of(board, seconds)
        if self._unsent and (at_once or board.time - self._unsent[0].time + self._pace.pause > GATHER):
            samples, self._unsent = self._unsent, []
            self._send(samples)


def samples_of(board: Board, seconds: float) -> list[QueueSample]:
    """The figures of the longest queues; of a queue of which nothing is known there are none."""
    states = [state for state in board.queues.values() if state.figures.exists is not False and _knows(state)]
    states.sort(key=lambda s: (-(length_of(s) or 0), s.known_from == ("history",), s.figures.name))
    return [
        QueueSample(
            queue=state.figures.name,
            time=board.time,
            seconds=seconds,
            messages=length_of(state),
            unacked=state.figures.unacked,
            consumers=state.figures.consumers,
            oldest=oldest_of(state),
        )
        for state in states[:MOST_QUEUES]
    ]


def length_of(state: QueueState) -> int | None:
    """All messages, or those that are ready where only that is known."""
    figures = state.figures
    return figures.ready if figures.messages is None else figures.messages


def oldest_of(state: QueueState) -> float | None:
    """Seconds that the oldest waiting message waits, as far as known; 0 where none waits."""
    if state.oldest is not None:
        return state.oldest[1].seconds
    return 0.0 if state.figures.oldest == () else None


def _figures(state: QueueState) -> tuple[int | None, ...]:
    figures = state.figures
    return figures.messages, figures.ready, figures.unacked, figures.consumers


def _knows(state: QueueState) -> bool:
    return length_of(state) is not None or state.figures.unacked is not None
