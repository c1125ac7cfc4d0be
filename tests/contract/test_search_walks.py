"""When a search asks the index, and when it walks through the newest tasks instead."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.contract.teller import EPOCH, received, succeeded
from tests.contract.test_search_index import Stand, word
from umbel.model.event import Event
from umbel.store import paging, search_index
from umbel.store.base import Count, TaskQuery

ATTEMPTS = paging.ATTEMPTS


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    with closing(Stand(tmp_path / "h.sqlite3")) as stand:
        yield stand


@pytest.fixture
def walks(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every step of a walk is added; the index may name few rows, and not know few."""
    walks: list[object] = []
    walk = paging.Finder.fetch_walked

    def count(*given: Any) -> Any:
        walks.append(given)
        return walk(*given)

    monkeypatch.setattr(paging.Finder, "fetch_walked", count)
    monkeypatch.setattr(paging, "ATTEMPTS", ((0, 8, 9.0), (1, 1000, 9.0)))
    monkeypatch.setattr(search_index, "MOST_UNKNOWN", 9)
    return walks


def numbered(numbers: range, at: float = EPOCH) -> list[Event]:
    return [
        event
        for n in numbers
        for event in succeeded(f"u{n}", at=at, args=f"('common', {n}000)", kwargs=f"{at}")
    ]


def test_what_is_rare_is_found_without_a_walk(stand: Stand, walks: list[object]) -> None:
    stand.teller.tell(numbered(range(1, 30)))
    stand.catch_up()
    assert stand.find(word("17000")) == ["u17"]
    assert stand.find(word("never")) == []
    stand.teller.tell(numbered(range(30, 39)))
    assert stand.find(word("35000")) == ["u35"], "not indexed, but few"
    walks.clear()
    assert stand.reader.fetch_tasks(TaskQuery(search=word("17000")), limit=9).tasks
    assert stand.reader.count_tasks(TaskQuery(search=word("17000"))) == Count(1, True)
    assert walks == []
    assert len(stand.reader.fetch_tasks(TaskQuery(search=word("common")), limit=9).tasks) == 9
    assert walks, "the index would only name rows that a walk finds"


def test_a_search_walks_while_the_index_misses_much(
    stand: Stand, walks: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    def walks_for_rare() -> bool:
        walks.clear()
        assert stand.reader.fetch_tasks(TaskQuery(search=word("17000")), limit=9).tasks
        return bool(walks)

    stand.teller.tell(numbered(range(1, 30)))
    stand.catch_up()
    stand.teller.tell(numbered(range(30, 40)))
    assert walks_for_rare(), "too many that are not indexed"
    stand.catch_up()
    assert not walks_for_rare()
    stand.teller.tell([event for n in range(10) for event in received(f"open{n}")])
    stand.catch_up()
    assert walks_for_rare(), "too many that are not finished"
    stand.teller.tell([event for n in range(10) for event in succeeded(f"open{n}")])
    stand.catch_up()
    assert not walks_for_rare()
    stand.teller.tell(numbered(range(1, 11), EPOCH + 99))
    assert walks_for_rare(), "too many that changed"
    stand.catch_up()
    monkeypatch.setattr(paging, "ATTEMPTS", ATTEMPTS)
    assert not walks_for_rare(), "as it is outside of tests"
