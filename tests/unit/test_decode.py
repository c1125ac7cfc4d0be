"""Untrusted messages: read, repaired, or counted by cause; never fatal."""

import json
import pickle
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from umbel.ingest.decode import Decoder
from umbel.ingest.redis_line import NOT_AN_ENVELOPE
from umbel.model.event import REPAIRED, TRUNCATED, Event

NOW = 1_700_000_000.0
GOOD = {
    "type": "task-received", "uuid": "a-1", "name": "shop.pay", "hostname": "celery@a", "timestamp": NOW,
    "utcoffset": -2, "pid": 7, "clock": 3, "args": "(1,)", "kwargs": "{}", "retries": 0, "eta": None,
}  # fmt: skip


def decode(
    value: Any, content_type: str = "application/json", **options: Any
) -> tuple[list[Event], list[str]]:
    decoder = Decoder(**{"max_message": 1_000_000, "max_text": 4000, **options})
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    events, errors = decoder.decode(body, content_type, NOW + 1)
    return list(events), [error.cause for error in errors]


def test_one_event_and_a_list_of_events_are_both_read() -> None:
    assert decode(GOOD)[0][0].name == "shop.pay"
    events, causes = decode([GOOD, {**GOOD, "type": "task-started"}])
    assert [event.type for event in events] == ["task-received", "task-started"]
    assert causes == []
    assert events[0].received_at == NOW + 1
    assert events[0].origin == 0


def test_what_a_sender_says_of_our_own_fields_is_not_believed() -> None:
    (event,), _ = decode({**GOOD, "origin": 7, "received_at": 1.0})
    assert (event.origin, event.received_at) == (0, NOW + 1)


def test_unknown_fields_and_event_types_are_fine_and_other_groups_are_passed_over() -> None:
    events, causes = decode([{**GOOD, "type": "task-PROGRESS", "done": 3}, {**GOOD, "type": "shop-opened"}])
    assert [event.type for event in events] == ["task-PROGRESS"]
    assert causes == []


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (b'{"type": "task-rec', "json"),
        (b"\x80\x04\x95", "json"),
        (b"[" * 100_000, "json"),
        (b"17", "not-an-event"),
        (b'"task-received"', "not-an-event"),
        (b"{}", "not-an-event"),
        (json.dumps({**GOOD, "uuid": None}).encode(), "not-an-event"),
        (json.dumps({**GOOD, "uuid": "x" * 1000}).encode(), "not-an-event"),
        (json.dumps({**GOOD, "hostname": ""}).encode(), "not-an-event"),
        (json.dumps({**GOOD, "hostname": 5}).encode(), "not-an-event"),
        (json.dumps({**GOOD, "type": "task-" + "x" * 500}).encode(), "not-an-event"),
        (json.dumps({**GOOD, "timestamp": None}).encode(), "timestamp"),
        (json.dumps({**GOOD, "timestamp": float("nan")}).encode(), "timestamp"),
        (json.dumps({**GOOD, "timestamp": 12}).encode(), "timestamp"),
        (json.dumps({**GOOD, "timestamp": 1e15}).encode(), "timestamp"),
        (json.dumps({**GOOD, "clock": 2**70}).encode(), "type"),
        (b"x" * 2_000_000, "too-big"),
    ],
)
def test_what_cannot_be_read_has_a_cause(body: bytes, cause: str) -> None:
    events, causes = decode(body)
    assert events == []
    assert causes == [cause]


def test_one_bad_event_does_not_take_the_others_of_its_message_along() -> None:
    events, causes = decode([GOOD, {"type": "task-started"}, {**GOOD, "uuid": "b-2"}])
    assert [event.uuid for event in events] == ["a-1", "b-2"]
    assert causes == ["not-an-event"]


def test_lone_surrogates_are_replaced_and_marked() -> None:
    (event,), causes = decode(json.dumps({**GOOD, "args": "caf\ud83d!"}).encode())
    assert causes == []
    assert event.args == "caf\ufffd!"
    assert event.origin == REPAIRED


def test_bytes_that_are_not_utf_8_are_replaced_and_marked() -> None:
    (event,), _ = decode(json.dumps(GOOD).encode().replace(b"(1,)", b"\xff1"))
    assert event.args == "\ufffd1"
    assert event.origin == REPAIRED


def test_not_a_number_is_left_out_and_marked() -> None:
    (event,), _ = decode({**GOOD, "type": "task-succeeded", "runtime": float("nan"), "result": "nan"})
    assert (event.runtime, event.result, event.origin) == (None, "nan", REPAIRED)


def test_typed_values_of_kombu_become_their_text() -> None:
    eta = {"__type__": "datetime", "__value__": "2030-01-01T00:00:00+00:00"}
    (event,), _ = decode({**GOOD, "eta": eta, "uuid": {"__type__": "uuid", "__value__": "ab"}})
    assert (event.eta, event.uuid, event.origin) == ("2030-01-01T00:00:00+00:00", "ab", REPAIRED)


def test_fields_of_the_wrong_type_are_converted_or_left_out() -> None:
    odd = {
        **GOOD,
        "args": [1, 2],
        "retries": "3",
        "pid": None,
        "clock": None,
        "loadavg": "high",
        "requeue": "yes",
    }
    (event,), causes = decode(odd)
    assert causes == []
    assert (event.args, event.retries, event.pid, event.clock) == ("[1, 2]", 3, 0, 0)
    assert event.loadavg is None and event.requeue is None


def test_a_text_beyond_the_limit_is_cut_at_a_character_and_marked() -> None:
    (event,), _ = decode({**GOOD, "args": "ä" * 3000, "kwargs": "k" * 4000})
    assert event.args == "ä" * 2000
    assert event.kwargs == "k" * 4000
    assert event.origin == TRUNCATED


def test_pickle_is_refused_unless_it_is_accepted() -> None:
    body = pickle.dumps(GOOD)
    assert decode(body, "application/x-python-serialize") == ([], ["content-type"])
    (event,), causes = decode(body, "application/x-python-serialize", accept=["pickle"])
    assert (event.uuid, causes) == ("a-1", [])
    assert decode(b"\x80broken", "application/x-python-serialize", accept=["pickle"])[1] == ["serialize"]


def test_what_is_no_envelope_of_kombus_is_counted_as_that() -> None:
    assert decode(b"hello", NOT_AN_ENVELOPE) == ([], ["envelope"])


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(_JSON)
def test_no_json_value_breaks_the_decoder(value: Any) -> None:
    decode(value)
    decode({**GOOD, "args": value, "timestamp": NOW, "retries": value, "loadavg": value, "runtime": value})


def test_no_garbled_bytes_break_the_decoder() -> None:
    random_ = random.Random(7)
    whole = json.dumps([GOOD, GOOD]).encode()
    for _ in range(2000):
        body = bytearray(whole)
        for _ in range(random_.randrange(1, 6)):
            body[random_.randrange(len(body))] = random_.randrange(256)
        decode(bytes(body))


def test_an_error_holds_no_frames_and_with_them_no_messages() -> None:
    decoder = Decoder(max_message=1_000_000, max_text=4000)
    body = json.dumps([{**GOOD, "timestamp": 5.0}, {**GOOD, "hostname": 7}]).encode()
    _, errors = decoder.decode(body, "application/json", NOW)
    assert len(errors) == 2
    assert all(error.__traceback__ is None and error.__context__ is None for error in errors)
