"""One transaction that brings the search index up to its history: new rows, rows that changed or have finished since,
and parts whose rows are gone.

Used by `store.search_indexer`, which says when and how much.
"""

import sqlite3
from itertools import pairwise

from umbel.store.search_index import NEWEST, Newest, State, is_continued, part_name, read_state
from umbel.store.trigram import SHARED_BITS

#: What makes an entry of texts, `trigram.entry`, by this name in SQL.
ENTRY_FUNCTION = "umbel_entry"
#: What makes a text whole for group_concat, `trigram.whole`: before SQLite 3.37 that ends a text at a NUL.
WHOLE_FUNCTION = "umbel_whole"
#: A part begins when the last has so many rows, or this share of all.
PART_ROWS, PART_SHARE = 65_536, 4
#: A part goes when this share of its rows is left; those are indexed again.
LEFT_SHARE = 20

#: FTS5's own: a batch's texts fit into `hashsize`; levels are merged when there are 16 of a size; a leaf fills a page.
_OPTIONS = {"automerge": 16, "crisismerge": 32, "pgsz": 8_050, "hashsize": 8 * 2**20}
_BLOCK = f"id >> {SHARED_BITS}"
# no text has a NUL that counts as ASCII
_TEXTS, _KWARGS = (
    f"CASE WHEN ascii THEN {texts} ELSE {WHOLE_FUNCTION}({texts}) END"
    for texts in ("uuid || ' ' || coalesce(args, '') || ' ' || coalesce(result, '')", "kwargs")
)
_ENTRY = f"{ENTRY_FUNCTION}(group_concat({_TEXTS}, ' '), group_concat({_KWARGS}, ' '))"


class Unfit(Exception):
    """The index does not belong to the history that is there now."""


class Update:
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

    def sweep(self, budget: int) -> tuple[int, int]:
        """Index at most `budget` rows that were passed and have finished since; return how many, and how many wait."""
        ready = "SELECT p.id FROM pending p LEFT JOIN h.tasks t ON t.id = p.id WHERE t.id IS NULL OR t.finished LIMIT ?"
        self._execute("CREATE TEMP TABLE IF NOT EXISTS ready (id INTEGER PRIMARY KEY)")
        self._execute("DELETE FROM temp.ready")
        swept = self._execute(f"INSERT INTO temp.ready {ready}", (budget,)).rowcount
        bounds = self._execute("SELECT number, first FROM parts ORDER BY first, number").fetchall()
        for place, (number, first) in enumerate(bounds):
            least = first if place else 0
            most = bounds[place + 1][1] if place + 1 < len(bounds) else 2**63 - 1
            where = "id IN (SELECT id FROM temp.ready WHERE id >= ? AND id < ?)"
            self._index(number, where, (least, most))
        if bounds:
            self._execute("DELETE FROM pending WHERE id IN (SELECT id FROM temp.ready)")
        return swept, self._number("SELECT count(*) FROM pending") or 0

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
