"""What is read from a message in Redis: Celery's protocols, other people's messages, and rubbish."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from umbel.brokers.message import decode_message, decode_unacked


def envelope(headers: dict[str, Any], body: Any, **properties: Any) -> bytes:
    """A message as kombu writes it."""
    encoded = base64.b64encode(json.dumps(body).encode()).decode()
    return json.dumps(
        {
            "body": encoded,
            "content-type": "application/json",
            "content-encoding": "utf-8",
            "headers": headers,
            "properties": {"body_encoding": "base64", **properties},
        }
    ).encode()


HEADERS = {
    "lang": "py", "task": "shop.charge", "id": "t1", "root_id": "r", "parent_id": None, "argsrepr": "(1,)",
    "kwargsrepr": "{'a': 2}", "origin": "gen1@web", "retries": 2, "eta": "2026-11-26T01:00:00+00:00",
    "expires": None,
}  # fmt: skip


def test_protocol_2_is_told_by_its_headers() -> None:
    found = decode_message(envelope(HEADERS, [[1], {"a": 2}, {}], priority=3), position=7)
    assert (found.task_id, found.task, found.args, found.kwargs) == ("t1", "shop.charge", "(1,)", "{'a': 2}")
    assert (found.eta, found.expires, found.retries) == ("2026-11-26T01:00:00+00:00", None, 2)
    assert (found.root_id, found.parent_id, found.origin, found.priority) == ("r", None, "gen1@web", 3)
    assert (found.position, found.unreadable) == (7, None)


def test_arguments_without_a_print_come_from_the_body() -> None:
    headers = {key: value for key, value in HEADERS.items() if not key.endswith("repr")}
    found = decode_message(envelope(headers, [[1, "x"], {"a": None}, {}]))
    assert (found.args, found.kwargs) == ("(1, 'x')", "{'a': None}")


def test_protocol_1_has_everything_in_its_body() -> None:
    body: dict[str, Any] = {
        "id": "t1",
        "task": "shop.charge",
        "args": [1],
        "kwargs": {},
        "eta": None,
        "retries": 0,
    }
    found = decode_message(envelope({}, body))
    assert (found.task_id, found.task, found.args, found.kwargs) == ("t1", "shop.charge", "(1,)", "{}")


def test_a_body_that_is_not_json_is_not_looked_at() -> None:
    headers = {key: value for key, value in HEADERS.items() if not key.endswith("repr")}
    raw = json.loads(envelope(headers, []))
    for change in ({"content-type": "application/x-python-serialize"}, {"body": "%%%"}):
        found = decode_message(json.dumps(raw | change).encode())
        assert (found.task_id, found.args, found.kwargs) == ("t1", None, None)


def test_a_message_of_no_task_is_no_error() -> None:
    found = decode_message(envelope({}, {"n": 1}))
    assert (found.task, found.task_id, found.args, found.unreadable) == (None, None, None, None)


@pytest.mark.parametrize("raw", [b"", b"text", b"[1]", b"\xff\xfe", b"[" * 100_000, b"NaN"])
def test_rubbish_is_said_to_be_none_of_kombus(raw: bytes) -> None:
    assert decode_message(raw).unreadable is not None
    assert decode_unacked(raw, delivered=1.0)[0].unreadable is not None


def test_lone_surrogates_and_nan_are_read() -> None:
    raw = envelope({"id": "t1", "task": "x\ud800", "argsrepr": "('\ud800',)", "kwargsrepr": "{}"}, [])
    found = decode_message(raw.replace(b'"priority"', b'"x": NaN, "priority"'))
    assert (found.task, found.args) == ("x?", "('?',)")


def test_an_entry_that_a_worker_holds_tells_its_exchange_and_key() -> None:
    entry = json.dumps([json.loads(envelope(HEADERS, [])), "shop", "orders"]).encode()
    message, exchange, routing_key = decode_unacked(entry, delivered=5.0)
    assert (message.task_id, message.delivered, exchange, routing_key) == ("t1", 5.0, "shop", "orders")


PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
JSON = PLAIN | st.lists(PLAIN, max_size=3) | st.dictionaries(st.text(), PLAIN, max_size=3)
KEYS = st.sampled_from(["body", "headers", "properties", "content-type", "id", "task", "argsrepr", "eta"])


@given(st.dictionaries(KEYS, st.dictionaries(KEYS, JSON, max_size=4) | JSON, max_size=5))
def test_nothing_that_is_json_raises(value: dict[str, Any]) -> None:
    raw = json.dumps(value).encode()
    decode_message(raw)
    decode_unacked(json.dumps([value, value, None]).encode(), delivered=None)
