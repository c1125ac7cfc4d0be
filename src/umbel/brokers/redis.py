"""Queues of Redis and Valkey, read through kombu's own channel.

kombu's channel brings TLS, ACL users, unix sockets, Sentinel, the global key prefix, priority steps, their separator
and the keys of unacknowledged messages exactly as the workers use them. A queue is the sum of its priority lists.
"""

import threading
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from celery import Celery

from umbel.brokers.base import BrokerInspector, Capabilities, Message, Peek, QueueFigures, Reading, Search
from umbel.brokers.message import decode_message
from umbel.brokers.names import is_internal
from umbel.brokers.redis_channel import Channels
from umbel.brokers.redis_find import Finder
from umbel.brokers.redis_unacked import Routes, Unacked, binding_members
from umbel.ingest.redis_line import escaped

#: Lists whose length is asked for in one turn.
_TURN = 2_000
#: Lists with messages up to which the oldest message of each is read; with more it is unknown.
MOST_HEADS = 1_000
#: Messages fetched in one turn, and bytes of them after which no more are.
_PEEK_TURN = 10
_PEEK_BYTES = 16_000_000
#: Seconds that one search for binding tables may take; the next one goes on where it ended.
_SCAN_TIME = 1.0
_SCAN_TURN = 1_000

#: Queue -> priority step -> messages.
Lengths = dict[str, dict[int, int | None]]


class RedisInspector(BrokerInspector):
    """A few pipelines a reading, on a connection that stays open for the next. Thread-safe."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._channels = Channels(app)
        self._lock = threading.Lock()
        self._unacked = Unacked()
        self._scanned = 0
        self._names: set[str] = set()
        self._found: set[str] = set()

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            messages=True, ready=True, unacked=True, oldest=True, names=True, peek=True, purge=True
        )

    def fetch_queues(self, names: Collection[str]) -> Reading:
        problems: list[str] = []
        with self._keyspace() as keys:
            lengths = keys.fetch_lengths(names)
            heads = self._fetch_heads(keys, lengths)
            unacked = self._fetch_unacked(keys, problems)
        queues = []
        for name, steps in lengths.items():
            held = None if unacked is None else unacked.get(name, 0)
            ready = _sum(steps)
            if ready is None:
                problems.append(f"The queue {name} can't be read: the broker's user has no access to it.")
            queues.append(
                QueueFigures(
                    name=name,
                    messages=None if held is None or ready is None else ready + held,
                    ready=ready,
                    unacked=held,
                    oldest=() if ready == 0 else heads.get(name),
                    priorities={step: n for step, n in steps.items() if n is not None},
                )
            )
        return Reading(queues=queues, problems=problems)

    def _fetch_heads(self, keys: "_Keyspace", lengths: Lengths) -> dict[str, tuple[str, ...]]:
        """Queue -> ids of the next tasks of its lists ("" for one without), where they can be read, are not too many
        and not too large."""
        filled = [(name, step) for name, steps in lengths.items() for step, n in steps.items() if n]
        if len(filled) > MOST_HEADS:
            return {}
        heads: dict[str, tuple[str, ...]] = {}
        taken = 0
        for name, message in keys.fetch_heads(filled):
            heads[name] = (*heads.get(name, ()), message.task_id or "")
            taken += message.size
            if taken > _PEEK_BYTES:
                break
        return heads

    def _fetch_unacked(self, keys: "_Keyspace", problems: list[str]) -> dict[str, int] | None:
        if not keys.channel.ack_emulation:
            problems.append("The app's ack_emulation is off: what workers hold is not kept in Redis.")
            return None
        from redis.exceptions import ResponseError

        try:
            with self._lock:
                counts = self._unacked.fetch_counts(keys.client, keys.unacked, keys.routes)
        except ResponseError as exc:
            problems.append(f"What workers hold can't be read: {exc}")
            return None
        if counts is None:
            problems.append("Workers hold so many messages that those of each queue are not counted.")
        return counts

    def fetch_names(self) -> set[str]:
        """From kombu's binding tables, which stay when workers go. The keys are walked through in short steps."""
        from redis.exceptions import ResponseError

        with self._keyspace() as keys, self._lock:
            try:
                self._scan(keys)
            except ResponseError:
                self._scanned = 0  # a user without SCAN: names come from elsewhere
            return self._names | self._found

    def _scan(self, keys: "_Keyspace") -> None:
        until = time.monotonic() + _SCAN_TIME
        pattern = escaped(keys.binding_key("")) + "*"
        while True:
            self._scanned, tables = keys.client.scan(self._scanned, match=pattern, count=_SCAN_TURN)
            for name in keys.fetch_bound(
                table for table in tables if not _is_control(keys.exchange_of(table), self._app)
            ):
                if not is_internal(name):
                    self._found.add(name)
            if self._scanned == 0:
                self._names, self._found = self._found, set()
                return
            if time.monotonic() > until:
                return

    def fetch_lengths(self, names: Collection[str]) -> list[dict[str, Any]]:
        with self._keyspace() as keys:
            lengths = keys.fetch_lengths(names)
        return [{"name": name, "messages": _sum(steps)} for name, steps in lengths.items()]

    def peek(self, name: str, *, offset: int = 0, limit: int = 50, unacked: bool = False) -> Peek:
        with self._keyspace() as keys:
            if not unacked:
                return keys.peek(name, offset, limit)
            with self._lock:
                counts = self._unacked.fetch_counts(keys.client, keys.unacked, keys.routes)
                held = self._unacked.fetch_messages(
                    keys.client, keys.unacked, name, offset=offset, limit=limit
                )
            return Peek(messages=held, total=0 if counts is None else counts[name], cut=counts is None)

    def find(self, task_id: str, names: Sequence[str]) -> Search:
        with self._keyspace() as keys:
            lengths = keys.fetch_lengths(names)
            # in the order in which they were named
            steps = [(name, step, n) for name in names for step, n in lengths[name].items()]
            lists = [((name, keys.key(name, step)), n) for name, step, n in steps if n]
            held = keys.unacked if keys.channel.ack_emulation else None
            search = Finder(keys.client, task_id).find(lists, held, keys.routes)
        if any(n is None for _, _, n in steps):  # some of the lists may not be looked at
            return msgspec.structs.replace(search, complete=False)
        return search

    def purge(self, name: str) -> int:
        with self._keyspace() as keys:
            # kombu counts and deletes in one transaction
            return int(keys.channel.queue_purge(name))

    def close(self) -> None:
        self._channels.close()

    @contextmanager
    def _keyspace(self) -> Iterator["_Keyspace"]:
        with self._channels.lend() as channel:
            yield _Keyspace(channel)


class _Keyspace:
    """The keys of queues, named as the channel's workers name them, behind a client that adds nothing to names."""

    def __init__(self, channel: Any) -> None:
        import redis

        self.channel = channel
        # the channel's own client prefixes the keys of some commands only
        self.client: Any = redis.Redis(connection_pool=channel.client.connection_pool)
        self._prefix = str(getattr(channel, "global_keyprefix", "") or "")
        self.steps = list(dict.fromkeys(int(step) for step in channel.priority_steps))
        self.unacked = (self._prefix + channel.unacked_key, self._prefix + channel.unacked_index_key)
        self.routes = Routes(self.client, self.binding_key, channel.sep)

    def binding_key(self, exchange: str) -> str:
        """Key of an exchange's binding table."""
        return self._prefix + str(self.channel.keyprefix_queue % (exchange,))

    def exchange_of(self, table: bytes) -> str:
        """The exchange whose binding table has this key."""
        return table.decode("utf-8", "replace")[len(self.binding_key("")) :]

    def fetch_bound(self, tables: Iterable[bytes]) -> Iterator[str]:
        """The queues that binding tables name."""
        pipe = self.client.pipeline(transaction=False)
        for table in tables:
            pipe.smembers(table)
        for members in pipe.execute(raise_on_error=False):
            if isinstance(members, set):
                yield from (queue for _, _, queue in binding_members(members, self.channel.sep))

    def key(self, name: str, step: int) -> str:
        """Key of a queue's list for a priority step."""
        return self._prefix + str(self.channel._q_for_pri(name, step))

    def fetch_lengths(self, names: Collection[str]) -> Lengths:
        """Queue -> priority step -> messages, by name; None where the user may not look."""
        ordered = sorted(set(names))
        lists = [(name, step) for name in ordered for step in self.steps]
        lengths: Lengths = {name: {} for name in ordered}
        for start in range(0, len(lists), _TURN):
            turn = lists[start : start + _TURN]
            pipe = self.client.pipeline(transaction=False)
            for name, step in turn:
                pipe.execute_command("LLEN", self.key(name, step))
            for (name, step), length in zip(turn, pipe.execute(raise_on_error=False), strict=True):
                lengths[name][step] = _counted(length)
        return lengths

    def fetch_heads(self, lists: list[tuple[str, int]]) -> Iterator[tuple[str, Message]]:
        """The next message of each list."""
        for start in range(0, len(lists), _PEEK_TURN):
            turn = lists[start : start + _PEEK_TURN]
            pipe = self.client.pipeline(transaction=False)
            for name, step in turn:
                pipe.lindex(self.key(name, step), -1)
            for (name, step), raw in zip(turn, pipe.execute(raise_on_error=False), strict=True):
                if isinstance(raw, bytes):
                    yield name, decode_message(raw, priority=step)

    def peek(self, name: str, offset: int, limit: int) -> Peek:
        """Messages from the `offset`th on: workers take the lowest step first, and each list from its end."""
        steps = {step: n or 0 for step, n in self.fetch_lengths([name])[name].items()}
        total, taken, position = sum(steps.values()), 0, 0
        messages: list[Message] = []
        for step, length in steps.items():
            first = max(0, offset - position)
            for start in range(first, length, _PEEK_TURN):
                wanted = min(_PEEK_TURN, limit - len(messages), length - start)
                if wanted <= 0:
                    break
                if taken > _PEEK_BYTES:
                    return Peek(messages=messages, total=total, cut=True)
                raws = self.client.lrange(self.key(name, step), -start - wanted, -start - 1)
                for at, raw in enumerate(reversed(raws)):
                    taken += len(raw)
                    place = position + start + at + 1
                    messages.append(decode_message(raw, position=place, priority=step))
            position += length
        return Peek(messages=messages, total=total)


def _counted(length: Any) -> int | None:
    """What LLEN answered; a key of another type at a queue's name holds no messages."""
    if isinstance(length, int):
        return length
    text = str(length)
    if text.startswith("WRONGTYPE"):
        return 0
    if "permission" in text.lower():
        return None
    raise length


def _sum(steps: dict[int, int | None]) -> int | None:
    """Messages of all lists together; None where one can't be read."""
    total = 0
    for n in steps.values():
        if n is None:
            return None
        total += n
    return total


def _is_control(exchange: str, app: Celery) -> bool:
    """Exchanges for events, remote control and its replies."""
    return exchange == app.conf.event_exchange or exchange.endswith(".pidbox")
