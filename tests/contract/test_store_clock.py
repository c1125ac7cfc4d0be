"""Retention of a history whose machine has a wrong time."""

from contextlib import closing
from pathlib import Path

import pytest

from tests.contract.teller import BUCKETS, EPOCH, Teller, succeeded
from umbel.store.retention import Limits
from umbel.store.sqlite_reader import SQLiteReader
from umbel.store.sqlite_writer import SQLiteWriter
from umbel.store.trusted_clock import BELIEVED_AFTER

MONTHS = 90 * 86400.0


def make_writer(path: Path, now: float) -> SQLiteWriter:
    return SQLiteWriter(path, limits=Limits(tasks=50), buckets=BUCKETS, clock=lambda: now)


def run_retention(writer: SQLiteWriter, path: Path, now: float) -> int:
    """How many tasks it leaves."""
    assert writer.prune_some(now=now, seconds=60.0)
    with closing(SQLiteReader(path, buckets=BUCKETS)) as reader:
        reader.open()
        return reader.fetch_extent().tasks


def test_a_time_months_ahead_takes_nothing_for_its_age_also_after_a_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tick = 1000.0
    monkeypatch.setattr("umbel.store.sqlite_writer.time.monotonic", lambda: tick)
    path = tmp_path / "h.sqlite3"
    writer = make_writer(path, EPOCH)
    writer.open()
    Teller(writer).tell([e for n in range(60) for e in succeeded(f"u{n}", at=EPOCH + n)])
    # the bound of their number holds whatever the time is
    assert run_retention(writer, path, EPOCH + MONTHS) == 50
    writer.close()
    writer = make_writer(path, EPOCH + MONTHS)
    writer.open()
    assert run_retention(writer, path, EPOCH + MONTHS) == 50
    tick += BELIEVED_AFTER
    assert run_retention(writer, path, EPOCH + MONTHS) == 0
    writer.close()


def test_who_prunes_by_hand_is_believed(tmp_path: Path) -> None:
    path = tmp_path / "h.sqlite3"
    with closing(make_writer(path, EPOCH)) as writer:
        writer.open()
        Teller(writer).tell(succeeded("u"))
        assert run_retention(writer, path, EPOCH + MONTHS) == 1
        assert writer.prune(now=EPOCH + MONTHS).tasks == 1
        assert run_retention(writer, path, EPOCH + MONTHS) == 0
