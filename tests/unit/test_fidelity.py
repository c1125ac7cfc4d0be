"""Whether arguments are those that a task received: what serializers keep is tried, not believed."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import IntEnum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kombu.exceptions import KombuError
from kombu.serialization import dumps, loads

from umbel.control.fidelity import accepted_by, choose_serializer, comes_back, same, why_not_exact

_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.datetimes(), st.dates(),
    st.times(), st.decimals(allow_nan=False), st.uuids(),
)  # fmt: skip
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4) | st.tuples(inner)
    ),
    max_leaves=12,
)


def once(value: Any, serializer: str) -> Any:
    content_type, encoding, data = dumps(value, serializer=serializer)
    return loads(data, content_type, encoding, accept={content_type})


@settings(deadline=None, max_examples=200)
@given(_VALUES)
def test_what_json_gave_json_keeps(value: Any) -> None:
    """A task's arguments came through JSON once; a result keeps them by JSON, and a retry sends them by it."""
    try:
        received = once([value], "json")
    except (ValueError, TypeError, KombuError):
        return  # nobody could send it: a dict that looks like kombu's own form
    assert comes_back(received, "json")
    assert comes_back(received, "pickle")


class Size(IntEnum):
    """Reads as a number by JSON."""

    LARGE = 3


@pytest.mark.parametrize(
    "value",
    [(1,), [(1,)], {1: 2}, {"a": {2: 3}}, {3}, Size.LARGE, object(), [True, {"k": (None,)}]],
)
def test_json_is_not_chosen_for_what_it_does_not_keep(value: Any) -> None:
    assert not comes_back(value, "json")
    assert choose_serializer(value, ["json"], {"json"}) is None
    assert choose_serializer(value, ["json"], {"json", "pickle"}) == "pickle"


def test_the_wanted_serializer_is_chosen_where_workers_take_it() -> None:
    moment = [
        datetime(2026, 1, 1, tzinfo=UTC),
        date(2026, 1, 1),
        time(1),
        Decimal("1.0"),
        UUID(int=1),
        b"\xff",
    ]
    assert choose_serializer(moment, ["yaml", "json"], {"json"}) == "json"
    assert choose_serializer([1], ["yaml"], {"json", "yaml"}) == "yaml"
    assert choose_serializer([1], ["nosuch"], {"nosuch"}) is None


def test_a_result_is_exact_only_where_no_message_could_hold_more() -> None:
    for kept_by, accepted in (
        ("json", {"json"}), ("pickle", {"json", "pickle", "yaml"}), ("yaml", {"yaml", "json"}), ("odd", {"odd"}),
    ):  # fmt: skip
        assert why_not_exact(kept_by, accepted) == ""
    assert "pickle or yaml" in why_not_exact("json", {"json", "pickle", "yaml"})
    assert why_not_exact("msgpack", {"yaml"})


def test_what_workers_take_is_what_any_of_them_takes() -> None:
    assert accepted_by(["application/json"], []) == {"json"}
    assert accepted_by(["json"], [{}, {"accept_content": ["pickle"]}]) == {"json", "pickle"}
    assert accepted_by(["yaml"], [{}]) == {"yaml", "json"}


def test_same_looks_at_types_too() -> None:
    assert same([float("nan"), {"a": 1, "b": 2}], [float("nan"), {"b": 2, "a": 1}])
    for one, other in ((1, True), (1, 1.0), ([1], (1,)), ({1: 0}, {True: 0}), ("a", b"a"), ([1], [1, 2])):
        assert not same(one, other)
