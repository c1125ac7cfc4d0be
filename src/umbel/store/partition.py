"""Indexes of values that come in no order, uuids and run times, cut by id: new rows go into the newest partition only.

In one index of a million uuids each transaction of some thousand rows changes nearly every page. A partition's pages
stay in the cache, and SQLite merges the partitions while it walks them. Used by readers, and by `store.sqlite_ids`.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from umbel.store.condition import Condition
from umbel.store.schema import PARTITION, PARTITION_BITS, tasks

#: Sort fields whose index is cut.
PARTITIONED = ("runtime",)
#: SQLite takes 500 parts in a statement, and a million characters; a longer history, of 26 million rows, is sorted
#: without the index.
MOST_MERGED = 400

_partition: sa.ColumnElement[int] = sa.literal_column(f"tasks.{PARTITION}", sa.Integer)

#: One seek for each partition, so that none is asked which is empty.
PARTITIONS = f"""
WITH RECURSIVE found (number) AS (
    SELECT min(id) >> {PARTITION_BITS} FROM tasks
    UNION ALL
    SELECT (SELECT min(id) >> {PARTITION_BITS} FROM tasks WHERE id >= (number + 1) << {PARTITION_BITS})
    FROM found WHERE number IS NOT NULL
) SELECT number FROM found WHERE number IS NOT NULL
"""


_in_any: Condition = _partition.in_(sa.text(PARTITIONS).columns(number=sa.Integer))


def has_uuid(uuid: str) -> Condition:
    """The row of one task, to be found in the index of uuids."""
    return sa.and_(_in_any, tasks.c.uuid == uuid)


def in_partition(number: int) -> Condition:
    """Rows of one partition, in the index' order."""
    return _partition == number


def in_partitions(numbers: Sequence[int]) -> tuple[Condition, ...]:
    """Rows of these partitions, in any order; all rows where none is named."""
    return (_partition.in_(numbers),) if numbers else ()


def merged(statement: sa.Select[Any], numbers: Sequence[int]) -> sa.Select[Any] | sa.CompoundSelect[Any]:
    """What `statement` selects, each partition by itself; to be ordered by what the index is sorted by.

    No `numbers` stand for an index that is not cut.
    """
    if len(numbers) < 2:
        return statement.where(*map(in_partition, numbers))
    return sa.union_all(*(statement.where(in_partition(number)) for number in numbers))
