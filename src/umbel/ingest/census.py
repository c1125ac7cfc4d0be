"""What a count of control subscriptions, all that Redis tells, says of silent workers: of all of them, or nothing.

A worker that died a moment ago is not silent yet. So a count proves that the silent ones are gone only once as many
others as were counted have spoken after it. Pure; asked by `ingest.workers`, counted by `ingest.control_line`.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterator

import msgspec

from umbel.ingest.source import Presence
from umbel.model.worker import Worker

#: Seconds that a word may have been on its way: one heard sooner after a count may have been sent before it.
ON_THE_WAY = 1.0
#: Counts kept until enough others have spoken.
_KEPT = 4


class _Count(msgspec.Struct, frozen=True):
    asked: float
    reached: int
    silent: frozenset[str]


class Census:
    """The latest counts, each weighed until it says something or newer ones have taken its place."""

    def __init__(self) -> None:
        self._counts: deque[_Count] = deque(maxlen=_KEPT)

    def add(self, reached: int, silent: Collection[str], *, asked: float) -> None:
        """`reached` subscriptions were there when `silent` workers were asked about."""
        self._counts.append(_Count(asked, reached, frozenset(silent)))

    def weigh(
        self, workers: Collection[Worker], *, is_gone: Callable[[Worker], bool]
    ) -> Iterator[tuple[Presence, float]]:
        """What the counts prove by now, with the time at which each was taken; told once.

        Args:
            is_gone: The worker is known to have no subscription.
        """
        for count in list(self._counts):
            presence = _weigh(count, workers, is_gone)
            if presence is not None:
                self._counts.remove(count)
                yield presence, count.asked


def _weigh(count: _Count, workers: Collection[Worker], is_gone: Callable[[Worker], bool]) -> Presence | None:
    silent = frozenset(w.hostname for w in workers if w.hostname in count.silent and w.heard <= count.asked)
    others = [w for w in workers if w.hostname not in silent]
    spoke = sum(
        w.heard > count.asked + ON_THE_WAY and w.run_started < count.asked and w.stopped_at is None
        for w in others
    )
    if count.reached <= spoke:
        return Presence(known=True, absent=silent)
    possible = sum(w.heard > count.asked or not (w.stopped_at is not None or is_gone(w)) for w in others)
    if count.reached >= possible + len(silent):
        return Presence(known=True, present=silent)
    return None
