"""Deliveries are read out of an AMQP byte stream wherever it is cut, and nothing else is touched."""

from collections.abc import Callable
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from umbel.ingest.amqp_frames import Deliveries
from umbel.ingest.source import Message

CHANNEL = 1
HEARTBEAT = b"\x08\x00\x00\x00\x00\x00\x00\xce"


def frame(kind: int, payload: bytes, channel: int = CHANNEL) -> bytes:
    return pack(">BHI", kind, channel, len(payload)) + payload + b"\xce"


def short(text: bytes) -> bytes:
    return bytes([len(text)]) + text


def deliver(tag: int, key: bytes = b"task.multi") -> bytes:
    return frame(
        1, pack(">HH", 60, 60) + short(b"consumer-1") + pack(">QB", tag, 0) + short(b"celeryev") + short(key)
    )


def header(size: int, content_type: bytes | None = b"application/json") -> bytes:
    # content-encoding, headers (an empty table) and delivery-mode follow, as kombu sends them
    rest = short(b"utf-8") + pack(">I", 0) + b"\x01"
    if content_type is None:
        return frame(2, pack(">HHQH", 60, 0, size, 0x7000) + rest)
    return frame(2, pack(">HHQH", 60, 0, size, 0xF000) + short(content_type) + rest)


def delivery(tag: int, body: bytes, *, frame_max: int = 100, key: bytes = b"task.multi") -> bytes:
    parts = [body[at : at + frame_max] for at in range(0, len(body), frame_max)]
    return deliver(tag, key) + header(len(body)) + b"".join(frame(3, part) for part in parts)


def reader(
    other: Callable[[int, int, bytes], Message | None] = lambda *_: None, body_max: int = 10**6
) -> Deliveries:
    return Deliveries(CHANNEL, other, frame_max=131072, body_max=body_max)


def told(messages: list[Message]) -> list[tuple[int | None, str, bytes]]:
    return [(message.tag, message.routing_key, message.body) for message in messages]


@given(st.lists(st.binary(max_size=350), max_size=5), st.lists(st.integers(1, 400), max_size=30))
def test_a_stream_cut_anywhere_gives_the_same_messages(bodies: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(delivery(tag, body) + HEARTBEAT for tag, body in enumerate(bodies, 1))
    others: list[tuple[int, int, bytes]] = []
    deliveries = reader(lambda *heard: others.append(heard))
    messages = []
    for cut in cuts:
        messages += deliveries.feed(stream[:cut])
        stream = stream[cut:]
    messages += deliveries.feed(stream)
    assert told(messages) == [(tag, "task.multi", body) for tag, body in enumerate(bodies, 1)]
    assert others == [(8, 0, b"")] * len(bodies)


def test_what_is_told_by_others_keeps_its_place() -> None:
    deliveries = reader(lambda kind, channel, payload: Message(payload, "", routing_key="other"))
    stream = delivery(1, b"a") + frame(1, b"\0\x32\0\x0b") + delivery(2, b"b") + frame(1, b"x", channel=7)
    assert told(deliveries.feed(stream)) == [
        (1, "task.multi", b"a"),
        (None, "other", b"\0\x32\0\x0b"),
        (2, "task.multi", b"b"),
        (None, "other", b"x"),
    ]


def test_contents_that_are_no_delivery_are_left_to_others() -> None:
    heard: list[int] = []
    deliveries = reader(lambda kind, channel, payload: heard.append(kind))
    returned = frame(1, pack(">HH", 60, 50)) + header(3) + frame(3, b"abc")
    assert told(deliveries.feed(returned + delivery(1, b"mine"))) == [(1, "task.multi", b"mine")]
    assert heard == [1, 2, 3]


def test_a_frame_of_another_channel_may_come_between_the_parts_of_a_body() -> None:
    stream = (
        deliver(1) + header(4) + frame(3, b"ab") + frame(3, b"??", channel=2) + HEARTBEAT + frame(3, b"cd")
    )
    assert told(reader().feed(stream)) == [(1, "task.multi", b"abcd")]


@pytest.mark.parametrize(
    ("sent", "read"),
    [(b"text/plain", "text/plain"), (b"", ""), (b"\xff\xfe", "\ufffd\ufffd"), (None, "application/json")],
)
def test_content_types_are_read_however_broken(sent: bytes | None, read: str) -> None:
    (message,) = reader().feed(deliver(1, b"\xff") + header(1, sent) + frame(3, b"x"))
    assert message.content_type == read
    assert message.routing_key == "\ufffd"


def test_of_a_huge_body_only_the_beginning_is_kept() -> None:
    deliveries = reader(body_max=250)
    (message,) = deliveries.feed(delivery(1, b"x" * 5000))
    assert 250 <= len(message.body) < 400
    assert told(deliveries.feed(delivery(2, b"y"))) == [(2, "task.multi", b"y")]


@pytest.mark.parametrize(
    "stream",
    [
        b"HTTP/1.1 400 Bad Request\r\n",
        delivery(1, b"body")[:-1] + b"\x00" + HEARTBEAT,
        deliver(1) + header(2) + frame(3, b"abc"),
    ],
)
def test_a_stream_that_is_not_amqp_ends(stream: bytes) -> None:
    with pytest.raises(ConnectionError):
        reader().feed(stream)
