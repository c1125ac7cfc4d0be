"""How many series `/metrics` may hold: task names beyond the bound are summed up as one, and stay so until a restart.

A name that came and went would make counters jump, so the choice is kept: the busiest names first, later ones while
there is room. Used by `metrics.flower`.
"""

from collections import Counter
from collections.abc import Mapping

#: The task name, and the sender, under which the rest is summed up.
OTHER = "(other)"


class Bound:
    """Chooses the task names that have series of their own.

    Args:
        limit: Series in all families with a task label.
        spare: Series of one sender's `OTHER`, for which room is kept once there is one.
    """

    def __init__(self, limit: int, spare: int) -> None:
        self._limit = limit
        self._spare = spare
        self._costs: Counter[str] = Counter()
        #: In the order of admission; the last one goes first.
        self._admitted: dict[str, None] = {}
        #: Names that are summed up.
        self.summed: set[str] = set()
        #: Another one each time that `summed` changes.
        self.version = 0

    def replace(self, before: Mapping[str, int], after: Mapping[str, int]) -> None:
        """One sender's series by task name were `before` and are `after`."""
        self._costs.subtract(before)
        self._costs.update(after)

    def decide(self, weights: Mapping[str, int], senders: int) -> None:
        """Admit names that are new, those with the greatest weight first, as long as there is room."""
        names = [name for name, cost in self._costs.items() if cost > 0]
        fresh = [name for name in names if name not in self._admitted and name not in self.summed]
        fresh.sort(key=lambda name: (-weights.get(name, 0), name))
        used = sum(self._costs[name] for name in self._admitted)
        total = used + sum(self._costs[name] for name in fresh)
        room = self._limit
        if self.summed or total > room:
            room = max(0, room - senders * self._spare)
        refused = []
        for name in fresh:
            if used + self._costs[name] <= room:
                used += self._costs[name]
                self._admitted[name] = None
            else:
                refused.append(name)
        while used > room and self._admitted:
            name, _ = self._admitted.popitem()
            used -= self._costs[name]
            refused.append(name)
        if refused:
            self.summed.update(refused)
            self.version += 1
