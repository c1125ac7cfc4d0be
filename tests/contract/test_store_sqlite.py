"""The contract of a history, on SQLite."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.store_contract import StoreContract
from tests.contract.store_retention_contract import StoreRetentionContract
from tests.contract.store_search_contract import StoreSearchContract
from tests.contract.teller import BUCKETS, EPOCH
from umbel.store.retention import Limits
from umbel.store.sqlite_reader import SQLiteReader
from umbel.store.sqlite_writer import SQLiteWriter


@pytest.fixture
def limits() -> Limits:
    return Limits()


@pytest.fixture
def writer(tmp_path: Path, limits: Limits) -> Iterator[SQLiteWriter]:
    writer = SQLiteWriter(tmp_path / "h.sqlite3", limits=limits, buckets=BUCKETS, clock=lambda: EPOCH)
    writer.open()
    yield writer
    writer.close()


@pytest.fixture
def reader(tmp_path: Path, writer: SQLiteWriter) -> Iterator[SQLiteReader]:
    reader = SQLiteReader(tmp_path / "h.sqlite3", buckets=BUCKETS, count_time=10.0)
    reader.open()
    yield reader
    reader.close()


class TestStore(StoreContract):
    """Rows, sums, feed, gaps and status."""


class TestSearch(StoreSearchContract):
    """Filters, search, order and paging."""


class TestRetention(StoreRetentionContract):
    """What a history lets go of."""
