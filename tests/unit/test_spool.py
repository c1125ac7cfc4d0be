"""What memory has no room for comes back from disk as it was, in its order, and leaves nothing there."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from umbel.ingest.source import Message
from umbel.ingest.spool import Spool


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with closing(Spool(tmp_path, 1000)) as spool:
        yield spool


def batch(*bodies: bytes) -> list[Message]:
    return [Message(body, "application/json", 7.5, None, "task.multi") for body in bodies]


def test_batches_come_back_in_their_order(spool: Spool) -> None:
    assert spool.take() == []
    assert spool.put(batch(b"a", b"\xff\x00"))
    assert spool.put(batch(b"b"))
    assert spool.take() == batch(b"a", b"\xff\x00")
    assert spool.put(batch(b"c"))
    assert [spool.take(), spool.take(), spool.take()] == [batch(b"b"), batch(b"c"), []]
    assert spool.size == 0


def test_it_is_bounded_and_has_room_again_when_it_was_emptied(spool: Spool) -> None:
    assert spool.put(batch(b"x" * 700))
    assert not spool.put(batch(b"y" * 700))
    assert spool.take() == batch(b"x" * 700)
    assert spool.put(batch(b"y" * 700))


def test_it_has_no_name_on_disk(spool: Spool, tmp_path: Path) -> None:
    spool.put(batch(b"x"))
    assert os.listdir(tmp_path) == []
    spool.close()
    assert spool.size == 0
    assert spool.take() == []


def test_a_disk_that_refuses_is_no_error(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "missing", 1000)
    assert not spool.put(batch(b"x"))
    assert spool.size == 0
