"""The counters of every sender, kept in memory in step with the store: only what changed is read again.

Shared by the worker table, the live stream and `/metrics`. A sender's task names and event types rarely change while
its totals do, so they are told apart: what is made of the names once, serves for all totals to come.
"""

import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter

import msgspec

from umbel.store.base import HistoryReader
from umbel.store.changed import ChangedSenders
from umbel.store.packed import PackedCounts

_decode_texts = msgspec.json.Decoder(list[str]).decode
_decode_totals = msgspec.json.Decoder(list[int]).decode


class Layout:
    """Which counters a sender has; equal ones are the same object."""

    __slots__ = ("_pickers", "of_tasks", "packed", "places", "tasks", "types")

    def __init__(self, packed: tuple[str, str]) -> None:
        #: As the store packs them: the task names, and the event types.
        self.packed = packed
        # names are few, and each sender has the same ones
        self.tasks = tuple(map(sys.intern, _decode_texts(packed[0])))
        self.types = tuple(map(sys.intern, _decode_texts(packed[1])))
        places: dict[str, list[int]] = {}
        for place, kind in enumerate(self.types):
            places.setdefault(kind, []).append(place)
        #: Event type -> the places of its counters, by type.
        self.places = {kind: tuple(places[kind]) for kind in sorted(places)}
        #: The places of counters of task events.
        self.of_tasks = tuple(place for place, kind in enumerate(self.types) if kind.startswith("task-"))
        self._pickers = {kind: pick(found) for kind, found in self.places.items()}

    def sum_by_type(self, totals: list[int]) -> dict[str, int]:
        """Event type -> sum of its totals, by type."""
        return {kind: sum(picked(totals)) for kind, picked in self._pickers.items()}


def pick(places: Sequence[int]) -> Callable[[list[int]], Sequence[int]]:
    """What takes the values at these places, of which there is one at least."""
    if places[-1] - places[0] + 1 == len(places):
        return itemgetter(slice(places[0], places[-1] + 1))
    return itemgetter(*places)


class SenderCounts:
    """One sender's counters as last read; a change makes a new one, so that equal ones are the same object."""

    __slots__ = ("_packed", "layout")

    def __init__(self, layout: Layout, packed: str) -> None:
        self.layout = layout
        self._packed = packed

    def is_of(self, packed: PackedCounts) -> bool:
        """They are these."""
        return self._packed == packed.totals and self.layout.packed == (packed.tasks, packed.types)

    def totals(self) -> list[int]:
        """In the order of the layout."""
        return _decode_totals(self._packed)

    def by_type(self) -> dict[str, int]:
        """Event type ("task-received") -> total over all tasks, by type."""
        summed = self.layout.sum_by_type(self.totals())
        return summed if all(summed.values()) else {kind: total for kind, total in summed.items() if total}


class SenderCounters:
    """The counters of all senders. Thread-safe."""

    def __init__(self, reader: HistoryReader) -> None:
        self._reader = reader
        self._changed = ChangedSenders(reader)
        self._lock = threading.Lock()
        self._counts: dict[str, SenderCounts] = {}

    def fetch(self) -> Mapping[str, SenderCounts]:
        """Sender -> counters, of those that have any: a snapshot, at least as new as the call."""
        with self._lock, self._changed.fetch() as names:
            if names is None or names:
                self._refresh(names)
            return self._counts

    def _refresh(self, names: frozenset[str] | None) -> None:
        found = self._reader.fetch_packed_counts(names)
        known = self._counts
        layouts = {counts.layout.packed: counts.layout for counts in known.values()}
        counts = {} if names is None else {name: known[name] for name in known if name not in names}
        for sender, packed in found.items():
            before = known.get(sender)
            if before is not None and before.is_of(packed):
                counts[sender] = before
                continue
            key = packed.tasks, packed.types
            layout = layouts.get(key)
            if layout is None:
                layout = layouts[key] = Layout(key)
            counts[sender] = SenderCounts(layout, packed.totals)
        self._counts = counts
