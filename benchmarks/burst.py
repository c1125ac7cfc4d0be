"""A burst of events, encoded beforehand, with a count of what is in it: what was received is held to the last event."""

import random
import struct
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.event_stream import Event, Message
from benchmarks.wire import encode_rabbitmq, encode_redis

#: Events that are handed over together where they are sent as fast as the broker takes them.
SLICE = 100
#: Seconds between two slices at an even rate, unless one message is more: workers send theirs one by one, and each may
#: wake who reads them.
STEP = 0.001
_HEAD = struct.Struct(">II")


@dataclass(slots=True)
class Burst:
    """Encoded messages in slices, with a count of their events by type."""

    #: (bytes, events)
    slices: list[tuple[bytes, int]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    #: The last task event in it; empty where there is none.
    last: Event = field(default_factory=dict)
    #: The latest events of some of its tasks, by uuid: what their rows must show.
    sample: dict[str, list[Event]] = field(default_factory=dict)

    @property
    def events(self) -> int:
        """All events, heartbeats included."""
        return self.counts.total()


class BurstBuilder:
    """Takes messages out of a stream and encodes them for one broker.

    Args:
        sampled: One in so many tasks has all its events remembered; 0 for none.
    """

    def __init__(self, messages: Iterator[Message], broker_url: str, *, sampled: int = 0) -> None:
        self._messages = messages
        self._is_redis = broker_url.startswith("redis:")
        self._chance = random.Random(7)
        self._sampled = sampled
        self._sample: dict[str, list[Event]] = {}

    def build(self, events: int, *, until_task: bool = True) -> Burst:
        """Take at least `events` events, up to and with one of a task unless `until_task` is False."""
        burst = Burst()
        for data, taken in self._iter_slices(burst, events, until_task, SLICE):
            burst.slices.append((data, taken))
        burst.sample = self._sample
        return burst

    def spool(self, events: int, path: Path, *, rate: float, until_task: bool = True) -> Burst:
        """Like `build`, with the slices in a file, for bursts larger than memory; the burst has none itself. They are
        fit to be sent at `rate` events a second, 0 for as fast as it goes."""
        burst = Burst()
        with path.open("wb") as file:
            size = max(1, round(rate * STEP)) if rate else SLICE
            for data, taken in self._iter_slices(burst, events, until_task, size):
                file.write(_HEAD.pack(len(data), taken) + data)
        burst.sample = self._sample
        return burst

    def _iter_slices(
        self, burst: Burst, events: int, until_task: bool, size: int
    ) -> Iterator[tuple[bytes, int]]:
        gathered, taken = bytearray(), 0
        while burst.events < events or (until_task and not burst.last):
            message = next(self._messages)
            gathered += self._encode(message)
            taken += len(message.events)
            burst.counts.update(event["type"] for event in message.events)
            if message.routing_key.startswith("task."):
                burst.last = message.events[-1]
                self._remember(message.events)
            if taken >= size:
                yield bytes(gathered), taken
                gathered, taken = bytearray(), 0
        if taken:
            yield bytes(gathered), taken

    def _encode(self, message: Message) -> bytes:
        if not self._is_redis:
            return encode_rabbitmq(message)
        return encode_redis(message, uuid.UUID(int=self._chance.getrandbits(128), version=4))

    def _remember(self, events: list[Event]) -> None:
        for event in events if self._sampled else ():
            task = event["uuid"]
            if task in self._sample:
                self._sample[task].append(event)
            elif event["type"] == "task-sent" and int(task[:8], 16) % self._sampled == 0:
                self._sample[task] = [event]


def iter_spooled(path: Path) -> Iterator[tuple[bytes, int]]:
    """Yield the slices of a spooled burst, as (bytes, events)."""
    with path.open("rb") as file:
        while head := file.read(_HEAD.size):
            size, events = _HEAD.unpack(head)
            yield file.read(size), events
