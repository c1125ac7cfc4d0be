"""Looks for one task's message on Redis: in the lists of queues, and among the messages that workers hold.

Reads only, a bounded number of messages and bytes, and for a bounded time. Called by `brokers.redis`.
"""

import base64
import binascii
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from umbel.brokers.base import Search, WholeMessage
from umbel.brokers.redis_unacked import Routes

#: Messages, bytes and seconds after which a search ends.
MOST_MESSAGES = 10_000
MOST_BYTES = 64_000_000
MOST_SECONDS = 3.0
#: Messages fetched at once: few at first, then so many that they are about TURN_BYTES.
FIRST_TURN, LARGEST_TURN, TURN_BYTES = 10, 500, 4_000_000


class Finder:
    """One search."""

    def __init__(self, client: Any, task_id: str) -> None:
        self._client = client
        self._task_id = task_id
        # JSON writes an id in one of two ways; a message without either need not be decoded
        written = (json.dumps(task_id), json.dumps(task_id, ensure_ascii=False))
        self._needles = {text[1:-1].encode("utf-8", "replace") for text in written}
        self._looked_at = self._bytes = 0
        self._until = time.monotonic() + MOST_SECONDS

    def find(
        self, lists: Sequence[tuple[tuple[str, str], int]], held: tuple[str, str] | None, routes: Routes
    ) -> Search:
        """`lists` are ((queue, key), length), `held` the keys of the hash and the index of held messages."""
        complete = True
        if held is not None:
            complete = self._client.zcard(held[1]) <= MOST_MESSAGES
            for raw in self._held(held):
                entry = self._match(raw)
                if isinstance(entry, list) and len(entry) == 3 and isinstance(entry[0], dict):
                    queues = routes.queues_of(str(entry[1]), str(entry[2]))
                    return self._found(entry[0], queues[0] if queues else "", held=True)
        for (queue, key), length in lists:
            for raw in self._waiting(key, length):
                entry = self._match(raw)
                if isinstance(entry, dict):
                    return self._found(entry, queue, held=False)
        return Search(message=None, looked_at=self._looked_at, complete=complete and not self._is_enough())

    def _found(self, envelope: dict[str, Any], queue: str, *, held: bool) -> Search:
        message = _whole_message(envelope, queue, held=held)
        return Search(message=message, looked_at=self._looked_at, complete=True)

    def _match(self, raw: bytes) -> Any:
        """The message or entry, where it is of the task that is looked for."""
        if not any(needle in raw for needle in self._needles):
            return None
        try:
            entry = json.loads(raw.decode("utf-8", "surrogatepass"))
        except (ValueError, RecursionError):
            return None
        envelope = entry[0] if isinstance(entry, list) and entry else entry
        if not isinstance(envelope, dict):
            return None
        headers, properties = _dict(envelope.get("headers")), _dict(envelope.get("properties"))
        return entry if self._task_id in (headers.get("id"), properties.get("correlation_id")) else None

    def _waiting(self, key: str, length: int) -> Iterator[bytes]:
        """The messages of a list in the order in which workers take them: from its end."""
        start, turn = 0, FIRST_TURN
        while start < length and not self._is_enough():
            raws = self._client.lrange(key, -start - turn, -start - 1)
            if not raws:
                return
            yield from self._counted(reversed(raws))
            start, turn = start + turn, self._next_turn()

    def _held(self, keys: tuple[str, str]) -> Iterator[bytes]:
        hash_key, index_key = keys
        tags = self._client.zrange(index_key, 0, MOST_MESSAGES - 1)
        start, turn = 0, FIRST_TURN
        while start < len(tags) and not self._is_enough():
            raws = self._client.hmget(hash_key, tags[start : start + turn])
            # one that is gone was acknowledged meanwhile
            yield from self._counted(raw for raw in raws if raw is not None)
            start, turn = start + turn, self._next_turn()

    def _counted(self, raws: Iterable[bytes]) -> Iterator[bytes]:
        for raw in raws:
            self._looked_at += 1
            self._bytes += len(raw)
            yield raw

    def _next_turn(self) -> int:
        average = max(1, self._bytes // max(1, self._looked_at))
        return max(1, min(LARGEST_TURN, TURN_BYTES // average, MOST_MESSAGES - self._looked_at))

    def _is_enough(self) -> bool:
        return (
            self._looked_at >= MOST_MESSAGES or self._bytes >= MOST_BYTES or time.monotonic() >= self._until
        )


def _whole_message(envelope: dict[str, Any], queue: str, *, held: bool) -> WholeMessage | None:
    properties = _dict(envelope.get("properties"))
    body = envelope.get("body")
    if not isinstance(body, str):
        return None
    raw = body.encode("utf-8", "surrogatepass")
    if properties.get("body_encoding") == "base64":
        try:
            raw = base64.b64decode(raw)
        except (binascii.Error, ValueError):
            return None
    return WholeMessage(
        content_type=str(envelope.get("content-type") or ""),
        content_encoding=str(envelope.get("content-encoding") or "utf-8"),
        headers=_dict(envelope.get("headers")),
        properties=properties,
        body=raw,
        queue=queue,
        held=held,
    )


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
