"""Deliveries out of an AMQP byte stream: the three kinds of frame that come by the million, read where they lie.

Everything else that a broker says is handed to whoever knows the protocol (py-amqp). Pure: no socket, no clock. Used by
`ingest.amqp_line`.
"""

from collections.abc import Callable
from struct import Struct

from umbel.ingest.source import Message

#: A frame: type, channel, size of the payload, then the payload and FRAME_END.
_FRAME = Struct(">BHI")
_FRAME_END = 0xCE
METHOD, HEADER, BODY = 1, 2, 3

#: Class 60, method 60: basic.deliver(consumer-tag shortstr, delivery-tag, redelivered bit, exchange and routing key).
_DELIVER = b"\x00\x3c\x00\x3c"
_TAG = Struct(">Q")
#: A content header: class, weight, size of the body, flags of the properties; the first of those is content-type.
_CONTENT = Struct(">HHQH")
_HAS_CONTENT_TYPE = 0x8000

#: Routing keys and content types remembered, so that each is one object however often it comes.
_WORDS = 1024

#: Frame type, channel, payload; returns what is to be told in its place among the messages, if anything.
Other = Callable[[int, int, bytes], Message | None]


class Deliveries:
    """Makes messages of a channel's deliveries; of a body it keeps at most `body_max` bytes."""

    def __init__(self, channel: int, other: Other, *, frame_max: int, body_max: int) -> None:
        self._channel = channel
        self._other = other
        self._frame_max = frame_max
        self._body_max = body_max
        self._rest = b""
        self._words: dict[bytes, str] = {}
        #: The delivery that is being read, and what comes next of it.
        self._next = METHOD
        self._tag = 0
        self._routing_key = ""
        self._content_type = ""
        self._missing = 0
        self._parts: list[bytes] = []
        self._held = 0

    def feed(self, data: bytes) -> list[Message]:
        """The messages that these next bytes complete. What `other` raises ends the stream."""
        if self._rest:
            data = self._rest + data
        messages: list[Message] = []
        at, last = 0, len(data) - 8
        while at <= last:
            kind, channel, size = _FRAME.unpack_from(data, at)
            start, end = at + 7, at + 7 + size
            if end >= len(data):
                if size > self._frame_max:
                    raise ConnectionError(f"a frame of {size} bytes came from the broker")
                break
            if data[end] != _FRAME_END:
                raise ConnectionError("what came from the broker is no AMQP frame")
            at = end + 1
            if channel != self._channel or not self._take(kind, data, start, end):
                told = self._other(kind, channel, data[start:end])
                if told is not None:
                    messages.append(told)
            elif self._missing == 0 and self._next != HEADER:
                messages.append(self._finish())
        self._rest = data[at:]
        return messages

    def _take(self, kind: int, data: bytes, start: int, end: int) -> bool:
        """Read a frame of a delivery; False when it is none."""
        if kind == METHOD:
            if data[start : start + 4] != _DELIVER:
                return False
            start += 5 + data[start + 4]
            self._tag = _TAG.unpack_from(data, start)[0]
            start += 10 + data[start + 9]  # the tag, the bit, the exchange with its length
            self._routing_key = self._word(data[start + 1 : end])
            self._next = HEADER
        elif kind == HEADER and self._next == HEADER:
            _, _, self._missing, flags = _CONTENT.unpack_from(data, start)
            has_type = flags & _HAS_CONTENT_TYPE
            start += 14
            self._content_type = (
                self._word(data[start + 1 : start + 1 + data[start]]) if has_type else "application/json"
            )
            self._next = BODY
        elif kind == BODY and self._next == BODY:
            self._missing -= end - start
            if self._missing < 0:
                raise ConnectionError("a body from the broker is longer than its header says")
            if self._held < self._body_max:
                self._parts.append(data[start:end])
                self._held += end - start
        else:
            return False
        return True

    def _finish(self) -> Message:
        parts = self._parts
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        self._parts, self._held, self._next = [], 0, METHOD
        return Message(body, self._content_type, 0.0, self._tag, self._routing_key)

    def _word(self, raw: bytes) -> str:
        word = self._words.get(raw)
        if word is None:
            word = raw.decode("utf-8", "replace")
            if len(self._words) < _WORDS:
                self._words[raw] = word
        return word
