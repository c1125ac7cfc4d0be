"""Flower's families with a task label: text kept per sender, and rendered again only where its counters changed.

Made from the store when Prometheus asks; counters and histograms are totals since the history began. Blocking.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from umbel.metrics.bound import OTHER, Bound
from umbel.metrics.section import (
    FAMILIES,
    HISTOGRAMS,
    SENT,
    Key,
    Section,
    Writer,
    costs_of,
    header,
    sum_up,
    unpack_runtimes,
)
from umbel.model.worker import Worker
from umbel.store.base import HistoryReader
from umbel.store.packed import PackedRuntimes
from umbel.store.sender_counts import Layout, SenderCounters, SenderCounts, pick

#: Clients with series of their own, the first that were seen; further ones are summed up.
MAX_CLIENTS = 1000
#: Event types that a task name usually has at one sender: what is kept free for `OTHER`.
_USUAL_TYPES = 5


class Shown(NamedTuple):
    """What a sender's lines tell."""

    numbers: Sequence[int]
    #: Which lines there are, but for what is summed up of them; equal ones are the same.
    shape: "Shape"


class Shape(NamedTuple):
    """The counters of `layout` at these places; or those of the crowd, by task."""

    layout: Layout | None
    places: tuple[int, ...]
    tasks: tuple[str, ...] = ()

    def keys(self) -> tuple[Key, ...]:
        """What they count."""
        if self.layout is None:
            return tuple([(task, SENT) for task in self.tasks])
        tasks, types = self.layout.tasks, self.layout.types
        return tuple([(tasks[place], types[place]) for place in self.places])


_NOTHING = Shown((), Shape(None, ()))


class FlowerFamilies:
    """The families' text, for the workers that lists hold and for clients. Used by one thread at a time.

    Args:
        bounds: Finite upper bounds of the histogram in seconds, ascending.
        limit: Series that these families may have.
    """

    def __init__(
        self,
        reader: HistoryReader,
        bounds: Sequence[float],
        *,
        limit: int,
        counters: SenderCounters | None = None,
    ) -> None:
        self._reader = reader
        self._counters = counters or SenderCounters(reader)
        self._writer = Writer(bounds)
        self._bound = Bound(limit, 2 * _USUAL_TYPES + 5 + self._writer.buckets)
        self._sections: dict[str, Section] = {}
        #: Clients with a section of their own.
        self._clients: set[str] = set()
        #: Counters of the other clients, and the sums of those that the history has let go: a total that falls would
        #: look like a restart.
        self._crowd: dict[str, dict[str, int]] = {}
        self._left: Counter[str] = Counter()
        self._crowd_changed = False
        self._earliest = 0.0

    @property
    def series(self) -> int:
        """Series in the last text."""
        return sum(map(self._writer.count_series, self._sections.values()))

    @property
    def summed(self) -> int:
        """Task names that are summed up as `OTHER`."""
        return len(self._bound.summed)

    def render(self, listed: Iterable[Worker]) -> list[bytes]:
        """The text in pieces, which are shared with the next one: families one after the other, senders by name."""
        workers = {worker.hostname: worker for worker in listed}
        self._earliest = min((worker.first_seen for worker in workers.values()), default=0.0)
        self._refresh(self._counters.fetch(), workers)
        self._write_gauges()
        sections = [section for _, section in sorted(self._sections.items())]
        pieces = []
        for index, family in enumerate(FAMILIES):
            pieces.append(header(*family))
            if index == HISTOGRAMS:
                for section in sections:
                    pieces += section.histograms.values()
            else:
                pieces += [section.texts[index] for section in sections if section.texts[index]]
        return pieces

    def _refresh(self, counts: Mapping[str, SenderCounts], workers: Mapping[str, Worker]) -> None:
        """Bring the sections up to date with the counters and the list."""
        told = {sender: known for sender, known in counts.items() if known.layout.of_tasks}
        for sender in [name for name in self._sections if name not in told and name != OTHER]:
            self._bound.replace(self._sections.pop(sender).costs, {})
            self._clients.discard(sender)
        # the second time only where the first one found too many series
        for _ in range(2):
            version = self._bound.version
            shown = self._find_changed(told, workers)
            self._weigh(shown)
            if self._bound.version == version:
                break
        self._write(shown, told, workers)

    def _find_changed(
        self, told: Mapping[str, SenderCounts], workers: Mapping[str, Worker]
    ) -> dict[str, Shown]:
        """What is to be shown of the senders whose lines are not what they should be."""
        shown: dict[str, Shown] = {}
        for sender, counts in told.items():
            section = self._sections.get(sender)
            if section is None or section.key != self._key(sender, counts, workers):
                shown[sender] = self._show(sender, counts, is_client=sender not in workers)
        self._show_crowd(shown, told)
        return shown

    def _show(self, sender: str, counts: SenderCounts, *, is_client: bool) -> Shown:
        """What the sender's own section shows."""
        layout = counts.layout
        # of those that are no workers, or none any more, only what clients do
        places = layout.places.get(SENT, ()) if is_client else layout.of_tasks
        if not places:
            return _NOTHING
        numbers = pick(places)(counts.totals())
        if not is_client or sender in self._clients or len(self._clients) < MAX_CLIENTS:
            if is_client:
                self._clients.add(sender)
            return Shown(numbers, Shape(layout, places))
        tasks = {layout.tasks[place]: total for place, total in zip(places, numbers, strict=True)}
        if self._crowd.get(sender) != tasks:
            self._crowd[sender] = tasks
            self._crowd_changed = True
        return _NOTHING

    def _show_crowd(self, shown: dict[str, Shown], told: Mapping[str, SenderCounts]) -> None:
        gone = self._crowd.keys() - told.keys()
        for sender in gone:
            self._left.update(self._crowd.pop(sender))
        section = self._sections.get(OTHER)
        if self._crowd_changed or (section is not None and section.key != self._bound.version):
            totals = Counter(self._left)
            for tasks in self._crowd.values():
                totals.update(tasks)
            shape = Shape(None, (), tuple(sorted(totals)))
            shown[OTHER] = Shown([totals[task] for task in shape.tasks], shape)

    def _key(self, sender: str, counts: SenderCounts, workers: Mapping[str, Worker]) -> object:
        # counters that did not change are the same object
        return counts, sender in workers, self._began(sender, workers), self._bound.version

    def _weigh(self, shown: Mapping[str, Shown]) -> None:
        """Note the series that new labels make, and have the bound decide about new task names."""
        weights: Counter[str] = Counter()
        is_new = False
        for sender, (numbers, shape) in shown.items():
            section = self._sections.get(sender)
            if section is None:
                section = self._sections[sender] = Section()
            if section.shape == shape:
                continue
            keys = shape.keys()
            costs = costs_of(keys, self._writer.buckets)
            self._bound.replace(section.costs, costs)
            section.costs = costs
            section.shape = shape
            # the labels are those of other counters
            section.labels = None
            is_new = True
            for (task, _), number in zip(keys, numbers, strict=True):
                weights[task] += number
        if is_new:
            self._bound.decide(weights, sum(bool(section.costs) for section in self._sections.values()))

    def _write(
        self, shown: Mapping[str, Shown], told: Mapping[str, SenderCounts], workers: Mapping[str, Worker]
    ) -> None:
        summed, version = self._bound.summed, self._bound.version
        runtimes = self._fetch_runtimes([sender for sender in shown if sender in workers])
        for sender, (numbers, shape) in shown.items():
            section = self._sections[sender]
            created = self._began(sender, workers)
            counts = None
            if not summed.isdisjoint(section.costs):
                counts = sum_up(shape.keys(), numbers, summed)
                numbers = list(counts.values())
            if section.labels != (version, created):
                keys = shape.keys() if counts is None else tuple(counts)
                self._writer.write_labels(section, sender, keys, created)
                section.labels = (version, created)
            self._writer.write_numbers(section, numbers)
            timed = unpack_runtimes(runtimes.get(sender) if sender in workers else None, summed)
            self._writer.write_runtimes(section, sender, timed, created)
            section.key = version if sender == OTHER else self._key(sender, told[sender], workers)
        self._crowd_changed = False

    def _began(self, sender: str, workers: Mapping[str, Worker]) -> float:
        """Since when its totals count: a worker's first sight, and for clients that of the first worker."""
        worker = workers.get(sender)
        return self._earliest if worker is None else worker.first_seen

    def _fetch_runtimes(self, workers: Sequence[str]) -> dict[str, PackedRuntimes]:
        if not workers:
            return {}
        is_most = 2 * len(workers) > len(self._sections)
        return self._reader.fetch_runtimes(None if is_most else workers)

    def _write_gauges(self) -> None:
        waits: dict[str, dict[str, float]] = {}
        summed = self._bound.summed
        for (worker, task), (_, wait) in self._reader.fetch_running().items():
            name = OTHER if task in summed else task
            row = waits.setdefault(worker, {})
            row[name] = max(row.get(name, 0.0), wait)
        prefetched: dict[str, dict[str, int]] = {}
        for (worker, task), count in self._reader.fetch_prefetched().items():
            name = OTHER if task in summed else task
            counted = prefetched.setdefault(worker, {})
            counted[name] = counted.get(name, 0) + count
        for sender, section in self._sections.items():
            self._writer.write_gauges(
                section, waits=waits.get(sender, {}), prefetched=prefetched.get(sender, {})
            )
