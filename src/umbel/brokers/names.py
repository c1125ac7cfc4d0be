"""Which names of queues are Celery's own affairs, and which of them are one thing in many parts."""

import re
from collections.abc import Iterable

from umbel.brokers.base import QueueFigures

#: What Celery, kombu and Umbel declare for events, remote control and replies, whatever the exchanges are called.
_INTERNAL = re.compile(r"\Acelery(?:ev|_ev)\b|\.pidbox\Z|\.reply\.|\Aamq\.gen-|\Abcast\.")
#: The 28 queues in which RabbitMQ holds back tasks with an ETA (`broker_native_delayed_delivery_*`).
_DELAYED = re.compile(r"\Acelery_delayed_\d{1,2}\Z")
#: The name under which they are shown as one.
DELAYED = "celery_delayed_*"


def is_internal(name: str) -> bool:
    """A queue that carries no tasks: events, remote control, replies, a broadcast's copy for one worker."""
    return _INTERNAL.search(name) is not None


def is_delayed(name: str) -> bool:
    """One of the queues that hold back tasks with an ETA."""
    return _DELAYED.match(name) is not None


def fold_delayed(queues: Iterable[QueueFigures]) -> list[QueueFigures]:
    """The same queues, those that hold back tasks with an ETA summed up as one. By name."""
    plain: list[QueueFigures] = []
    delayed: list[QueueFigures] = []
    for queue in queues:
        (delayed if is_delayed(queue.name) else plain).append(queue)
    if delayed:
        plain.append(
            QueueFigures(
                name=DELAYED,
                exists=True,
                messages=_sum(queue.messages for queue in delayed),
                ready=_sum(queue.ready for queue in delayed),
                unacked=_sum(queue.unacked for queue in delayed),
                consumers=_sum(queue.consumers for queue in delayed),
                folded=tuple(sorted(queue.name for queue in delayed)),
            )
        )
    return sorted(plain, key=lambda queue: queue.name)


def _sum(values: Iterable[int | None]) -> int | None:
    """None where a part is unknown."""
    total = 0
    for value in values:
        if value is None:
            return None
        total += value
    return total
