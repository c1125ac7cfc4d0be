"""The search index of a history: a file beside it that says which rows can match a text, before they are read.

It is made of parts, each a contentless FTS5 table of trigrams over a range of row ids; `store.search_indexer` writes
them. Entries are never taken back: a row that changed has several, a row that went leaves some, and readers compare
every candidate with its row. What is not indexed yet is known, so that readers look at those rows as well.
"""

import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from umbel.store.condition import Known
from umbel.store.paging import Block, Part, View
from umbel.store.schema import tasks
from umbel.store.search import Expression
from umbel.store.sqlite_file import identity
from umbel.store.trigram import EVERY, NONE, SHARED, plan

logger = logging.getLogger(__name__)

#: Another layout of the file is another number: the index is made anew.
FORMAT = 2
#: Virtual machine steps between two looks at the clock.
_STEPS = 10_000
#: Rows that the index does not know and that are compared however few candidates are asked for: of those that came
#: after it, that were not finished, and that changed. Most are the newest, which a walk would begin with.
MOST_UNKNOWN = 8_000

# In SQL's own words: to make and to compile such a statement takes longer than its rows do.
_HISTORY = "SELECT value FROM meta WHERE key = 'history'"
_REWRITTEN = "SELECT id, freed FROM rewritten WHERE seq > ? LIMIT ?"
_COUNT_NEWER = "SELECT count(*) FROM (SELECT 1 FROM tasks WHERE id > ? LIMIT ?)"


class State(msgspec.Struct, frozen=True):
    """Up to where the index knows its history."""

    #: `meta.history` of the history it belongs to.
    history: str
    #: Rows up to this id are in it, but for those in the table `pending`.
    indexed: int = 0
    #: `rewritten.seq` up to which rows were looked at again.
    seq: int = 0
    #: The newest feed row when it was last written, and when that was: a history without it is an older one.
    feed: int = 0
    feed_time: float = 0.0


class Newest(msgspec.Struct, frozen=True):
    """What a history says of itself."""

    #: The newest feed row, and when it was written.
    feed: int
    feed_time: float
    #: When the feed row was written that the index was last written after; None when that row is not there any more.
    known_time: float | None
    #: Of `rewritten`: the oldest row that is kept, and the newest there ever was.
    oldest_seq: int
    newest_seq: int


#: Gives a `Newest`, of the schema `{h}`; the parameter is `State.feed`.
NEWEST = (
    "SELECT coalesce(f.id, 0), coalesce(f.time, 0.0), (SELECT time FROM {h}.feed WHERE id = ?), "
    "(SELECT coalesce(min(seq), 0) FROM {h}.rewritten), "
    "(SELECT coalesce(max(seq), 0) FROM {h}.sqlite_sequence WHERE name = 'rewritten') "
    "FROM (SELECT 1) LEFT JOIN (SELECT id, time FROM {h}.feed ORDER BY id DESC LIMIT 1) f"
)


def index_path(history: Path) -> Path:
    """Where the index of the history at this path lies."""
    return history.with_name(f"{history.name.removesuffix('.sqlite3')}.search.sqlite3")


def remove_index(history: Path) -> None:
    """Remove the index, if there is one: it can be made again."""
    path = index_path(history)
    for suffix in ("", "-wal", "-shm", "-journal"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def part_name(number: int) -> str:
    """The table of a part."""
    return f"part_{number}"


def read_state(connection: sqlite3.Connection) -> State | None:
    """The state of an open index; None when it is of another format, or empty. Raises sqlite3.Error."""
    if connection.execute("PRAGMA user_version").fetchone()[0] != FORMAT:
        return None
    row = connection.execute("SELECT history, indexed, seq, feed, feed_time FROM state").fetchone()
    return None if row is None else State(*row)


class IndexView:
    """The index as it is now. Opened before the history is first read: it may know less, never more."""

    def __init__(self, connection: sqlite3.Connection, state: State) -> None:
        self.connection = connection
        self.state = state
        self._deadline = float("inf")
        connection.set_progress_handler(lambda: time.monotonic() > self._deadline, _STEPS)

    def end(self) -> None:
        """Give up this view of the index."""
        self.connection.set_progress_handler(None, 0)
        self.connection.execute("ROLLBACK")

    def find(self, match: str, most: int, most_pending: int, patience: float) -> list[int] | None:
        """The ids of rows whose entries match, and of rows that were passed and have none yet; None for more than
        `most` of those or `most_pending` of these, or after `patience` seconds."""
        self._deadline = time.monotonic() + patience
        ids: list[int] = []
        try:
            pending = self._column("SELECT id FROM pending LIMIT ?", most_pending + 1)
            if len(pending) > most_pending:
                return None
            parts = self._column("SELECT number FROM parts ORDER BY number DESC LIMIT ?", -1) if match else []
            for number in parts:
                if len(ids) > most:
                    return None
                name = part_name(number)
                sql = f"SELECT rowid FROM {name} WHERE {name} MATCH ? LIMIT ?"
                blocks = self.connection.execute(sql, (match, (most - len(ids)) // SHARED + 1))
                ids += [id_ for (block,) in blocks for id_ in range(block * SHARED, (block + 1) * SHARED)]
        except sqlite3.Error as exc:
            logger.debug("The search index was not asked to the end: %s", exc)
            return None
        return ids + pending if len(ids) <= most else None

    def count_pending(self) -> int:
        """How many rows were passed and have no entry yet."""
        return int(self.connection.execute("SELECT count(*) FROM pending").fetchone()[0])

    def _column(self, sql: str, most: int) -> list[int]:
        return [row[0] for row in self.connection.execute(sql, (most,))]


class Candidates:
    """`paging.Index` for one search."""

    def __init__(self, index: IndexView, view: View, search: Expression, known: Known) -> None:
        self._index = index
        self._view = view
        self._plan = plan(search, known)
        self._block: Block | None = None
        self._more_than = -1

    @property
    def is_useful(self) -> bool:
        """The index belongs to this history and can tell rows apart."""
        return self._plan is not EVERY and self._is_of(self._index.state)

    @property
    def known(self) -> Block | None:
        """What was found before."""
        return self._block

    def fetch_candidates(self, most: int, patience: float) -> Block | None:
        """All rows that can match; None where they are more than `most`, or not found in `patience` seconds.
        Remembers what it found."""
        if self._block is None and most > self._more_than:
            self._block = self._fetch(most, patience)
            self._more_than = most
        return self._block

    def _fetch(self, most: int, patience: float) -> Block | None:
        state = self._index.state
        match = "" if self._plan is NONE else self._plan.match
        most_unknown = max(most, MOST_UNKNOWN)
        ids = self._index.find(match, most, most_unknown, patience)
        if ids is None:
            return None
        changed = self._view.fetch_text(_REWRITTEN, (state.seq, most_unknown + 1))
        indexed = min([state.indexed, *(id_ - 1 for id_, freed in changed if freed)])
        newer = int(self._view.fetch_text(_COUNT_NEWER, (indexed, most_unknown + 1))[0][0])
        if max(len(changed), newer) > most_unknown:
            return None
        ids += [id_ for id_, freed in changed if not freed]
        listed = sorted({id_ for id_ in ids if id_ <= indexed}, reverse=True)
        parts = (Part((tasks.c.id > indexed,), tasks.c.id),) if newer else ()
        return Block(parts, len(ids) + newer, tuple(listed))

    def _is_of(self, state: State) -> bool:
        known = self._view.fetch_text(_HISTORY, ())
        if not known or known[0][0] != state.history:
            return False
        return is_continued(state, Newest(*self._view.fetch_text(NEWEST.format(h="main"), (state.feed,))[0]))


def is_continued(state: State, newest: Newest) -> bool:
    """The history went on from where the index knows it: nothing of what was rewritten since is gone."""
    if newest.feed < state.feed or newest.newest_seq < state.seq:
        return False
    if newest.known_time not in (None, state.feed_time):
        return False
    return state.seq == newest.newest_seq or 0 < newest.oldest_seq <= state.seq + 1


class SearchIndex:
    """The index beside a history, for reading, from any thread. Keeps connections between searches."""

    def __init__(self, history: Path) -> None:
        self._path = index_path(history)
        self._idle: list[tuple[tuple[int, int], sqlite3.Connection]] = []

    def close(self) -> None:
        """Close what is kept. Safe to call twice."""
        while self._idle:
            self._idle.pop()[1].close()

    @contextmanager
    def viewing(self) -> Iterator[IndexView | None]:
        """The index as it is now, for one search; None when there is none that can be used."""
        now = identity(self._path)
        view = None if now is None else self._open_view(now)
        if view is None or now is None:
            yield None
            return
        try:
            yield view
            view.end()
        except BaseException:
            view.connection.close()
            raise
        self._idle.append((now, view.connection))

    def _open_view(self, now: tuple[int, int]) -> IndexView | None:
        connection: sqlite3.Connection | None = None
        try:
            connection = self._connected(now)
            connection.execute("BEGIN")
            state = read_state(connection)
        except sqlite3.Error as exc:
            logger.debug("The search index %s cannot be read now: %s", self._path, exc)
            state = None
        if connection is not None and state is not None:
            return IndexView(connection, state)
        if connection is not None:
            connection.close()
        return None

    def _connected(self, now: tuple[int, int]) -> sqlite3.Connection:
        while self._idle:
            known, connection = self._idle.pop()
            if known == now:
                return connection
            connection.close()
        return sqlite3.connect(
            f"{self._path.absolute().as_uri()}?mode=ro",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
        )
