"""The families of queues, waits and stalled workers, with a bound on their series: what the sampler last saw, and the
history's totals."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import accumulate

from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric

from umbel.control.queues import Board, QueueState
from umbel.control.roster import is_alive
from umbel.control.sampler import length_of, oldest_of
from umbel.metrics.section import number
from umbel.model.stall import Stall
from umbel.model.wait import WAIT_BOUNDS
from umbel.model.worker import Worker
from umbel.store.base import Runtimes

#: Queues that have series: the longest ones.
MOST_QUEUES = 1_000

#: Basis of an age -> its label.
_BASES = {"sent": "sent", "first-seen": "seen"}


def queue_families(board: Board | None) -> Iterator[Metric]:
    """The queues as last sampled; nothing where nothing is sampled. An unknown figure has no sample."""
    if board is None:
        return
    there = sorted(filter(_is_there, board.queues.values()), key=_by_length)
    shown = sorted(there[:MOST_QUEUES], key=lambda state: state.figures.name)
    messages = GaugeMetricFamily(
        "umbel_queue_messages", "Messages of a queue, those that workers hold included", labels=["queue"]
    )
    unacked = GaugeMetricFamily("umbel_queue_unacked", "Messages that workers hold", labels=["queue"])
    consumers = GaugeMetricFamily("umbel_queue_consumers", "Consumers of a queue", labels=["queue"])
    oldest = GaugeMetricFamily(
        "umbel_queue_oldest_seconds", "How long the oldest waiting message waits", labels=["queue", "basis"]
    )
    for state in shown:
        name = state.figures.name
        for family, value in (
            (messages, length_of(state)),
            (unacked, state.figures.unacked),
            (consumers, state.figures.consumers),
        ):
            if value is not None:
                family.add_metric([name], value)
        age = oldest_of(state)
        if age is not None:
            basis = "sent" if state.oldest is None else _BASES[state.oldest[1].basis]
            oldest.add_metric([name, basis], age)
    yield from (messages, unacked, consumers, oldest)
    yield GaugeMetricFamily(
        "umbel_queues_left_out",
        "Queues without series, for there are too many",
        value=len(there) - len(shown),
    )
    yield GaugeMetricFamily(
        "umbel_queues_sampled_timestamp_seconds", "When the queues were last read", value=board.time
    )


def wait_family(waits: Mapping[tuple[str, str], Runtimes]) -> Metric:
    """How long tasks waited until they were started, in buckets of its own."""
    family = HistogramMetricFamily(
        "umbel_task_wait_seconds",
        "Time until tasks without ETA were started, since they were sent, or received where that is not known",
        labels=["task", "basis"],
    )
    for (basis, task), seen in waits.items():
        bounds = [*map(number, WAIT_BOUNDS), "+Inf"]
        buckets = list(zip(bounds, accumulate(seen.buckets), strict=True))
        family.add_metric([task, basis], buckets, seen.sum)
    return family


def stall_families(
    board: Board | None, workers: Iterable[Worker], stalls: Collection[Stall]
) -> Iterator[Metric]:
    """Which of the living workers take no tasks though they could."""
    if board is None:
        return
    stalled = {stall.worker for stall in stalls}
    family = GaugeMetricFamily(
        "umbel_worker_stalled",
        "1 while a living worker takes no tasks though its queue waits",
        labels=["worker"],
    )
    for worker in workers:
        if is_alive(worker):
            family.add_metric([worker.hostname], float(worker.hostname in stalled))
    yield family


def _is_there(state: QueueState) -> bool:
    """Something but the history knows of it, or something lies in it: a queue that is gone has no series."""
    if state.figures.exists is False:
        return False
    return state.known_from != ("history",) or bool(length_of(state))


def _by_length(state: QueueState) -> tuple[int, str]:
    return -(length_of(state) or 0), state.figures.name
