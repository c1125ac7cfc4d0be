"""Messages become events, put to their tasks: what is taken from the buffer, up to where it is folded.

Owned by `ingest.pipeline`, as is its thread.
"""

import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from umbel.errors import DecodeError
from umbel.ingest.chunk import Chunk
from umbel.ingest.decode import Decoder
from umbel.ingest.source import Message
from umbel.ingest.workers import WorkerBook
from umbel.model.event import Event
from umbel.store.base import CounterKey

_log = logging.getLogger("umbel.ingest.intake")

#: Events decoded at a time: what they are made of must be in the processor's cache until it is packed. With 15,000 at a
#: time, a third more is spent on the same, waiting for memory.
AT_HAND = 500

#: Celery's own events of tasks, and whether they end one, as a rule.
_IS_END = {
    **dict.fromkeys(("task-sent", "task-received", "task-started", "task-retried", "task-rejected"), False),
    **dict.fromkeys(("task-succeeded", "task-failed"), True),
}

#: Unreadable messages shown in the log, per minute.
_SAMPLES = 5


class Intake:
    """What was taken, and is in no chunk yet."""

    def __init__(self, decoder: Decoder, workers: WorkerBook, clock: Callable[[], float]) -> None:
        self._decoder = decoder
        self._workers = workers
        self._clock = clock
        #: Not decoded yet.
        self.messages: deque[Message] = deque()
        #: uuid -> decoded events.
        self.pending: dict[str, list[Event]] = {}
        #: Events of workers and clients about themselves.
        self.counters: dict[CounterKey, int] = {}
        #: hostname -> its latest task event, of which the worker book has not heard yet.
        self._latest: dict[str, Event] = {}
        #: Of the last message that its broker keeps until it is stored.
        self.tag: int | None = None
        #: Receipt of the newest message with events that is not stored yet; 0.0 for none.
        self.newest = 0.0
        self._sampled = (0.0, 0)
        self.events = 0
        self.malformed: dict[str, int] = {}
        self.last_event_at: float | None = None

    def gather(self, decoded: list[Message]) -> list[str]:
        """Decode the next AT_HAND events, or a few more; return the tasks that ended. `decoded` gets the messages."""
        decode, pending, latest, messages = self._decoder.decode, self.pending, self._latest, self.messages
        ended: list[str] = []
        count = 0
        # a busy collector spends its time here
        while messages and count < AT_HAND:
            message = messages.popleft()
            decoded.append(message)
            events, errors = decode(message.body, message.content_type, message.received_at)
            for event in events:
                uuid, type_ = event.uuid, event.type
                is_end = _IS_END.get(type_)
                if uuid is None or (is_end is None and type_[:5] != "task-"):
                    self._hear(event)
                    continue
                waiting = pending.get(uuid)
                if waiting is None:
                    pending[uuid] = [event]
                else:
                    # texts that all have are held once
                    event.uuid = waiting[0].uuid
                    waiting.append(event)
                if is_end:
                    ended.append(uuid)
                hostname = event.hostname
                last = latest.get(hostname)
                if last is not None:
                    event.hostname = hostname = last.hostname
                    if last.pid != event.pid:
                        self._workers.hear(last)
                # of a run's task events the last one says all that they say of it
                latest[hostname] = event
            if events:
                count += len(events)
                self.newest = message.received_at
            for error in errors:
                self._count_malformed(error, message)
            if message.tag is not None:
                self.tag = message.tag
        if count:
            self.events += count
            self.last_event_at = self.newest
        return ended

    def tell_workers(self) -> None:
        """Let the worker book hear what task events say of their senders."""
        for event in self._latest.values():
            self._workers.hear(event)
        self._latest.clear()

    def _hear(self, event: Event) -> None:
        """A worker's event, which comes after the task events that it sent before."""
        key = CounterKey(event.hostname, "", event.type)
        self.counters[key] = self.counters.get(key, 0) + 1
        last = self._latest.pop(event.hostname, None)
        if last is not None:
            self._workers.hear(last)
        self._workers.hear(event)

    def take_counters(self) -> Mapping[CounterKey, int]:
        """The counters, which begin anew."""
        counters, self.counters = self.counters, {}
        return counters

    def take_back(self, chunk: Chunk) -> None:
        """Let the events that a chunk was made of be pending again, and what it counted of workers be counted."""
        again = {uuid: [*chunk.carried.get(uuid, ())] for uuid in chunk.uuids}
        for message in chunk.messages:
            for event in self._decoder.decode(message.body, message.content_type, message.received_at)[0]:
                if event.uuid in again and event.type[:5] == "task-":
                    again[event.uuid].append(event)
        for uuid, events in again.items():
            self.pending[uuid] = events + self.pending.get(uuid, [])
        for key, count in chunk.changes.counters.items():
            self.counters[key] = self.counters.get(key, 0) + count
        if chunk.watermark is not None:
            self.tag = chunk.watermark.tag if self.tag is None else self.tag
            self.newest = self.newest or chunk.watermark.newest

    def leave_out(self, uuid: str, events: Sequence[Event]) -> None:
        """These can't be stored, whatever is tried."""
        self.pending.pop(uuid, None)
        self.malformed["internal"] = self.malformed.get("internal", 0) + len(events)

    def _count_malformed(self, error: DecodeError, message: Message) -> None:
        self.malformed[error.cause] = self.malformed.get(error.cause, 0) + 1
        since, shown = self._sampled
        now = self._clock()
        if now - since > 60:
            since, shown = now, 0
        if shown < _SAMPLES:
            _log.warning("Unreadable message (%s): %s; it begins %r", error.cause, error, message.body[:120])
        self._sampled = (since, shown + 1)
