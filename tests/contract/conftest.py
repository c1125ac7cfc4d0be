"""What the contract of a history is tested with, whoever writes it: a test's module has a `writer` of `h.sqlite3`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.teller import BUCKETS
from umbel.store.base import HistoryWriter
from umbel.store.retention import Limits
from umbel.store.sqlite_reader import SQLiteReader


@pytest.fixture
def limits() -> Limits:
    return Limits()


@pytest.fixture
def reader(tmp_path: Path, writer: HistoryWriter) -> Iterator[SQLiteReader]:
    reader = SQLiteReader(tmp_path / "h.sqlite3", buckets=BUCKETS, count_time=10.0)
    reader.open()
    yield reader
    reader.close()
