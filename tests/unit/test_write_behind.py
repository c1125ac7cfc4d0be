"""How much may be on its way into the history while more is prepared."""

import threading
from collections.abc import Iterator

import pytest

from tests.unit.histories import EPOCH
from tests.unit.memory_history import SlowHistory
from umbel.errors import StoreUnavailable
from umbel.ingest.chunk import Chunk, Draft
from umbel.ingest.transitions import fold_changes
from umbel.ingest.write_behind import BYTES_AHEAD, ROWS_AHEAD, WriteBehind
from umbel.model.event import Event
from umbel.model.rollup import Tally


@pytest.fixture
def history() -> SlowHistory:
    return SlowHistory()


@pytest.fixture
def stored() -> list[int]:
    return []


@pytest.fixture
def behind(history: SlowHistory, stored: list[int]) -> Iterator[WriteBehind]:
    behind = WriteBehind(history, lambda chunk: stored.append(len(chunk.changes.tasks)))
    yield behind
    history.turns.release(9)
    behind.close()


def chunk_of(rows: int, name: str, *, args: str = "") -> Chunk:
    draft = Draft(None)
    received = [
        Event(
            type="task-received",
            hostname="celery@a",
            timestamp=EPOCH,
            pid=1,
            uuid=f"{name}{n}",
            name="n",
            args=args,
        )
        for n in range(rows)
    ]
    draft.add(fold_changes([(None, [each]) for each in received], Tally()))
    return draft.close()


def test_a_small_chunk_behind_a_full_one_is_not_waited_for(
    behind: WriteBehind, stored: list[int], history: SlowHistory
) -> None:
    full = ROWS_AHEAD * 2 // 3
    for rows, name in ((full, "a"), (ROWS_AHEAD - full, "b"), (0, "c")):
        assert not behind.submit(chunk_of(rows, name))
    assert stored == [] and len(behind.chunks) == 3
    # one more row has to wait for the full one, and only for that
    history.turns.release()
    behind.submit(chunk_of(1, "d"))
    assert stored == [full] and len(behind.chunks) == 3
    history.turns.release(3)
    behind.settle()
    assert stored == [full, ROWS_AHEAD - full, 0, 1] and not behind.chunks


def test_it_is_told_whether_a_chunk_was_waited_for(behind: WriteBehind, history: SlowHistory) -> None:
    assert not behind.submit(chunk_of(ROWS_AHEAD, "a"))
    threading.Timer(0.1, history.turns.release).start()
    assert behind.submit(chunk_of(1, "b"))
    history.turns.release()
    behind.settle()
    history.turns.release()
    assert not behind.submit(chunk_of(ROWS_AHEAD, "c"))
    behind._chunks[0][1].result(timeout=10)
    assert not behind.submit(chunk_of(1, "d")), "it was stored before"


def test_long_texts_are_waited_for_though_their_rows_are_few(
    behind: WriteBehind, stored: list[int], history: SlowHistory
) -> None:
    long = "x" * (BYTES_AHEAD // 20)
    behind.submit(chunk_of(9, "a", args=long))
    behind.submit(chunk_of(10, "b", args=long))
    assert stored == [] and len(behind.chunks) == 2
    history.turns.release()
    behind.submit(chunk_of(2, "c", args=long))
    assert stored == [9] and len(behind.chunks) == 2


def test_one_chunk_of_any_size_may_be_on_its_way(
    behind: WriteBehind, stored: list[int], history: SlowHistory
) -> None:
    behind.submit(chunk_of(ROWS_AHEAD + 1, "a"))
    assert stored == [] and len(behind.chunks) == 1
    history.turns.release()
    behind.submit(chunk_of(ROWS_AHEAD + 1, "b"))
    assert stored == [ROWS_AHEAD + 1] and len(behind.chunks) == 1


def test_what_else_is_written_waits_for_the_chunks_and_nobody_for_it(
    behind: WriteBehind, stored: list[int], history: SlowHistory
) -> None:
    done: list[int] = []

    def act() -> None:
        done.append(len(history.tasks))

    behind.run(act)
    assert done == [0], "nothing is on its way"
    behind.submit(chunk_of(3, "a"))
    behind.run(act)
    behind.submit(chunk_of(4, "b"))
    assert done == [0] and stored == []
    history.turns.release(2)
    behind.settle()
    assert done == [0, 3], "between the two"


def test_what_else_cannot_be_written_is_told_the_next_time_and_only_while_it_is_so(
    behind: WriteBehind, history: SlowHistory
) -> None:
    full = True
    done: list[int] = []

    def act() -> None:
        done.append(len(history.tasks))
        if full:
            raise StoreUnavailable("the disk is full")

    behind.submit(chunk_of(3, "a"))
    behind.run(act)
    history.turns.release()
    behind.settle()
    behind.submit(chunk_of(4, "b"))
    with pytest.raises(StoreUnavailable):
        behind.run(act)
    assert done == [3, 3], "at once, though a chunk is on its way"
    behind.run(act)
    history.turns.release()
    behind.settle()
    full = False
    behind.submit(chunk_of(5, "c"))
    behind.run(act)
    assert done == [3, 3, 7, 7], "and what was full is told no more"
    history.turns.release()
    behind.settle()
    behind.run(act)
    assert done[4:] == [12]
