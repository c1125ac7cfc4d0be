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
from pathlib import Path

from umbel.store.search_index import FORMAT, index_path, remove_index
from umbel.store.search_update import ENTRY_FUNCTION, WHOLE_FUNCTION, Unfit, Update
from umbel.store.sqlite_file import identity
from umbel.store.trigram import entry, whole

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
#: more than so many, but once a minute; and at once while a look finds as many as a step may take that ended, as a long
#: queue leaves them.
SWEPT, LONGEST_WAIT = 5_000, 60.0
_FREED_PAGES = 2_000
_PAGE = 8_192

_SCHEMA = f"""
CREATE TABLE state (history TEXT NOT NULL, indexed INTEGER NOT NULL, seq INTEGER NOT NULL, feed INTEGER NOT NULL,
    feed_time REAL NOT NULL);
CREATE TABLE parts (number INTEGER PRIMARY KEY, first INTEGER NOT NULL, n INTEGER NOT NULL);
CREATE TABLE pending (id INTEGER PRIMARY KEY);
PRAGMA user_version = {FORMAT};
"""


class SearchIndexer:
    """Keeps the index of the history at `path` up to date."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._stop, self._written = threading.Event(), threading.Event()
        #: Nothing waits to be indexed, as far as is known; and how many rows were.
        self.is_resting, self.passed = False, 0
        self._thread: threading.Thread | None = None
        self._next_tidy = self._next_sweep = 0.0
        #: Rows that were passed may have finished since.
        self._is_unswept = True
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
        if self._is_unswept:
            due = min(due, self._next_sweep)
        return 0.0 if self._told else max(0.0, due - time.monotonic())

    def step(self, budget: int, *, patient: bool = False) -> int:
        """Index at most `budget` new rows, and as many that changed; return how many it was of the greater of both.

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
            run = Update(connection)
            self._is_unswept |= run.has_news
            if patient and not self._is_due(run, budget):
                connection.execute("ROLLBACK")
                return 0
            passed = run.take_rows(budget)
            now = time.monotonic()
            if not patient or now >= self._next_sweep:
                swept, unfinished = run.sweep(budget)
                self._is_unswept = swept == budget
                wait = 0.0 if self._is_unswept else min(WAIT * (1 + unfinished / SWEPT), LONGEST_WAIT)
                self._next_sweep = now + wait
                passed = max(passed, swept)
            if now >= self._next_tidy:
                self._next_tidy = now + TIDY_INTERVAL
                run.drop_emptied_parts()
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        connection.execute(f"PRAGMA incremental_vacuum({_FREED_PAGES})").fetchall()
        if passed < budget:  # nothing is left to do for now
            connection.execute("PRAGMA shrink_memory")
        return passed

    def _is_due(self, run: Update, budget: int) -> bool:
        now = time.monotonic()
        waiting = run.count_waiting(budget)
        if waiting and self._waiting_since is None:
            self._waiting_since = now
        is_due = (
            waiting >= min(budget, ENOUGH)
            or (self._waiting_since is not None and now >= self._waiting_since + WAIT)
            or (self._is_unswept and now >= self._next_sweep)
            or now >= self._next_tidy
        )
        if is_due or not waiting:
            self._waiting_since = None
        return is_due

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
    connection.create_function(ENTRY_FUNCTION, 2, entry, deterministic=True)
    connection.create_function(WHOLE_FUNCTION, 1, whole, deterministic=True)
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
    elif version != FORMAT:
        raise Unfit("its format is another one")


def build_index(path: Path) -> None:
    """Bring the index of the history at `path` up to date in one go."""
    with closing(SearchIndexer(path)) as indexer:
        indexer.step(0)
        while indexer.step(BATCH):
            pass
