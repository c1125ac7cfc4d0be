"""Finds the rows of a page in bounded steps: walks an index in the wanted order, or sorts a small block of rows.

Which of both costs less is not known beforehand, so a block is sorted once as many rows as it has were walked in vain:
never more than twice the better way. Between steps the view may begin anew, so that no transaction lasts.
Used by `store.sqlite_reader`.
"""

import heapq
import sys
import time
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, Protocol

import msgspec
import sqlalchemy as sa

from umbel.store.base import Count, TaskQuery
from umbel.store.condition import FACET_FIELDS, Condition, Known, has_value, unindexed
from umbel.store.order import Found, Position, Segment, rank, segments
from umbel.store.partition import MOST_MERGED, PARTITIONED, PARTITIONS, in_partition, in_partitions, merged
from umbel.store.queries import chosen_values, count_facets, facets_suffice, filters, lookups
from umbel.store.schema import tasks
from umbel.store.steps import FIRST_PIECE, FIRST_STEP, Pace, Place, between, beyond, next_place, place_in

#: Blocks are counted up to here; larger ones are not sorted.
MOST_SORTED = 100_000
#: A block of so few rows is sorted without trying to walk.
SMALL_BLOCK = 300
#: Newest rows that tell whether a search is for something common.
SAMPLE = 1_000
#: What the search index is asked first: for the rows of what is rare, at most so many, in so many seconds.
RARE = (SMALL_BLOCK, 0.02)
#: Rows walked before the search index is asked, the most candidates that it may then give, and how many seconds it may
#: take. What follows is a walk through all rows.
ATTEMPTS = ((0, *RARE), (1_000, 24_000, 0.1), (40_000, 100_000, 2.0))

#: Candidates for each row that is counted at most: entries of the index name several rows, of which one matches.
CANDIDATES = 8

_id, _uuid = tasks.c.id, tasks.c.uuid


class View(Protocol):
    """A consistent view of the history."""

    def fetch(self, statement: sa.Executable) -> Sequence[Any]:
        """All rows of a statement."""

    def fetch_text(self, sql: str, parameters: tuple[object, ...]) -> Sequence[Any]:
        """All rows of a statement in the engine's own words."""

    def breathe(self) -> None:
        """Between two steps: a view that is old may become a new one."""


class Part(msgspec.Struct, frozen=True):
    """Rows that an index finds: those with `where`, in the order of `by` inside that index."""

    where: tuple[Condition, ...]
    by: sa.Column[Any]


class Block(msgspec.Struct, frozen=True):
    """Some rows among which all wanted ones are."""

    parts: tuple[Part, ...]
    #: How many they are; 0 where that is not known.
    size: int
    #: Rows beside those of `parts`, by id.
    ids: tuple[int, ...] = ()


class Index(Protocol):
    """What a search index knows of a query."""

    @property
    def known(self) -> Block | None:
        """The candidates, where they were fetched before."""

    def fetch_candidates(self, most: int, patience: float) -> Block | None:
        """All rows that can match; None where they are more than `most`, or not found in `patience` seconds."""


class Finder:
    """Answers one query. `known` holds what `queries.known_fields` names."""

    def __init__(self, view: View, query: TaskQuery, known: Known, index: Index | None = None) -> None:
        self._view = view
        self._query = query
        self._known = known
        self._index = index
        self._descending = query.descending
        self._chosen = chosen_values(query, known)
        self._pinned = self._pin()
        self._filters = filters(query, known, without=self._pinned)

    def find(self, count: int, position: Position | None = None, offset: int = 0) -> list[Found]:
        """At most `count` matching rows in the query's order, after `position` or beyond `offset` rows."""
        if not all(self._chosen.values()):
            return []
        wanted = min(offset + count, self._matching())
        found: list[Found] = []
        for segment in self._from(position):
            place = place_in(segment, position)
            if place is None and not found and offset and not self._filters:
                offset, place, skipped = self._skip(segment, offset)
                wanted = min(wanted, offset + count)
                if skipped:
                    continue
            found += self._search(segment, place, wanted - len(found))
            if len(found) >= wanted:
                break
        return found[offset:]

    def count(self, limit: int, *, until: float) -> Count:
        """How many match, counting no further than `limit` and no longer than `until`, in `time.monotonic`.

        One piece is always counted, so that a moment's standstill makes no short history uncertain.
        """
        if not all(self._chosen.values()):
            return Count(0, True)
        counted = 0
        block = None
        if self._index is not None:
            block = self._index.fetch_candidates(*RARE)
            if block is None and not self._is_common():
                block = self._index.fetch_candidates(CANDIDATES * limit, until - time.monotonic())
        matching = filters(self._query, self._known)
        for done, where in enumerate(
            self._pieces(block or self._smallest(None) or _everything(), newest=True)
        ):
            if done and time.monotonic() > until:
                return Count(counted, False)
            counted += self._count((*where, *matching), limit + 1 - counted)
            if counted > limit:
                return Count(limit, False)
            self._view.breathe()
        return Count(counted, True)

    def _is_common(self) -> bool:
        """Every tenth of the newest rows matches, so the index would only name rows to be read anyway."""
        updated = tasks.c.updated
        edge = self._edge((), updated, None, SAMPLE, True)
        newest = () if edge is None else (updated > edge,)
        return self._count((*newest, *filters(self._query, self._known)), SAMPLE) * 10 >= SAMPLE

    def _pin(self) -> str | None:
        """The column whose index gives the rows of the only value asked for in the query's order."""
        if self._query.sort != "updated":
            return None
        single = {field: values[0] for field, values in self._chosen.items() if len(values) == 1}
        return min(single, key=lambda field: self._known[field][single[field]], default=None)

    def _segments(self) -> list[Segment]:
        if self._pinned is None:
            cut = self._partitions if self._query.sort in PARTITIONED else ()
            return segments(self._query, self._known, cut)
        values = self._chosen[self._pinned]
        where, plain = (tasks.c[self._pinned] == values[0],), (has_value(self._pinned, values),)
        return [Segment(where, plain, tasks.c.updated, tasks.c.updated)]

    @cached_property
    def _partitions(self) -> tuple[int, ...]:
        """Those that the history has."""
        return tuple(row[0] for row in self._view.fetch_text(PARTITIONS, ()))

    def _from(self, position: Position | None) -> Iterator[Segment]:
        """The segments from that of `position` on."""
        for segment in self._segments():
            if position is not None:
                if segment.is_block:
                    ahead = rank(segment.key, "") < rank(position.key, "")
                    behind = rank(segment.key, "") > rank(position.key, "")
                    if behind if self._descending else ahead:
                        continue
                elif segment.walked is not None and position.key is None and self._descending:
                    continue
            yield segment

    # -- skipping

    def _skip(self, segment: Segment, offset: int) -> tuple[int, Place | None, bool]:
        """Pass over `offset` rows of all rows: what is left to pass, where to begin, and whether in the next."""
        if segment.is_block:
            size = self._size(segment, offset + 1)
            return (offset - size, None, True) if size <= offset else (offset, None, False)
        if segment.walked is None:
            return offset, None, False
        column, where = segment.walked, _looked_up(segment)
        edge = self.fetch_edge(segment, None, offset)
        if edge is None:
            passed = sa.select(sa.func.count()).select_from(tasks).where(*where)
            return offset - self._view.fetch(passed)[0][0], None, True
        beyond = column > edge if self._descending else column < edge
        before = self._view.fetch(sa.select(sa.func.count()).select_from(tasks).where(*where, beyond))
        return offset - before[0][0], Place(edge), False

    # -- one segment

    def _search(self, segment: Segment, place: Place | None, wanted: int) -> list[Found]:
        """The first `wanted` matching rows of a segment from `place` on."""
        walk = _Walk(self, segment, place)
        if segment.walked is None or len(self._walked_in(segment)) > MOST_MERGED:
            return self._sort(segment, place, self._smallest(segment) or _everything(), wanted)
        if not self._filters and not segment.is_block:
            walk.go(wanted)
            return walk.found
        if self._index is not None:
            if self._index.known is not None:
                return self._sort(segment, place, self._index.known, wanted)
            for budget, most, patience in ATTEMPTS:
                if walk.go(wanted, budget):
                    return walk.found
                block = self._index.fetch_candidates(most, patience)
                if block is not None:
                    return walk.found + self._sort(segment, walk.place, block, wanted - len(walk.found))
        block = self._smallest(segment)
        if block is not None and block.size <= SMALL_BLOCK:
            return self._sort(segment, place, block, wanted)
        if walk.go(wanted, None if block is None else block.size) or block is None:
            return walk.found
        return walk.found + self._sort(segment, walk.place, block, wanted - len(walk.found))

    def _matching(self) -> int:
        """How many rows match at most, where that is known from facets."""
        if not self._chosen or not facets_suffice(self._query):
            return sys.maxsize
        if len(self._chosen) == 1 and self._query.search is None:
            ((field, values),) = self._chosen.items()
            return sum(self._known[field][value] for value in values)
        return int(self._view.fetch(count_facets(self._query, self._known))[0][0])

    def _fetch(
        self, segment: Segment, where: Sequence[Condition], wanted: int, *, walking: bool
    ) -> list[Found]:
        """The first `wanted` rows of the segment among those with `where`, in order; `walking` on its index."""
        order: dict[str, sa.ColumnElement[Any]] = {} if segment.sort is None else {"key": segment.sort}
        order["uuid"] = _uuid
        if not walking:
            first = next(iter(order))
            order[first] = unindexed(order[first])
        columns = {"key": sa.null(), **order}
        statement = sa.select(_id, *(columns[name].label(name) for name in ("key", "uuid"))).where(
            *where, *segment.plain, *self._filters
        )
        cut = self._walked_in(segment) if walking else ()
        order_by = [_towards(name, self._descending) for name in order]
        rows = self._view.fetch(merged(statement, cut).order_by(*order_by).limit(wanted))
        if segment.sort is None:
            return [Found(id_, segment.key, uuid) for id_, _, uuid in rows]
        return [Found(*row) for row in rows]

    def _sort(self, segment: Segment, place: Place | None, block: Block, wanted: int) -> list[Found]:
        """The first `wanted` rows of the segment among those of `block`, piece by piece."""
        best: list[Found] = []
        after = () if place is None else beyond(segment, place, self._descending)
        choose = heapq.nlargest if self._descending else heapq.nsmallest
        for where in self._pieces(block):
            best += self._fetch(segment, (*where, *after), wanted, walking=False)
            best = choose(wanted, best, key=lambda found: rank(found.key, found.uuid))
            self._view.breathe()
        return best

    # -- blocks

    def _smallest(self, segment: Segment | None) -> Block | None:
        """The smallest block that holds all matching rows of the segment; None where all are large."""
        blocks = []
        for field, values in self._chosen.items():
            size = sum(self._known[field][value] for value in values)
            blocks.append(Block(tuple(Part((tasks.c[field] == v,), tasks.c.updated) for v in values), size))
        if segment is not None and segment.is_block:
            by = tasks.c.updated if self._query.sort in FACET_FIELDS else _id
            wheres = [(in_partition(number), *segment.where) for number in segment.partitions]
            parts = tuple(Part(where, by) for where in wheres or [segment.where])
            blocks.append(Block(parts, self._size(segment, MOST_SORTED + 1)))
        blocks += [
            Block((Part((where,), _id),), self._count((where,), MOST_SORTED + 1))
            for where in lookups(self._query, indexed=True)
        ]
        sortable = [block for block in blocks if block.size <= MOST_SORTED]
        return min(sortable, key=lambda block: block.size, default=None)

    def _size(self, segment: Segment, most: int) -> int:
        return self._count(_looked_up(segment), most) if segment.size is None else segment.size

    def _count(self, where: Sequence[Condition], most: int) -> int:
        some = sa.select(_id).where(*where).limit(most).subquery()
        return int(self._view.fetch(sa.select(sa.func.count()).select_from(some))[0][0])

    def _pieces(self, block: Block, *, newest: bool = False) -> Iterator[Sequence[Condition]]:
        """Conditions that find the rows of `block`, some at a time."""
        pace = Pace(FIRST_PIECE)
        for part in block.parts:
            place: Place | None = None
            while True:
                small = 0 < block.size <= pace.rows
                edge = None if small else self._edge(part.where, part.by, place, pace.rows, newest)
                yield (*part.where, *between(part.by, place, edge, newest))
                pace.note_step()
                if edge is None:
                    break
                place = next_place(place, edge)
        start = 0
        while start < len(block.ids):
            listed = block.ids[start : start + pace.rows]
            each = sa.func.json_each(str(list(listed))).table_valued("value")
            yield (_id.in_(sa.select(each.c.value)),)
            pace.note_step()
            start += len(listed)

    def _edge(
        self,
        where: Sequence[Condition],
        column: sa.Column[Any],
        place: Place | None,
        rows: int,
        down: bool,
        partitions: Sequence[int] = (),
    ) -> Any:
        """The value of `column` that many rows after `place`; None where there are no more rows."""
        begin = between(column, None if place is None else Place(place.value, place.inclusive), None, down)
        statement = merged(sa.select(column.label("key")).where(*where, *begin), partitions)
        found = self._view.fetch(statement.order_by(_towards("key", down)).limit(1).offset(rows))
        return found[0][0] if found else None

    def fetch_edge(self, segment: Segment, place: Place | None, rows: int) -> Any:
        """Where a step of so many rows through a segment's index ends; None where that ends before."""
        assert segment.walked is not None
        where = () if segment.is_block else segment.where
        return self._edge(where, segment.walked, place, rows, self._descending, self._walked_in(segment))

    def _walked_in(self, segment: Segment) -> tuple[int, ...]:
        """The partitions of the index that a segment is walked by, where that is cut: of uuids, where it is a block."""
        return self._partitions if segment.is_block else segment.partitions

    def fetch_walked(self, segment: Segment, place: Place | None, edge: Any, wanted: int) -> list[Found]:
        """What a step of a walk finds."""
        assert segment.walked is not None
        where = between(segment.walked, place, edge, self._descending)
        if not segment.is_block:
            where = (*segment.where, *where)
        found = self._fetch(segment, where, wanted, walking=True)
        self._view.breathe()
        return found

    @property
    def filtered(self) -> bool:
        """Not every row matches."""
        return bool(self._filters)


class _Walk:
    """On the way through a segment's index: what was found, and where to go on."""

    def __init__(self, finder: Finder, segment: Segment, place: Place | None) -> None:
        self._finder = finder
        self._segment = segment
        self._pace = Pace(FIRST_STEP)
        self.place = place
        self.found: list[Found] = []

    def go(self, wanted: int, budget: int | None = None) -> bool:
        """Walk until `wanted` rows are found or the segment ends (True), or some `budget` rows were looked at."""
        finder, segment = self._finder, self._segment
        if not finder.filtered and not segment.is_block:
            self.found = finder.fetch_walked(segment, self.place, None, wanted)
            return True
        walked = 0
        while len(self.found) < wanted:
            if budget is not None and walked >= budget:
                return False
            rows = self._pace.rows
            edge = finder.fetch_edge(segment, self.place, rows)
            self.found += finder.fetch_walked(segment, self.place, edge, wanted - len(self.found))
            if edge is None:
                break
            walked += rows
            self.place = next_place(self.place, edge)
            self._pace.note_step()
        return True


def _looked_up(segment: Segment) -> tuple[Condition, ...]:
    """The rows of a segment, for an index to find in any order."""
    return (*in_partitions(segment.partitions), *segment.where)


def _towards(name: str, down: bool) -> sa.ColumnElement[Any]:
    """Order by a column of the result."""
    return sa.desc(name) if down else sa.asc(name)


def _everything() -> Block:
    # the index of this column is narrow: where pieces end is found without reading rows
    return Block((Part((), tasks.c.updated),), 0)
