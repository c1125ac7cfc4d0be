"""Stored tasks are looked up with few statements, whatever their number."""

from collections.abc import Sequence
from typing import Any

from umbel.store.sqlite_lives import read_lives


def test_any_number_of_tasks_is_asked_for_with_five_statements() -> None:
    statements: set[str] = set()
    asked: list[str] = []

    def select(sql: str, values: Sequence[object]) -> list[Any]:
        statements.add(sql)
        assert sql.count("?") == len(values)
        asked.extend(map(str, values))
        return []

    for count in range(1100):
        ids = [f"task-{number}" for number in range(count)]
        asked.clear()
        assert read_lives(select, ids) == {}
        assert set(asked) == set(ids)
        assert len(asked) <= max(8, 8 * count), "what a batch is filled up with costs something, too"
    assert len(statements) == 5
