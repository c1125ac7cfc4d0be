"""A `KombuSource` that runs for one test and keeps what it hands over."""

import hashlib
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, Self

import msgspec
from celery import Celery

from tests.servers.process import wait_for
from umbel.ingest.control_line import PROBE_KEY
from umbel.ingest.kombu_source import KombuSource
from umbel.ingest.settings import CollectorSettings, build_app
from umbel.ingest.source import Message, Outage, SourceHealth, SourceState


class RunningSource:
    """Start it with `with`. `conf` holds Celery settings, `options` those of the collector."""

    def __init__(self, broker: str, conf: Mapping[str, Any] | None = None, **options: Any) -> None:
        self.settings = CollectorSettings(
            celery={"broker_url": broker, **(conf or {})},
            store_path="unused",
            # kombu remembers the bindings of a queue's name for the whole process, whatever the folder
            store_id=hashlib.sha256(repr((broker, conf)).encode()).hexdigest()[:8],
            **options,
        )
        self.app: Celery = build_app(self.settings)
        self.source = KombuSource(self.app, self.settings, clock=self._clock)
        self.messages: list[Message] = []
        self.outages: list[Outage] = []
        self.room = True
        #: Seconds by which the source's clock is ahead, as after a time in which its process stood still.
        self.ahead = 0.0

    def __enter__(self) -> Self:
        self.source.start(self._take, self.outages.append)
        return self

    def __exit__(self, *exc: object) -> None:
        self.source.stop()

    def _clock(self) -> float:
        return time.time() + self.ahead

    def _take(self, messages: Sequence[Message]) -> int:
        if not self.room:
            return 0
        self.messages += messages
        return len(messages)

    @property
    def health(self) -> SourceHealth:
        return self.source.health()

    def wait_until_connected(self, timeout: float = 20.0) -> None:
        wait_for(
            lambda: self.health.state is SourceState.CONNECTED, timeout, message=lambda: str(self.health)
        )

    def events(self) -> list[dict[str, Any]]:
        """What came in, decoded, without our own probes."""
        found: list[dict[str, Any]] = []
        for message in list(self.messages):
            value = msgspec.json.decode(message.body)
            found += value if isinstance(value, list) else [value]
        return [event for event in found if event["type"] != PROBE_KEY.replace(".", "-")]

    def send(self, *types: str) -> None:
        """Publish events as a worker does."""
        with self.app.connection_for_write() as connection, suppress(ConnectionResetError):
            dispatcher = self.app.events.Dispatcher(connection, hostname="celery@test")
            for type_ in types:
                dispatcher.send(type_, uuid="u-1")
            dispatcher.close()

    def wait_for_types(self, types: Collection[str], timeout: float = 10.0) -> None:
        def arrived() -> bool:
            return set(types) <= {event["type"] for event in self.events()}

        wait_for(arrived, timeout, message=lambda: f"{self.events()} {self.health}")
