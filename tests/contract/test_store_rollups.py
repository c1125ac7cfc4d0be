"""Time buckets of an SQLite history: whenever a minute goes into its hour and day, readers see the same sums."""

import sqlite3
import tempfile
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contract.teller import BUCKETS, EPOCH, Teller, received, succeeded, with_longer_spans
from umbel.errors import StoreUnavailable
from umbel.model.event import Event
from umbel.model.rollup import SPANS, Rollup, RollupKey, Sketch
from umbel.store import sqlite_rollups, sqlite_write
from umbel.store.retention import ROLLUP_AGES, Limits
from umbel.store.sqlite_reader import SQLiteReader
from umbel.store.sqlite_rollups import RollupBook
from umbel.store.sqlite_writer import SQLiteWriter
from umbel.store.totals import longer_spans

HOUR = int(EPOCH // 86400) * 86400


class History:
    """A history whose clock is set by hand."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = float(HOUR)
        self.writer = SQLiteWriter(path, limits=Limits(), buckets=BUCKETS, clock=lambda: self.now)
        self.writer.open()
        self.reader = SQLiteReader(path, buckets=BUCKETS)
        self.teller = Teller(self.writer)

    def close(self) -> None:
        self.reader.close()
        self.writer.close()

    def fetch(self) -> dict[RollupKey, Rollup]:
        """All buckets as readers get them."""
        found: dict[RollupKey, Rollup] = {}
        for kind in ("task", "worker"):
            for span in SPANS:
                for key, bucket in self.reader.fetch_rollups(
                    kind=kind, label=None, span=span, start=0, end=2 * EPOCH
                ):
                    assert key not in found
                    found[key] = bucket
        return found

    def count_stored(self, span: int) -> int:
        """Rows of one span in the file."""
        with closing(sqlite3.connect(self.path)) as connection:
            return int(
                connection.execute("SELECT count(*) FROM rollups WHERE span = ?", (span,)).fetchone()[0]
            )


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    history = History(tmp_path / "h.sqlite3")
    yield history
    history.close()


def plain(buckets: dict[RollupKey, Rollup]) -> dict[RollupKey, object]:
    """Without sums of floats, which were added up in another order."""
    return {
        key: (bucket.counts, bucket.runtime.buckets, bucket.wait.buckets)
        for key, bucket in buckets.items()
        if bucket
    }


steps = st.lists(
    st.tuples(
        #: Seconds until then; a clock may be set back.
        st.sampled_from([0, 1, 20, 61, 300, 3600, 90_000, -120]),
        #: How long before then the task was received, its number, how many of its events are told, its name.
        st.sampled_from([-70, 0, 1, 65, 4000, 100_000]),
        st.integers(0, 5),
        st.integers(1, 3),
        st.sampled_from(["", "a", "b"]),
        st.sampled_from(["", "forget", "reopen", "prune"]),
    ),
    min_size=1,
    max_size=12,
)


@settings(deadline=None, max_examples=80)
@given(steps, st.sampled_from([1, 2, 200]))
def test_buckets_are_the_sums_of_what_was_told_whenever_they_are_looked_at(
    steps: list[tuple[int, int, int, int, str, str]],
    most_labels: int,
) -> None:
    with (
        patch.object(sqlite_rollups, "MOST_LABELS", most_labels),
        tempfile.TemporaryDirectory() as folder,
        closing(History(Path(folder) / "h.sqlite3")) as history,
    ):
        pruned_from = 0.0
        for wait, age, number, told, name, then in steps:
            history.now += wait
            events: list[Event] = succeeded(f"u{number}", at=history.now - age, name=name or "a")[-told:]
            history.teller.tell(events)
            if then == "forget":
                history.writer._chunks.forget()
            elif then == "reopen":
                history.writer.close()
                history.writer.open()
            elif then == "prune":
                history.writer.prune(now=history.now)
                pruned_from = max(pruned_from, history.now)
            expected = {
                key: value
                for key, value in plain(with_longer_spans(history.teller.tally.totals().rollups)).items()
                if key.start >= int(pruned_from - ROLLUP_AGES[key.kind].get(key.span, 1e12))
            }
            found = {
                key: value
                for key, value in plain(history.fetch()).items()
                if key.start >= int(pruned_from - ROLLUP_AGES[key.kind].get(key.span, 1e12))
            }
            assert found == expected


def test_hours_are_written_once_their_minute_is_over(history: History) -> None:
    history.teller.tell(received("a", at=HOUR + 1))
    assert [history.count_stored(span) for span in SPANS] == [2, 0, 0]
    history.now += 89.0
    history.teller.tell(received("b", at=HOUR + 88))
    assert [history.count_stored(span) for span in SPANS] == [4, 0, 0]
    history.now += 1.0
    history.teller.tell(received("c", at=HOUR + 89))
    assert [history.count_stored(span) for span in SPANS] == [4, 2, 2]
    assert len(history.fetch()) == 8
    # what comes later goes into all of them
    history.teller.tell(received("late", at=HOUR + 2, name="another"))
    assert [history.count_stored(span) for span in SPANS] == [5, 3, 3]


def test_a_transaction_that_is_undone_leaves_its_minutes_to_the_next(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> int:
        raise sqlite3.OperationalError("the disk is full")

    history.teller.tell(received("a", at=HOUR + 1))
    history.now += 100
    with monkeypatch.context() as broken:
        broken.setattr(sqlite_write, "append_feed", fail)
        with pytest.raises(StoreUnavailable):
            Teller(history.writer).tell(received("b", at=HOUR + 99))
    assert history.count_stored(3600) == 0
    history.teller.tell(received("b", at=HOUR + 99))
    assert history.count_stored(3600) == 2
    assert plain(history.fetch()) == plain(with_longer_spans(history.teller.tally.totals().rollups))


def test_what_is_remembered_does_not_grow_with_time(history: History) -> None:
    book = RollupBook()

    def tell(minutes: int) -> int:
        """Bytes that are held more after so many minutes of 20 task names, each with one event that comes late."""
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(minutes):
            history.now += 60
            start = int(history.now) // 60 * 60
            buckets = {
                RollupKey("task", f"t{number}", 60, at): Rollup(
                    wait=Sketch(dict.fromkeys(range(300, 350), 1), 1.0)
                )
                for at in (start, start - 7200)
                for number in range(20)
            }
            with closing(sqlite3.connect(history.path)) as connection, connection:
                book.add(connection.cursor(), buckets, now=history.now)
        return tracemalloc.get_traced_memory()[0] - before

    tracemalloc.start()
    try:
        first = tell(5)
        # two minutes are open, and hold something
        assert first > 40 * 50
        assert tell(60) < first
    finally:
        tracemalloc.stop()
    assert len(history.fetch()) == 20 * (2 * 65 + 4 + 2)


def test_a_minute_of_many_workers_is_rolled_up_a_part_at_a_time(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def spread(minutes: dict[RollupKey, Rollup]) -> dict[RollupKey, Rollup]:
        sizes.append(len(minutes))
        assert all(key.span == 60 for key in history.writer._chunks.rollups._totals._known)
        return longer_spans(minutes)

    monkeypatch.setattr(sqlite_rollups, "longer_spans", spread)
    monkeypatch.setattr(sqlite_rollups, "_AT_ONCE", 2)
    for name in "abcde":
        history.teller.tell(received(name, at=HOUR + 1, name=name))
        history.teller.tell(received(f"{name}2", at=HOUR + 61, name=name))
    history.now += 200
    history.teller.tell(received("z", at=HOUR + 190, name="a"))
    assert max(sizes) == 2 and sum(sizes) == 2 * 5 + 2, "of five names and one worker"
    expected = plain(with_longer_spans(history.teller.tally.totals().rollups))
    assert plain(history.fetch()) == expected


def test_one_transaction_takes_few_of_the_labels_of_a_minute(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_rollups, "MOST_LABELS", 2)
    for name in "abcde":
        history.teller.tell(received(name, at=HOUR + 1, name=name))
    history.now += 100
    stored = []
    for number in range(4):
        # a name in each half of what is done, each late
        history.teller.tell(received(f"x{number}", at=HOUR + 2, name="a"))
        history.teller.tell(received(f"y{number}", at=HOUR + 2, name="e"))
        stored.append(history.count_stored(3600))
        assert plain(history.fetch()) == plain(with_longer_spans(history.teller.tally.totals().rollups))
        history.writer.close()
        history.writer.open()
    assert stored == [4, 6, 6, 6], "five names and one worker, two of them in each transaction"


def test_retention_rolls_up_all_labels_of_a_minute(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_rollups, "MOST_LABELS", 2)
    for name in "abcde":
        history.teller.tell(received(name, at=HOUR + 1, name=name))
    history.now += 100
    history.writer.prune(now=history.now)
    assert history.count_stored(3600) == 6
    assert plain(history.fetch()) == plain(with_longer_spans(history.teller.tally.totals().rollups))


def test_a_minute_goes_into_its_hour_before_it_is_pruned(history: History) -> None:
    history.teller.tell(received("a", at=HOUR + 1))
    history.now += max(ages[60] for ages in ROLLUP_AGES.values()) + 120
    history.writer.prune(now=history.now)
    assert [history.count_stored(span) for span in SPANS] == [0, 2, 2]
    assert {key.span for key in history.fetch()} == {3600, 86400}


def test_buckets_of_a_span_begin_within_the_time_asked_for(history: History) -> None:
    for uuid, second in (("a", 3599), ("b", 3601), ("c", 3661)):
        history.teller.tell(received(uuid, at=HOUR + second))
    early, late = (0, {"received": 1}), (3600, {"received": 2})
    for start, end, hours in (
        (0, 3600, [early]),
        (1, 3601, [late]),
        (0, 3601, [early, late]),
        (3601, 7200, []),
    ):
        found = history.reader.fetch_rollups(
            kind="task", label="shop.pay", span=3600, start=HOUR + start, end=HOUR + end
        )
        assert [(key.start - HOUR, bucket.counts) for key, bucket in found] == hours
    assert history.reader.fetch_rollups(kind="task", label="x", span=3600, start=0, end=2 * EPOCH) == []
