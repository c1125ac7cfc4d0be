"""Flower's metric families and our own, computed from the store when Prometheus asks, in a registry we own.

Counters and histograms are totals since the history began: restarts and retention don't reset them. Blocking.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import isinf

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from umbel.control.roster import is_alive
from umbel.metrics.own import own_families
from umbel.model.worker import Worker, WorkerStatus
from umbel.store.base import CollectorStatus, CounterKey, HistoryReader, Runtimes


class Exposition:
    """The text that `/metrics` answers."""

    def __init__(
        self,
        reader: HistoryReader,
        fetch_collector: Callable[[], CollectorStatus | None],
        now: Callable[[], float],
        bounds: Sequence[float],
        fetch_listed: Callable[[], list[Worker]],
    ) -> None:
        """`bounds` are the histogram's upper bounds in seconds, ascending, with or without the infinite one."""
        self._registry = CollectorRegistry(auto_describe=False)
        GCCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        ProcessCollector(registry=self._registry)
        self._registry.register(FlowerFamilies(reader, bounds, fetch_listed))
        self._registry.register(OwnFamilies(reader, fetch_collector, now))

    def render(self) -> bytes:
        """Prometheus' text format 0.0.4."""
        return generate_latest(self._registry)


class OwnFamilies(Collector):
    """`umbel_*`."""

    def __init__(
        self,
        reader: HistoryReader,
        fetch_collector: Callable[[], CollectorStatus | None],
        now: Callable[[], float],
    ) -> None:
        self._reader = reader
        self._fetch_collector = fetch_collector
        self._now = now

    def collect(self) -> Iterable[Metric]:
        return own_families(self._reader, self._fetch_collector(), self._now())

    def describe(self) -> Iterable[Metric]:
        """Nothing: registering must not read the store."""
        return []


class FlowerFamilies(Collector):
    """The six `flower_*` families, for the workers that lists hold and for clients."""

    def __init__(
        self,
        reader: HistoryReader,
        bounds: Sequence[float],
        fetch_listed: Callable[[], list[Worker]],
    ) -> None:
        self._reader = reader
        self._bounds = [bound for bound in bounds if not isinf(bound)]
        self._fetch_listed = fetch_listed

    def describe(self) -> Iterable[Metric]:
        """Nothing: registering must not read the store."""
        return []

    def collect(self) -> Iterator[Metric]:
        workers = {worker.hostname: worker for worker in self._fetch_listed()}
        counters = {
            key: count
            for key, count in sorted(self._reader.fetch_counters().items(), key=lambda item: _labels(item[0]))
            if key.type.startswith("task-") and (key.worker in workers or key.type == "task-sent")
        }
        yield self._events(workers, counters)
        yield self._runtimes(workers, self._reader.fetch_runtimes())
        yield self._prefetch_time(_pairs(counters, "task-started"))
        yield self._prefetched(_pairs(counters, "task-received"))
        yield from _worker_gauges(workers.values())

    def _events(self, workers: dict[str, Worker], counters: dict[CounterKey, int]) -> Metric:
        family = CounterMetricFamily(
            "flower_events", "Task events by sender, type and task name", labels=["worker", "type", "task"]
        )
        began = _began(workers)
        for key, count in counters.items():
            family.add_metric([key.worker, key.type, key.task], count, created=began(key.worker))
        return family

    def _runtimes(self, workers: dict[str, Worker], runtimes: dict[tuple[str, str], Runtimes]) -> Metric:
        name = "flower_task_runtime_seconds"
        family = HistogramMetricFamily(name, "Run times of succeeded tasks", labels=["worker", "task"])
        began = _began(workers)
        for (worker, task), seen in sorted(runtimes.items()):
            if worker in workers:
                family.add_metric([worker, task], self._cumulative(seen), sum_value=seen.sum)
                family.add_sample(f"{name}_created", {"worker": worker, "task": task}, began(worker))
        return family

    def _cumulative(self, seen: Runtimes) -> list[tuple[str, float]]:
        """(upper bound, observations up to it); the store counts each bucket alone."""
        buckets: list[tuple[str, float]] = []
        total = 0
        for bound, count in zip([*map(str, map(float, self._bounds)), "+Inf"], seen.buckets, strict=True):
            total += count
            buckets.append((bound, total))
        return buckets

    def _prefetch_time(self, pairs: Iterable[tuple[str, str]]) -> Metric:
        family = GaugeMetricFamily(
            "flower_task_prefetch_time_seconds",
            "Seconds that the task running now waited at its worker; 0 when none runs",
            labels=["worker", "task"],
        )
        running = self._reader.fetch_running()
        for pair in pairs:
            family.add_metric(list(pair), running.get(pair, (0, 0.0))[1])
        return family

    def _prefetched(self, pairs: Iterable[tuple[str, str]]) -> Metric:
        family = GaugeMetricFamily(
            "flower_worker_prefetched_tasks",
            "Tasks received by a worker and not started",
            labels=["worker", "task"],
        )
        prefetched = self._reader.fetch_prefetched()
        for pair in pairs:
            family.add_metric(list(pair), prefetched.get(pair, 0))
        return family


def _worker_gauges(workers: Iterable[Worker]) -> Iterator[Metric]:
    online = GaugeMetricFamily(
        "flower_worker_online", "1 while the worker is there, 0 once it is lost or stopped", labels=["worker"]
    )
    executing = GaugeMetricFamily(
        "flower_worker_number_of_currently_executing_tasks",
        "Tasks that run on a worker now",
        labels=["worker"],
    )
    for worker in workers:
        alive = is_alive(worker)
        # of a worker that nothing is known of, no number is better than a wrong one
        if worker.status is not WorkerStatus.UNKNOWN:
            online.add_metric([worker.hostname], float(alive))
        if worker.active is not None:
            executing.add_metric([worker.hostname], worker.active if alive else 0)
    yield online
    yield executing


def _pairs(counters: Iterable[CounterKey], type_: str) -> Iterator[tuple[str, str]]:
    """(worker, task) for which events of this type were counted."""
    return ((key.worker, key.task) for key in counters if key.type == type_)


def _labels(key: CounterKey) -> tuple[str, str, str]:
    return key.worker, key.type, key.task


def _began(workers: dict[str, Worker]) -> Callable[[str], float]:
    """Since when a sender's totals count: a worker's first sight, and for clients that of the first worker."""
    earliest = min((worker.first_seen for worker in workers.values()), default=0.0)
    return lambda name: workers[name].first_seen if name in workers else earliest
