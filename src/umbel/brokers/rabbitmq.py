"""Queues of RabbitMQ: from its management API, and where that gives no answer, from AMQP itself."""

import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Any

from celery import Celery

from umbel.brokers.base import BrokerInspector, Capabilities, QueueFigures, Reading
from umbel.brokers.management import COLUMNS, ApiTls, ManagementApi
from umbel.brokers.names import is_internal
from umbel.brokers.passive import PassiveDeclarer
from umbel.errors import BrokerUnavailable, NotSupported

#: A management API that failed this slowly, in seconds, is left alone for a while, so that pages do not wait for it.
_SLOW = 1.0
_LEFT_ALONE = 15.0


class RabbitInspector(BrokerInspector):
    """One GET of the virtual host's queues a reading, else a passive declaration of each queue."""

    def __init__(
        self,
        app: Celery,
        broker_api: str | None,
        tls: ApiTls,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = ManagementApi(app, broker_api, tls)
        self._amqp = PassiveDeclarer(app)
        self._monotonic = monotonic
        self._trouble: tuple[float, BrokerUnavailable] | None = None

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            messages=True, ready=True, unacked=True, consumers=True, idle_since=True, names=True, purge=True
        )

    def fetch_queues(self, names: Collection[str]) -> Reading:
        try:
            found = {raw["name"]: figures_of(raw) for raw in self._ask(COLUMNS)}
        except BrokerUnavailable as exc:
            return self._fetch_passively(names, exc)
        # a virtual host's list is whole: what is not in it is not there
        queues = [found.get(name) or _absent(name) for name in sorted(set(names))]
        partial = [queue.name for queue in queues if queue.messages is None or queue.ready is None]
        problems = [_partly(partial)] if partial else []
        return Reading(queues=queues, problems=problems)

    def _fetch_passively(self, names: Collection[str], trouble: BrokerUnavailable) -> Reading:
        problems = [f"{trouble} Ready messages and consumers are asked for over AMQP; the rest is unknown."]
        return Reading(queues=self._amqp.fetch_queues(names), problems=problems)

    def fetch_names(self) -> set[str]:
        return {raw["name"] for raw in self._ask(COLUMNS) if not is_internal(raw["name"])}

    def fetch_lengths(self, names: Collection[str]) -> list[dict[str, Any]]:
        wanted = set(names)
        try:
            return [raw for raw in self._ask(None) if raw["name"] in wanted]
        except BrokerUnavailable:
            return [_flower_form(queue) for queue in self._amqp.fetch_queues(wanted) if queue.exists]

    def peek(self, name: str, *, offset: int = 0, limit: int = 50, unacked: bool = False) -> Any:
        raise NotSupported(
            "RabbitMQ shows a message only by taking it out of its queue and putting it back, which changes its "
            "order and marks it as redelivered. Tasks sent with task-sent events are in the list of tasks."
        )

    def purge(self, name: str) -> int:
        return self._amqp.purge(name)

    def _ask(self, columns: str | None) -> list[dict[str, Any]]:
        begun = self._monotonic()
        if self._trouble is not None and begun < self._trouble[0]:
            raise self._trouble[1]
        try:
            answer = self._api.fetch_queues(columns=columns)
        except BrokerUnavailable as exc:
            now = self._monotonic()
            self._trouble = (now + _LEFT_ALONE, exc) if now - begun > _SLOW else None
            raise
        self._trouble = None
        return answer


def figures_of(raw: dict[str, Any]) -> QueueFigures:
    """A queue as the management API tells it; a new queue's figures come one after the other, some seconds late."""
    ready, unacked = _count(raw.get("messages_ready")), _count(raw.get("messages_unacknowledged"))
    messages = _count(raw.get("messages"))
    return QueueFigures(
        name=raw["name"],
        exists=True,
        messages=messages,
        ready=ready,
        unacked=unacked,
        consumers=_count(raw.get("consumers")),
        idle_since=moment_of(raw.get("idle_since")),
    )


def moment_of(text: Any) -> float | None:
    """Epoch seconds of `idle_since`: ISO 8601 since RabbitMQ 3.10, else `2026-11-26 9:05:07`; both are UTC."""
    if not isinstance(text, str):
        return None
    for read in (datetime.fromisoformat, lambda old: datetime.strptime(old, "%Y-%m-%d %H:%M:%S")):
        try:
            moment = read(text)
        except ValueError:
            continue
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _absent(name: str) -> QueueFigures:
    return QueueFigures(name=name, exists=False, messages=0, ready=0, unacked=0, consumers=0)


def _partly(names: list[str]) -> str:
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"The RabbitMQ management API did not tell every figure of {shown}: a queue is new, or its node is down."


def _flower_form(queue: QueueFigures) -> dict[str, Any]:
    """What AMQP tells, under the names of the management API."""
    told = {
        "name": queue.name,
        "messages": queue.messages,
        "messages_ready": queue.ready,
        "consumers": queue.consumers,
    }
    return {key: value for key, value in told.items() if value is not None}
