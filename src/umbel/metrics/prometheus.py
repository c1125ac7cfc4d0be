"""What `/metrics` answers: Flower's families and our own, from the store, as pieces of text.

Flower's families with a task label, which a large cluster has by the 100,000, are `metrics.flower`'s; the rest is the
client library's, in registries we own. Blocking.
"""

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from math import isinf

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from umbel.control.queues import Board
from umbel.control.roster import is_alive
from umbel.metrics.flower import FlowerFamilies
from umbel.metrics.own import own_families
from umbel.metrics.queues import queue_families, stall_families, wait_family
from umbel.metrics.section import header, label
from umbel.model.stall import Stall
from umbel.model.worker import Worker, WorkerStatus
from umbel.store.base import HistoryReader
from umbel.store.sender_counts import SenderCounters
from umbel.store.status import CollectorStatus

#: Name, type and help, as in `section.FAMILIES`.
_ONLINE = ("flower_worker_online", "gauge", "1 while the worker is there, 0 once it is lost or stopped")
_EXECUTING = (
    "flower_worker_number_of_currently_executing_tasks",
    "gauge",
    "Tasks that run on a worker now",
)


class Exposition:
    """The text that `/metrics` answers, in Prometheus' format 0.0.4.

    Args:
        bounds: The histogram's upper bounds in seconds, ascending, with or without the infinite one.
        get_board: The queues as last sampled; None where nothing is sampled.
        get_stalls: The workers that are stalled.
        limit: Series that families with a task label may have; beyond them task names are summed up.
        counters: Those of all senders, where others read them as well.
    """

    def __init__(
        self,
        reader: HistoryReader,
        fetch_collector: Callable[[], CollectorStatus | None],
        now: Callable[[], float],
        bounds: Sequence[float],
        fetch_listed: Callable[[], list[Worker]],
        *,
        get_board: Callable[[], Board | None] = lambda: None,
        get_stalls: Callable[[], Collection[Stall]] = tuple,
        limit: int,
        counters: SenderCounters | None = None,
    ) -> None:
        self._reader = reader
        self._fetch_collector = fetch_collector
        self._now = now
        self._fetch_listed = fetch_listed
        self._get_board = get_board
        self._get_stalls = get_stalls
        self._limit = limit
        self._lock = threading.Lock()
        self._flower = FlowerFamilies(
            reader, [bound for bound in bounds if not isinf(bound)], limit=limit, counters=counters
        )
        self._process = CollectorRegistry(auto_describe=False)
        GCCollector(registry=self._process)
        PlatformCollector(registry=self._process)
        ProcessCollector(registry=self._process)

    def render(self) -> list[bytes]:
        """The text in pieces, most of which the next text shares."""
        with self._lock:
            workers = self._fetch_listed()
            families = self._flower.render(workers)
            board = self._get_board()
            own = [
                *self._own_families(),
                *queue_families(board),
                wait_family(self._reader.fetch_waits()),
                *stall_families(board, workers, self._get_stalls()),
            ]
        process = generate_latest(self._process)
        return [process, *families, write_worker_gauges(workers), generate_latest(_Families(own))]

    def _own_families(self) -> Iterator[Metric]:
        yield from own_families(self._reader, self._fetch_collector(), self._now())
        yield GaugeMetricFamily(
            "umbel_metrics_series", "Series with a task label in this answer", value=self._flower.series
        )
        yield GaugeMetricFamily(
            "umbel_metrics_series_limit", "How many of them there may be", value=self._limit
        )
        yield GaugeMetricFamily(
            "umbel_metrics_tasks_summed",
            'Task names that are summed up as "(other)" to stay within the limit',
            value=self._flower.summed,
        )


class _Families(Collector):
    """Families that are made already, in the manner of a registry."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def write_worker_gauges(workers: Iterable[Worker]) -> bytes:
    """Written out by hand, as those with a task label."""
    online, executing = [header(*_ONLINE).decode()], [header(*_EXECUTING).decode()]
    for worker in workers:
        alive = is_alive(worker)
        name = label(worker.hostname)
        # of a worker that nothing is known of, no number is better than a wrong one
        if worker.status is not WorkerStatus.UNKNOWN:
            online.append(f'flower_worker_online{{worker="{name}"}} {float(alive)}\n')
        if worker.active is not None:
            value: str = floatToGoString(worker.active if alive else 0)  # type: ignore[no-untyped-call]
            executing.append(f'{_EXECUTING[0]}{{worker="{name}"}} {value}\n')
    return "".join(online + executing).encode()
