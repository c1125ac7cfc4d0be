"""Which queues there are: the union of what workers, the broker, the app's configuration and the history know."""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Literal

from celery import Celery

from umbel.brokers.base import BrokerInspector
from umbel.brokers.names import is_internal
from umbel.control.consumers import consumed
from umbel.control.inspect import Inspector
from umbel.errors import BrokerError, StoreError
from umbel.model.queue import LONGEST_NAME
from umbel.store.base import HistoryReader

logger = logging.getLogger(__name__)

#: Where a queue is known from. "history" includes task-sent events.
Origin = Literal["worker", "config", "broker", "history"]

#: Seconds between two looks at the broker's own names, at least; else so many times what the last one took.
ASK_BROKER_EVERY, ASK_SHARE = 5.0, 20.0
#: Queues beyond this are not shown.
MOST_NAMES = 20_000
#: Names that the collector is told at once.
MOST_TOLD = 500


class QueueNames:
    """Finds names, and has those remembered that the history does not know. Not thread-safe."""

    def __init__(
        self,
        app: Celery,
        brokers: BrokerInspector,
        inspector: Inspector,
        reader: HistoryReader,
        remember: Callable[[Collection[str]], None],
        monotonic: Callable[[], float],
    ) -> None:
        self._app = app
        self._brokers = brokers
        self._inspector = inspector
        self._reader = reader
        self._remember = remember
        self._monotonic = monotonic
        self._at_broker: set[str] = set()
        self._next_look = 0.0

    def fetch(self) -> dict[str, tuple[Origin, ...]]:
        """Name -> where it is known from, at most MOST_NAMES of them."""
        found: dict[str, list[Origin]] = {}
        workers = self._inspector.get_workers()
        sources: tuple[tuple[Origin, Iterable[str]], ...] = (
            ("worker", {name for answers in workers.values() for name in consumed(answers)}),
            ("config", configured(self._app)),
            ("broker", self._ask_broker()),
        )
        for origin, names in sources:
            for name in names:
                if len(name.encode("utf-8", "replace")) <= LONGEST_NAME and not is_internal(name):
                    found.setdefault(name, []).append(origin)
        seen = [name for name, origins in found.items() if origins != ["config"]]
        remembered = self._fetch_remembered()
        if remembered is not None:
            # the rest is told with the next readings
            self._remember([name for name in seen if name not in remembered][:MOST_TOLD])
            for name in sorted(remembered):
                found.setdefault(name, []).append("history")
        return {name: tuple(found[name]) for name in sorted(found)[:MOST_NAMES]}

    def _fetch_remembered(self) -> set[str] | None:
        try:
            return {queue.name for queue in self._reader.fetch_queues() if not is_internal(queue.name)}
        except StoreError as exc:
            logger.debug("The remembered queues can't be read: %s", exc)
            return None

    def _ask_broker(self) -> set[str]:
        now = self._monotonic()
        if now >= self._next_look and self._brokers.capabilities.names:
            try:
                self._at_broker = self._brokers.fetch_names()
            except BrokerError as exc:
                logger.debug("The broker's queues can't be listed: %s", exc)
            ended = self._monotonic()
            self._next_look = ended + max(ASK_BROKER_EVERY, ASK_SHARE * (ended - now))
        return self._at_broker


def configured(app: Celery) -> set[str]:
    """The queues that the app's workers would consume from, and those that its routes name."""
    conf = app.conf
    names = _declared(conf.task_queues) or {str(conf.task_default_queue)}
    routes = conf.task_routes
    if isinstance(routes, Mapping):
        named = [route.get("queue") for route in routes.values() if isinstance(route, Mapping)]
        names |= {str(getattr(queue, "name", queue)) for queue in named if queue}
    return names


def _declared(queues: Any) -> set[str]:
    if isinstance(queues, Mapping):
        return {str(name) for name in queues}
    return {str(getattr(queue, "name", queue)) for queue in queues or ()}
