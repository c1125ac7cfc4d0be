"""Gaps begin and end in this order, whatever the clock did."""

from tests.unit.memory_history import MemoryHistory
from umbel.ingest.buffer import Buffer
from umbel.ingest.gaps import GapBook
from umbel.store.status import CollectorStatus


def test_an_absence_begins_now_where_the_clock_was_set_back_meanwhile() -> None:
    for now, began in ((100.0, 100.0), (4000.0, 3600.0)):
        history = MemoryHistory()
        history.status = CollectorStatus(pid=1, time=3600.0, started=1.0, state="connected")
        GapBook(history, Buffer(1000, clock=lambda: 0.0)).inherit(now)
        assert [gap.start for gap in history.gaps.values()] == [began]
