"""Which messages workers hold on Redis, and of which queue each is.

kombu keeps them in one hash for all queues, each with its exchange and routing key. Which queue an entry belongs to
never changes, so every entry is read once; later looks fetch the list of their tags only.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from umbel.brokers.base import Message
from umbel.brokers.message import decode_unacked

#: Entries beyond this are not read: how many messages of a queue workers hold is unknown then.
MOST_ENTRIES = 50_000
#: Entries asked about in one turn, the largest that is read for its queue, and the bytes of one answer.
TURN = 200
LARGEST = 4_000_000
MOST_BYTES = 16_000_000

#: What belongs to no queue that is known: the message can't be read, or its binding is gone.
NO_QUEUE = ""


class Unacked:
    """What is known of the entries, from one reading to the next. Not thread-safe."""

    def __init__(self) -> None:
        self._queues: dict[bytes, tuple[str, ...]] = {}

    def fetch_counts(self, client: Any, keys: tuple[str, str], route: "Routes") -> Counter[str] | None:
        """Queue -> messages that workers hold; None where they are too many to be read.

        `keys` are those of the hash and of its index.
        """
        hash_key, index_key = keys
        if client.hlen(hash_key) > MOST_ENTRIES:
            return None
        tags = client.zrange(index_key, 0, MOST_ENTRIES)
        known = self._queues
        self._queues = {tag: known[tag] for tag in tags if tag in known}
        fresh = [tag for tag in tags if tag not in known]
        for turn in _turns(fresh):
            self._learn(client, hash_key, turn, route)
        return Counter(queue for tag in tags for queue in self._queues.get(tag, ()))

    def _learn(self, client: Any, hash_key: str, tags: Sequence[bytes], route: "Routes") -> None:
        sizes = _sizes(client, hash_key, tags)
        self._queues.update((tag, (NO_QUEUE,)) for tag, size in sizes.items() if size > LARGEST)
        small = {tag: size for tag, size in sizes.items() if 0 < size <= LARGEST}
        for part in _parts(small):
            for tag, raw in zip(part, client.hmget(hash_key, part), strict=True):
                if raw is not None:  # else it was acknowledged meanwhile
                    _, exchange, routing_key = decode_unacked(raw, delivered=None)
                    self._queues[tag] = route.queues_of(exchange, routing_key) or (NO_QUEUE,)

    def fetch_messages(
        self, client: Any, keys: tuple[str, str], queue: str, *, offset: int, limit: int
    ) -> list[Message]:
        """Those of one queue, the longest held first; after `fetch_counts`."""
        hash_key, index_key = keys
        scored = client.zrange(index_key, 0, MOST_ENTRIES, withscores=True)
        mine = {tag: float(score) for tag, score in scored if queue in self._queues.get(tag, ())}
        wanted = list(mine)[offset : offset + limit]
        sizes = _sizes(client, hash_key, wanted)
        small = {tag: size for tag, size in sizes.items() if 0 < size <= LARGEST}
        found: dict[bytes, Message] = {
            tag: Message(size=size, delivered=mine[tag], unreadable="It is too large to be looked at.")
            for tag, size in sizes.items()
            if size > LARGEST
        }
        for part in _parts(small):
            for tag, raw in zip(part, client.hmget(hash_key, part), strict=True):
                if raw is not None:
                    found[tag] = decode_unacked(raw, delivered=mine[tag])[0]
        return [found[tag] for tag in wanted if tag in found]


class Routes:
    """Which queues a message goes to, as kombu's binding tables in Redis tell; each is read once."""

    def __init__(self, client: Any, key_of: Callable[[str], str], sep: str) -> None:
        """`key_of` names the binding table of an exchange; `sep` separates the parts of its members."""
        self._client = client
        self._key_of = key_of
        self._sep = sep
        self._tables: dict[str, list[tuple[str, str, str]]] = {}

    def queues_of(self, exchange: str, routing_key: str) -> tuple[str, ...]:
        """Queues of a message; the default exchange leads to the queue named as the routing key."""
        if not exchange:
            return (routing_key,)
        table = self._table(exchange)
        exact = [queue for key, _, queue in table if key == routing_key]
        if exact:
            return tuple(dict.fromkeys(exact))
        return tuple(
            dict.fromkeys(queue for _, pattern, queue in table if pattern and _fits(pattern, routing_key))
        )

    def _table(self, exchange: str) -> list[tuple[str, str, str]]:
        if exchange not in self._tables:
            self._tables[exchange] = list(
                binding_members(self._client.smembers(self._key_of(exchange)), self._sep)
            )
        return self._tables[exchange]


def binding_members(members: Iterable[bytes], sep: str) -> Iterator[tuple[str, str, str]]:
    """(routing key, pattern, queue) of each member of a binding table that reads as one."""
    for member in members:
        parts = member.decode("utf-8", "replace").split(sep)
        if len(parts) == 3 and parts[2]:
            yield parts[0], parts[1], parts[2]


def _fits(pattern: str, routing_key: str) -> bool:
    try:
        return re.match(pattern, routing_key) is not None
    except re.error:
        return False


def _sizes(client: Any, hash_key: str, tags: Sequence[bytes]) -> dict[bytes, int]:
    """Bytes of each entry, 0 for one that is gone."""
    pipe = client.pipeline(transaction=False)
    for tag in tags:
        pipe.hstrlen(hash_key, tag)
    return dict(zip(tags, pipe.execute(), strict=True)) if tags else {}


def _parts(sizes: dict[bytes, int]) -> Iterator[list[bytes]]:
    """The tags in portions of at most MOST_BYTES."""
    part: list[bytes] = []
    total = 0
    for tag, size in sizes.items():
        if part and total + size > MOST_BYTES:
            yield part
            part, total = [], 0
        part.append(tag)
        total += size
    if part:
        yield part


def _turns(items: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(items), TURN):
        yield items[start : start + TURN]
