"""Malformed messages of every kind, reproducible from a seed, each with the causes under which it may be counted."""

import json
import pickle
import random
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from tests.prove.raw import task_event

#: Larger than what is read at all.
HUGE = 10 * 2**20

PICKLE = "application/x-python-serialize"


class Rubbish(NamedTuple):
    """One message. `faults` is how many of its events can't be read."""

    kind: str
    body: bytes
    content_type: str = "application/json"
    faults: int = 1


def make_rubbish(count: int, *, huge: int, seed: int = 8) -> Iterator[Rubbish]:
    """`count` malformed messages, `huge` of them of 10 MB and spread evenly."""
    rng = random.Random(seed)
    every = count // huge if huge else count + 1
    for number in range(count):
        if number % every == every - 1:
            yield Rubbish("10 MB", _encode(_event(rng, args="x" * HUGE)))
        else:
            yield rng.choice(_KINDS)(rng)


def _event(rng: random.Random, **fields: Any) -> dict[str, Any]:
    uuid = f"rubbish-{rng.getrandbits(64):016x}"
    return task_event("task-received", uuid, time=time.time(), name="prove.rubbish", **fields)


def _encode(value: Any) -> bytes:
    return json.dumps(value).encode()


def _cut(rng: random.Random) -> Rubbish:
    whole = _encode(_event(rng))
    return Rubbish("broken JSON", whole[: rng.randrange(1, len(whole) - 1)])


def _noise(rng: random.Random) -> Rubbish:
    return Rubbish("bytes that are no text", b"\xff\xfe" + rng.randbytes(rng.randrange(1, 300)))


def _empty(rng: random.Random) -> Rubbish:
    return Rubbish("empty", rng.choice([b"", b" ", b"\n"]))


def _scalar(rng: random.Random) -> Rubbish:
    return Rubbish(
        "no object", rng.choice([b"null", b"1", b"true", b'"task-received"', b"1e400", b"[1]", b"[null]"])
    )


def _list(rng: random.Random) -> Rubbish:
    items: list[Any] = [
        rng.choice([None, 1, "x", [], [[]], {}, {"type": None}, {"uuid": 3}])
        for _ in range(rng.randrange(1, 25))
    ]
    return Rubbish("list of rubbish", _encode(items), faults=len(items))


def _types(rng: random.Random) -> Rubbish:
    event = _event(rng)
    field, value = rng.choice([
        ("type", 7), ("type", None), ("type", ["task-received"]), ("hostname", {}), ("hostname", None),
        ("hostname", ""),
        ("uuid", None), ("uuid", ""), ("timestamp", []), ("timestamp", None), ("timestamp", {"now": 1}),
        ("type", "task-"), ("type", "task- received"), ("uuid", "u" * 5000), ("hostname", "h" * 5000),
    ])  # fmt: skip
    event[field] = value
    return Rubbish("wrong type", _encode(event))


def _time(rng: random.Random) -> Rubbish:
    stamp = rng.choice(
        [-1, 0, 1e18, -1e300, float("nan"), float("inf"), "yesterday", "2026-13-45", True, 4e9 * 1000]
    )
    return Rubbish("bad timestamp", _encode({**_event(rng), "timestamp": stamp}))


def _pickle(rng: random.Random) -> Rubbish:
    return Rubbish("pickle", pickle.dumps(_event(rng)), PICKLE)


def _alien(rng: random.Random) -> Rubbish:
    kind = rng.choice(
        ["text/plain", "application/x-yaml", "application/x-msgpack", "application/data", "", "x" * 200]
    )
    return Rubbish("unknown content type", _encode(_event(rng)), kind)


def _deep(rng: random.Random) -> Rubbish:
    depth = rng.choice([100_000, 200_000])
    return Rubbish("deep nesting", b"[" * depth + b"]" * depth)


_KINDS = (_cut, _noise, _empty, _scalar, _list, _types, _time, _pickle, _alien, _deep)
