"""Recordings of real workers, one per pool, replayed in order and in disorder."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from tests.streams.check import outcome
from tests.streams.expected import EXPECTED

FOLDER = Path(__file__).parents[1] / "streams"
RECORDINGS = sorted(FOLDER.glob("*.jsonl"))


def read(file: Path) -> tuple[dict[str, str], list[dict[str, Any]]]:
    first, *events = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return first["paths"], events


def test_there_is_a_recording_of_every_pool() -> None:
    assert [file.stem for file in RECORDINGS] == ["gevent", "prefork", "solo", "threads"]


@pytest.mark.parametrize("file", RECORDINGS, ids=lambda file: file.stem)
@pytest.mark.parametrize("seed", range(20))
def test_a_real_stream_ends_as_documented_in_any_order_and_with_duplicates(file: Path, seed: int) -> None:
    ids, events = read(file)
    chance = random.Random(seed)
    if seed:
        events = [*events, *chance.sample(events, len(events) // 3)]
        chance.shuffle(events)
    assert {path: outcome(events, uuid) for path, uuid in ids.items()} == {
        path: EXPECTED[path] for path in ids
    }
