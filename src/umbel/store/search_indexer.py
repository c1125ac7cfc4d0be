"""Writes the search index behind ingest, in large SQL statements on connections of its own; Python's lock is taken for
the words of eight tasks at a time. The history is only read; an index that does not fit to it is made anew.

Run by `ingest.collector`, as a thread; `store.search_index` reads what it writes.
"""

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
from pathlib import Path

from umbel.store.search_index import (
    FORMAT,
    NEWEST,
    Newest,
    State,
    index_path,
    is_continued,
    part_name,
    read_state,
    remove_index,
)
from umbel.store.sqlite_file import identity
from umbel.store.trigram import SHARED_BITS, entry

logger = logging.getLogger(__name__)

#: Rows indexed in one transaction: 1,000 cost a quarter more for each than 4,000 or more do. Fewer where they take
#: longer than LONGEST_STEP seconds.
BATCH, FIRST_BATCH = 8_000, 1_000
LONGEST_STEP = 0.7
#: Fewer new rows wait WAIT seconds for more, as many small transactions cost more; a search looks at each of them.
ENOUGH, WAIT = 1_000, 3.0
#: Seconds at least between two looks for work.
PAUSE = 0.5
#: Seconds between looks for parts whose rows are gone.
TIDY_INTERVAL = 60.0
#: Rows that were not finished when they were passed are looked at every WAIT seconds, and more seldom when there are
#: more than so many.
SWEPT = 5_000
#: A part begins when the last has so many rows, or this share of all.
PART_ROWS, PART_SHARE = 65_536, 4
#: A part goes when this share of its rows is left; those are indexed again.
LEFT_SHARE = 20
_FREED_PAGES = 2_000

#: FTS5's own: a batch's texts fit into `hashsize`; levels are merged when there are 16 of a size; a leaf fills a page.
_OPTIONS = {"automerge": 16, "crisismerge": 32, "pgsz": 8_050, "hashsize": 8 * 2**20}
_PAGE = 8_192

_SCHEMA = f"""
CREATE TABLE state (history TEXT NOT NULL, indexed INTEGER NOT NULL, seq INTEGER NOT NULL, feed INTEGER NOT NULL,
    feed_time REAL NOT NULL);
CREATE TABLE parts (number INTEGER PRIMARY KEY, first INTEGER NOT NULL, n INTEGER NOT NULL);
CREATE TABLE pending (id INTEGER PRIMARY KEY);
PRAGMA user_version = {FORMAT};
"""
_BLOCK = f"id >> {SHARED_BITS}"
_ENTRY = """umbel_entry(group_concat(uuid || ' ' || coalesce(args, '') || ' ' || coalesce(result, ''), ' '),
    group_concat(kwargs, ' '))"""


class Unfit(Exception):
    """The index does not belong to the history that is there now."""


class SearchIndexer:
    """Keeps the index of the history at `path` up to date."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._stop, self._written = threading.Event(), threading.Event()
        #: Nothing waits to be indexed, as far as is known; and how many new rows were.
        self.is_resting, self.passed = False, 0
        self._thread: threading.Thread | None = None
        self._next_tidy = self._next_sweep = 0.0
        self._has_news = False
        self._waiting_since: float | None = None
        self._told = ""

    def start(self, *, busy: Callable[[], bool]) -> None:
        """Begin in a thread of its own, which rests while `busy`: ingest needs the machine for itself.

        To be called before the history is written: another one, or an older copy, is noticed for certain then.
        """
        self.step(0)
        self._thread = threading.Thread(target=self._run, args=(busy,), name="umbel-search", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Rows were written. From any thread."""
        self._written.set()

    def stop(self) -> None:
        """End soon and wait for that. What is not indexed yet is found by the next run."""
        self._stop.set()
        self._written.set()
        if self._thread is not None:
            self._thread.join()
        self.close()

    @property
    def healthy(self) -> bool:
        """The last step was done."""
        return not self._told and (self._thread is None or self._thread.is_alive())

    def close(self) -> None:
        """Close the files. Safe to call twice."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _run(self, busy: Callable[[], bool]) -> None:
        budget = FIRST_BATCH
        while not self._stop.wait(PAUSE):
            self.is_resting = self._waiting_since is None and not busy()
            self._written.wait(0.0 if busy() else self._time_to_next())
            self._written.clear()
            self.is_resting = False
            while not self._stop.is_set() and not busy():
                began = time.monotonic()
                passed = self.step(budget, patient=True)
                took = time.monotonic() - began
                if passed < budget:
                    break
                # the history is read all that time, and its log grows
                if took > LONGEST_STEP:
                    budget = max(FIRST_BATCH, budget // 2)
                elif took < LONGEST_STEP / 2:
                    budget = min(BATCH, budget * 2)
                # at most half of a core, so that a rebuild leaves something to ingest and pages
                self._stop.wait(took)

    def _time_to_next(self) -> float:
        """Seconds until there is something to do although nothing was written meanwhile."""
        due = self._next_tidy
        if self._waiting_since is not None:
            due = min(due, self._waiting_since + WAIT)
        if self._has_news:
            due = min(due, self._next_sweep)
        return 0.0 if self._told else max(0.0, due - time.monotonic())

    def step(self, budget: int, *, patient: bool = False) -> int:
        """Index at most `budget` new rows and what changed; return how many new rows were passed.

        With `patient`, few rows wait for more, but no longer than `WAIT` seconds. Never raises for the index's sake:
        a damaged one is removed, and made anew by the next step.
        """
        try:
            passed = self._step(budget, patient)
        except Unfit as exc:
            if str(exc) != self._told:
                self._told = str(exc)
                logger.info("The search index %s is made anew: %s", index_path(self._path).name, exc)
            self._begin_anew()
            return 0
        except (sqlite3.Error, OSError) as exc:
            self._tell(exc)
            return 0
        self._told = ""
        self.passed += passed
        return passed

    def _tell(self, exc: Exception) -> None:
        code = getattr(exc, "sqlite_errorcode", None)
        self.close()
        if str(exc) != self._told:
            self._told = str(exc)
            logger.warning("The search index cannot be written, searches go without: %s", exc)
        if code is not None and code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            self._begin_anew()

    def _begin_anew(self) -> None:
        self.close()
        remove_index(self._path)

    def _step(self, budget: int, patient: bool) -> int:
        connection = self._current()
        connection.execute("BEGIN IMMEDIATE")
        try:
            run = _Run(connection)
            self._has_news = run.has_news
            if patient and not self._is_due(run, budget):
                connection.execute("ROLLBACK")
                return 0
            passed = run.take_rows(budget)
            now = time.monotonic()
            if not patient or now >= self._next_sweep:
                self._next_sweep = now + WAIT * (1 + run.sweep(budget) / SWEPT)
            if now >= self._next_tidy:
                self._next_tidy = now + TIDY_INTERVAL
                run.drop_emptied_parts()
            connection.execute("COMMIT")
            self._has_news = False
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        connection.execute(f"PRAGMA incremental_vacuum({_FREED_PAGES})").fetchall()
        if passed < budget:  # nothing is left to do for now
            connection.execute("PRAGMA shrink_memory")
        return passed

    def _is_due(self, run: "_Run", budget: int) -> bool:
        now = time.monotonic()
        waiting = run.count_waiting(budget)
        if not waiting:
            self._waiting_since = None
            return now >= self._next_tidy or (run.has_news and now >= self._next_sweep)
        if self._waiting_since is None:
            self._waiting_since = now
        if waiting < min(budget, ENOUGH) and now - self._waiting_since < WAIT:
            return False
        self._waiting_since = None
        return True

    def _current(self) -> sqlite3.Connection:
        """The connection to the index, with the history that lies at the path now as `h`."""
        now = identity(self._path)
        if now is None:
            raise FileNotFoundError(f"there is no history {self._path}")
        if self._connection is not None and now == self._identity and index_path(self._path).exists():
            return self._connection
        self.close()
        path = index_path(self._path)
        # made here, so that nobody else can read what tasks are about
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(
            path.absolute().as_uri(), uri=True, isolation_level=None, check_same_thread=False
        )
        try:
            try:
                _set_up(connection)
            except sqlite3.Error as exc:
                raise Unfit(str(exc)) from exc
            connection.execute("ATTACH ? AS h", (f"{self._path.absolute().as_uri()}?mode=ro",))
        except BaseException:
            connection.close()
            raise
        self._connection, self._identity = connection, now
        return connection


def _set_up(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA page_size = {_PAGE}")
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL").fetchone()
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA secure_delete = FAST").fetchone()  # as `store.sqlite_owned`
    connection.execute("PRAGMA cache_size = -8192")
    connection.execute("PRAGMA journal_size_limit = 16777216")
    connection.create_function("umbel_entry", 2, entry, deterministic=True)
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
    elif version != FORMAT:
        raise Unfit("its format is another one")


class _Run:
    """One transaction on the index. Raises Unfit when it is not the history's."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._execute = connection.execute
        row = self._execute("SELECT value FROM h.meta WHERE key = 'history'").fetchone()
        if row is None:
            raise sqlite3.OperationalError("the history is too old for a search index")
        history = str(row[0])
        state = read_state(connection)
        known = 0 if state is None else state.feed
        self._newest = newest = Newest(*self._execute(NEWEST.format(h="h"), (known,)).fetchone())
        if state is None:
            state = State(history, 0, newest.newest_seq, newest.feed, newest.feed_time)
            self._execute(
                "INSERT INTO state VALUES (?, ?, ?, ?, ?)",
                (history, 0, state.seq, state.feed, state.feed_time),
            )
        elif state.history != history or not is_continued(state, newest):
            raise Unfit("the history is not the one that it was made from")
        self._state = state

    @property
    def has_news(self) -> bool:
        """Something was written since the index was."""
        return self._newest.feed != self._state.feed

    def count_waiting(self, most: int) -> int:
        """New rows, up to `most`, and old ones that were rewritten."""
        sql = "SELECT count(*) FROM (SELECT 1 FROM h.tasks WHERE id > ? LIMIT ?)"
        waiting = self._number(sql, self._state.indexed, most) or 0
        return waiting + self._newest.newest_seq - self._state.seq

    def take_rows(self, budget: int) -> int:
        """Index at most `budget` new rows, and note what else is to be indexed; return how many were new."""
        indexed = self._take_rewritten(self._state.indexed)
        rows, last = self._execute(
            "SELECT count(*), max(id) FROM (SELECT id FROM h.tasks WHERE id > ? ORDER BY id LIMIT ?)",
            (indexed, budget),
        ).fetchone()
        if rows:
            number = self._part_for_new(indexed + 1)
            self._index(number, "id > ? AND id <= ? AND finished", (indexed, last))
            self._execute("UPDATE parts SET n = n + ? WHERE number = ?", (rows, number))
            self._execute(
                "INSERT OR IGNORE INTO pending SELECT id FROM h.tasks WHERE id > ? AND id <= ? AND NOT finished",
                (indexed, last),
            )
            indexed = last
        newest = self._newest
        self._execute(
            "UPDATE state SET indexed = ?, seq = ?, feed = ?, feed_time = ?",
            (indexed, newest.newest_seq, newest.feed, newest.feed_time),
        )
        return int(rows)

    def _take_rewritten(self, indexed: int) -> int:
        """Note the rows that were rewritten; return up to where the others are indexed."""
        sql = "SELECT min(id) FROM h.rewritten WHERE seq > ? AND freed"
        freed = self._number(sql, self._state.seq)
        self._execute(
            "INSERT OR IGNORE INTO pending SELECT id FROM h.rewritten WHERE seq > ? AND NOT freed",
            (self._state.seq,),
        )
        if freed is None:
            return indexed
        # no row was left above: parts that began there hold nothing that is still true
        self._execute("UPDATE parts SET first = min(first, ?)", (freed,))
        return min(indexed, freed - 1)

    def sweep(self, budget: int) -> int:
        """Index at most `budget` rows that were passed and have finished since; return how many are not finished."""
        ready = "SELECT p.id FROM pending p LEFT JOIN h.tasks t ON t.id = p.id WHERE t.id IS NULL OR t.finished LIMIT ?"
        self._execute("CREATE TEMP TABLE IF NOT EXISTS ready (id INTEGER PRIMARY KEY)")
        self._execute("DELETE FROM temp.ready")
        self._execute(f"INSERT INTO temp.ready {ready}", (budget,))
        bounds = self._execute("SELECT number, first FROM parts ORDER BY first, number").fetchall()
        for place, (number, first) in enumerate(bounds):
            least = first if place else 0
            most = bounds[place + 1][1] if place + 1 < len(bounds) else 2**63 - 1
            where = "id IN (SELECT id FROM temp.ready WHERE id >= ? AND id < ?)"
            self._index(number, where, (least, most))
        if bounds:
            self._execute("DELETE FROM pending WHERE id IN (SELECT id FROM temp.ready)")
        return self._number("SELECT count(*) FROM pending") or 0

    def _index(self, number: int, where: str, parameters: tuple[int, ...]) -> None:
        """Add the entries of these rows to a part."""
        chosen = f"SELECT {_BLOCK}, {_ENTRY} FROM h.tasks WHERE {where} GROUP BY 1"
        self._execute(f"INSERT INTO {part_name(number)} (rowid, entry) {chosen}", parameters)

    def _part_for_new(self, first: int) -> int:
        """The part that new rows go to; begins another one when the last is large."""
        row = self._execute("SELECT number, n FROM parts ORDER BY number DESC LIMIT 1").fetchone()
        if row is not None:
            held = self._number("SELECT sum(n) FROM h.facets") or 0
            if row[1] < max(PART_ROWS, held // PART_SHARE):
                return int(row[0])
        number = 1 + (self._number("SELECT max(number) FROM parts") or 0)
        name = part_name(number)
        self._execute(
            f"CREATE VIRTUAL TABLE {name} USING fts5(entry, content = '', columnsize = 0, detail = none, "
            "tokenize = 'trigram case_sensitive 1')"
        )
        for option, value in _OPTIONS.items():
            self._execute(f"INSERT INTO {name} ({name}, rank) VALUES (?, ?)", (option, value))
        self._execute("INSERT INTO parts VALUES (?, ?, 0)", (number, first))
        return number

    def drop_emptied_parts(self) -> None:
        """Drop parts that hardly any row is left of, but the last; what is left is indexed again, in the next part."""
        bounds = self._execute("SELECT number, first, n FROM parts ORDER BY first, number").fetchall()
        for (number, first, held), (_, end, _) in pairwise(bounds):
            within = "SELECT id FROM h.tasks WHERE id >= ? AND id < ? LIMIT ?"
            left = self._execute(within, (first, end, held // LEFT_SHARE + 1)).fetchall()
            if len(left) > held // LEFT_SHARE:
                continue
            for row in left:
                self._execute("INSERT OR IGNORE INTO pending VALUES (?)", row)
            self._execute("DELETE FROM parts WHERE number = ?", (number,))
            self._execute(f"DROP TABLE {part_name(number)}")

    def _number(self, sql: str, *parameters: object) -> int | None:
        """The only value of the first row."""
        row = self._execute(sql, parameters).fetchone()
        return None if row is None or row[0] is None else int(row[0])


def build_index(path: Path) -> None:
    """Bring the index of the history at `path` up to date in one go."""
    with closing(SearchIndexer(path)) as indexer:
        indexer.step(0)
        while indexer.step(BATCH):
            pass
