"""Stored tasks are looked up with few statements, whatever their number."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from umbel.store.sqlite_ids import TaskFinder
from umbel.store.sqlite_lives import read_lives


def test_any_number_of_tasks_is_asked_for_with_few_statements() -> None:
    statements: set[str] = set()
    asked: Counter[object] = Counter()

    def select(sql: str, values: Sequence[object]) -> list[Any]:
        statements.add(sql)
        assert sql.count("?") == len(values)
        asked.update(values)
        return [] if values else [(7,)]  # the newest partition

    for count in range(1100):
        ids = [f"task-{number}" for number in range(count)]
        asked.clear()
        assert read_lives(TaskFinder(), select, ids) == {}
        assert set(asked) - {6, 7} == set(ids)
        # once in the newest partitions, once in all
        assert asked.total() <= 2 * max(8, 10 * count), "what a batch is filled up with costs something, too"
    assert len(statements) == 1 + 2 * 5
