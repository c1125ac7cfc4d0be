"""Which workers consume from which queue, as they answered the inspect cache: for brokers that don't tell."""

import time
from collections.abc import Callable, Collection
from typing import Any

from umbel.control.inspect import Answers, Inspector, Run
from umbel.control.roster import is_alive
from umbel.errors import StoreError
from umbel.store.base import HistoryReader

#: Seconds between two questions to all workers for their queues, while somebody looks.
ASK_EVERY = 30.0


class Consumers:
    """Counts living consumers, and asks workers anew while somebody wants to know. Not thread-safe."""

    def __init__(
        self,
        inspector: Inspector,
        reader: HistoryReader,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inspector = inspector
        self._reader = reader
        self._monotonic = monotonic
        self._next_ask = 0.0
        self._has_asked = False

    def ask(self) -> None:
        """Have all workers asked, unless that was done lately; does not wait."""
        if self._monotonic() >= self._next_ask:
            self._next_ask = self._monotonic() + ASK_EVERY
            self._inspector.request_queues().add_done_callback(self._note_asked)

    def _note_asked(self, run: Run) -> None:
        self._has_asked |= not run.cancelled() and run.exception() is None

    def fetch(self) -> dict[str, set[str]] | None:
        """Queue -> the living workers that consume from it. None while that is not known: one of them has not
        answered, or nobody was asked whether there are any."""
        try:
            workers = {worker.hostname: is_alive(worker) for worker in self._reader.fetch_workers()}
        except StoreError:
            return None
        answers = self._inspector.get_workers()
        alive = [hostname for hostname, lives in workers.items() if lives]
        if any("active_queues" not in answers.get(hostname, {}) for hostname in alive):
            return None
        if not alive and not self._has_asked:
            return None
        consumers: dict[str, set[str]] = {}
        for hostname, told in answers.items():
            # one that answers without sending events is believed
            if workers.get(hostname, True):
                for name in consumed(told):
                    consumers.setdefault(name, set()).add(hostname)
        return consumers

    def fetch_received(self, hostnames: Collection[str]) -> dict[str, int] | None:
        """Worker -> tasks that it has received since the history began; None where the history can't be read."""
        try:
            totals = self._reader.fetch_event_totals(hostnames)
        except StoreError:
            return None
        return {hostname: totals.get(hostname, {}).get("task-received", 0) for hostname in hostnames}


def consumed(answers: dict[str, Any]) -> set[str]:
    """The queues from which a worker consumes, as it answered; empty where it did not."""
    queues = answers.get("active_queues")
    names = (
        [queue.get("name") for queue in queues if isinstance(queue, dict)] if isinstance(queues, list) else []
    )
    return {name for name in names if isinstance(name, str)}


def consumed_by(answers: Answers, hostnames: Collection[str]) -> set[str]:
    """The queues of these workers together."""
    return {name for hostname in hostnames for name in consumed(answers.get(hostname, {}))}
