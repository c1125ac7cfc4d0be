"""Which workers are shown: those that live, and those lost or stopped not longer ago than the grace period.

The one place of this rule; lists, metrics and the inspect cache all ask here.
"""

from collections.abc import Iterable

from umbel.config import Config
from umbel.model.worker import Worker, WorkerStatus

_ALIVE = frozenset({WorkerStatus.ONLINE, WorkerStatus.BUSY_SILENT})
_GONE = frozenset({WorkerStatus.LOST, WorkerStatus.STOPPED})


def is_alive(worker: Worker) -> bool:
    """Something shows that the worker is there."""
    return worker.status in _ALIVE


def is_gone(worker: Worker, now: float, grace: float) -> bool:
    """Lost or stopped, and last heard at least `grace` seconds before `now` (epoch seconds)."""
    return worker.status in _GONE and now - max(worker.heard, worker.evidence or 0.0) >= grace


def listed(workers: Iterable[Worker], now: float, grace: float) -> list[Worker]:
    """The workers that lists and metrics hold, in the order given."""
    return [worker for worker in workers if not is_gone(worker, now, grace)]


def grace_of(config: Config) -> float:
    """Seconds that a lost or stopped worker stays: Flower's `purge_offline_workers` where it is set."""
    return config.worker_grace if config.purge_offline_workers is None else config.purge_offline_workers
