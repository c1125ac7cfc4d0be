"""Flower's families with a task label: text kept per sender, and rendered again only where its counters changed.

Made from the store when Prometheus asks; counters and histograms are totals since the history began. Blocking.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from umbel.metrics.bound import OTHER, Bound
from umbel.metrics.section import (
    FAMILIES,
    SENT,
    Section,
    Writer,
    costs_of,
    header,
    sum_up,
    sum_up_runtimes,
)
from umbel.model.worker import Worker
from umbel.store.base import HistoryReader, Runtimes, SenderCount
from umbel.store.changed import ChangedSenders

#: Clients with series of their own, the first that were seen; further ones are summed up.
MAX_CLIENTS = 1000
#: Event types that a task name usually has at one sender: what is kept free for `OTHER`.
_USUAL_TYPES = 5

_decode = msgspec.json.Decoder(list[SenderCount]).decode

Counts = Mapping[str, Sequence[SenderCount]]


class FlowerFamilies:
    """The families' text, for the workers that lists hold and for clients. Used by one thread at a time.

    Args:
        bounds: Finite upper bounds of the histogram in seconds, ascending.
        limit: Series that these families may have.
    """

    def __init__(self, reader: HistoryReader, bounds: Sequence[float], *, limit: int) -> None:
        self._reader = reader
        self._writer = Writer(bounds)
        self._bound = Bound(limit, 2 * _USUAL_TYPES + 5 + self._writer.buckets)
        self._changed = ChangedSenders(reader)
        #: Sender -> what tells one state of its counters from another.
        self._prints: dict[str, int] = {}
        self._sections: dict[str, Section] = {}
        #: Clients with a section of their own.
        self._clients: set[str] = set()
        #: Counters of the other clients.
        self._crowd: dict[str, Sequence[SenderCount]] = {}
        self._crowd_changed = False
        self._earliest = 0.0

    @property
    def series(self) -> int:
        """Series in the last text."""
        return sum(section.series for section in self._sections.values())

    @property
    def summed(self) -> int:
        """Task names that are summed up as `OTHER`."""
        return len(self._bound.summed)

    def render(self, listed: Iterable[Worker]) -> list[bytes]:
        """The text in pieces, which are shared with the next one: families one after the other, senders by name."""
        workers = {worker.hostname: worker for worker in listed}
        self._earliest = min((worker.first_seen for worker in workers.values()), default=0.0)
        with self._changed.fetch() as names:
            self._refresh(names, workers)
        self._write_gauges()
        sections = [section for _, section in sorted(self._sections.items())]
        pieces = []
        for index, family in enumerate(FAMILIES):
            pieces.append(header(*family))
            pieces += [section.texts[index] for section in sections if section.texts[index]]
        return pieces

    def _refresh(self, names: frozenset[str] | None, workers: Mapping[str, Worker]) -> None:
        """Bring the sections up to date with the counters of these senders, None for all, and with the list."""
        known: dict[str, bytes] = {}
        if names is None or names:
            known = self._reader.fetch_task_counts(names)
        if names is None:
            self._prints.clear()
        for name in names or ():
            self._prints.pop(name, None)
        self._prints.update((sender, hash(packed)) for sender, packed in known.items())
        for sender in [name for name in self._sections if name not in self._prints and name != OTHER]:
            self._bound.replace(self._sections.pop(sender).costs, {})
        # the second time only where the first one found too many series
        for _ in range(2):
            version = self._bound.version
            counts = self._read(known, workers)
            self._weigh(counts)
            if self._bound.version == version:
                break
        self._write(counts, workers)

    def _read(self, known: dict[str, bytes], workers: Mapping[str, Worker]) -> Counts:
        """What is to be shown of the senders whose lines are not what they should be; `known` grows on the way."""
        dirty = []
        for sender in self._prints:
            section = self._sections.get(sender)
            if section is None or section.key != self._key(sender, workers):
                dirty.append(sender)
        missing = [sender for sender in dirty if sender not in known]
        if missing:
            known |= self._reader.fetch_task_counts(missing)
        counts: dict[str, Sequence[SenderCount]] = {}
        for sender in dirty:
            found = _decode(known.get(sender, b"[]"))
            # of those that are no workers, or none any more, only what clients do
            shown = found if sender in workers else [count for count in found if count.type == SENT]
            counts[sender] = self._without_crowd(
                sender, shown, is_client=sender not in workers and bool(shown)
            )
        self._read_crowd(counts)
        return counts

    def _without_crowd(
        self, sender: str, shown: Sequence[SenderCount], *, is_client: bool
    ) -> Sequence[SenderCount]:
        """What the sender's own section shows."""
        if not is_client or sender in self._clients or len(self._clients) < MAX_CLIENTS:
            if is_client:
                self._clients.add(sender)
            return shown
        if self._crowd.get(sender) != shown:
            self._crowd[sender] = shown
            self._crowd_changed = True
        return ()

    def _read_crowd(self, counts: dict[str, Sequence[SenderCount]]) -> None:
        gone = self._crowd.keys() - self._prints.keys()
        for sender in gone:
            del self._crowd[sender]
        section = self._sections.get(OTHER)
        if self._crowd_changed or gone or (section is not None and section.key != self._bound.version):
            totals: Counter[str] = Counter()
            for shown in self._crowd.values():
                for count in shown:
                    totals[count.task] += count.n
            counts[OTHER] = [SenderCount(task, SENT, n) for task, n in sorted(totals.items())]

    def _key(self, sender: str, workers: Mapping[str, Worker]) -> object:
        if sender == OTHER:
            return self._bound.version
        return (
            self._prints.get(sender),
            sender in workers,
            self._began(sender, workers),
            self._bound.version,
        )

    def _weigh(self, counts: Counts) -> None:
        """Note the series that these counters make, and have the bound decide about new task names."""
        weights: Counter[str] = Counter()
        for sender, shown in counts.items():
            section = Section(None, costs_of(shown, self._writer.buckets))
            before = self._sections.get(sender)
            self._bound.replace(before.costs if before is not None else {}, section.costs)
            self._sections[sender] = section
            for count in shown:
                weights[count.task] += count.n
        self._bound.decide(weights, sum(bool(section.costs) for section in self._sections.values()))

    def _write(self, counts: Counts, workers: Mapping[str, Worker]) -> None:
        runtimes = self._fetch_runtimes([sender for sender in counts if sender in workers])
        for sender, shown in counts.items():
            section = self._sections[sender]
            self._writer.write_totals(
                section,
                sender,
                counts=sum_up(shown, self._bound.summed),
                runtimes=sum_up_runtimes(runtimes.get(sender, {}), self._bound.summed),
                created=self._began(sender, workers),
            )
            section.key = self._key(sender, workers)
        self._crowd_changed = False

    def _began(self, sender: str, workers: Mapping[str, Worker]) -> float:
        """Since when its totals count: a worker's first sight, and for clients that of the first worker."""
        worker = workers.get(sender)
        return self._earliest if worker is None else worker.first_seen

    def _fetch_runtimes(self, workers: Sequence[str]) -> dict[str, dict[str, Runtimes]]:
        found: dict[str, dict[str, Runtimes]] = {}
        if workers:
            for (worker, task), seen in self._reader.fetch_runtimes(workers).items():
                found.setdefault(worker, {})[task] = seen
        return found

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
                section, sender, waits=waits.get(sender, {}), prefetched=prefetched.get(sender, {})
            )
