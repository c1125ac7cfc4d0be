"""What any history keeps of the figures of queues."""

import pytest

from tests.contract.store_retention_contract import DAY, sent
from tests.contract.teller import EPOCH, Teller, succeeded
from umbel.model.queue import QueueBucket, QueueSample, Spread
from umbel.model.wait import WAIT_BOUNDS
from umbel.store import sqlite_waits
from umbel.store.base import HistoryReader, HistoryWriter

#: A whole hour.
NOON = EPOCH // 3600 * 3600


def told(
    reader: HistoryReader,
    queue: str | None = None,
    *,
    span: int = 60,
    largest: int = 5,
    end: float = NOON + DAY,
) -> list[QueueBucket]:
    return reader.fetch_queue_rollups(queue=queue, largest=largest, span=span, start=NOON - DAY, end=end)


class StoreQueueContract:
    """Figures of queues over time."""

    def test_samples_become_buckets_of_last_least_most_and_mean(
        self, writer: HistoryWriter, reader: HistoryReader
    ) -> None:
        writer.write_queue_samples(
            [QueueSample("q", NOON, 10.0, 4, 1, 2, 8.0), QueueSample("q", NOON + 10, 30.0, 8, 0, 2, 3.0)]
        )
        writer.write_queue_samples([QueueSample("q", NOON + 61, 5.0, 1, 0, 2, 0.0)])
        first, second = told(reader)
        assert (first.queue, first.start, second.start) == ("q", NOON, NOON + 60)
        assert first.messages == Spread(last=8, min=4, max=8, mean=7.0)
        assert first.unacked == Spread(last=0, min=0, max=1, mean=0.25)
        assert first.oldest == Spread(last=3.0, min=3.0, max=8.0, mean=4.25)
        assert second.messages == Spread(1, 1, 1, 1)
        (hour,) = told(reader, span=3600)
        (day,) = told(reader, span=86400)
        assert hour.messages == day.messages == Spread(last=1, min=1, max=8, mean=285 / 45)

    def test_what_is_unknown_is_not_zero_and_takes_nothing_away(
        self, writer: HistoryWriter, reader: HistoryReader
    ) -> None:
        writer.write_queue_samples(
            [
                QueueSample("q", NOON, 10.0, None, 3),
                QueueSample("q", NOON + 10, 10.0, 6, None),
                QueueSample("q", NOON + 20, 10.0, None, None),
            ]
        )
        (bucket,) = told(reader)
        assert bucket.messages == Spread(6, 6, 6, 6)
        assert bucket.unacked == Spread(3, 3, 3, 3)
        assert bucket.consumers is None
        assert bucket.oldest is None

    def test_the_longest_queues_are_told_or_one(self, writer: HistoryWriter, reader: HistoryReader) -> None:
        lengths = {"a": 1, "b": 9, "c": None, "d": 4}
        writer.write_queue_samples([QueueSample(name, NOON, 1.0, n) for name, n in lengths.items()])
        writer.write_queue_samples([QueueSample("b", NOON + 60, 1.0, 0)])
        # a day is ranked by its hours, an hour by its minutes
        for end in (NOON + DAY, NOON + 120):
            rows = told(reader, largest=2, end=end)
            assert [(row.queue, row.start - NOON) for row in rows] == [("b", 0), ("d", 0), ("b", 60)]
        assert [row.queue for row in told(reader, largest=9)[:4]] == ["a", "b", "c", "d"]
        assert [row.queue for row in told(reader, "c")] == ["c"]
        assert told(reader, "absent") == []
        assert told(reader, end=NOON) == []

    def test_names_that_no_broker_allows_are_left_out(
        self, writer: HistoryWriter, reader: HistoryReader
    ) -> None:
        writer.write_queue_samples([QueueSample(name, NOON, 1.0, 1) for name in ("", "x" * 256, "é")])
        assert [row.queue for row in told(reader)] == ["é"]

    def test_minutes_go_after_two_days_and_hours_after_ninety(
        self, writer: HistoryWriter, reader: HistoryReader
    ) -> None:
        writer.write_queue_samples([QueueSample("q", NOON, 1.0, 1)])
        for days, left in ((1.9, [1, 1, 1]), (2.1, [0, 1, 1]), (89, [0, 1, 1]), (91, [0, 0, 1])):
            writer.prune(now=NOON + days * DAY)
            assert [len(told(reader, span=span)) for span in (60, 3600, 86400)] == left

    def test_waits_are_counted_once_by_basis_and_name_and_survive(
        self, writer: HistoryWriter, reader: HistoryReader
    ) -> None:
        teller = Teller(writer)
        events = [event for n in range(3) for event in succeeded(f"u{n}")]
        teller.tell(events)
        teller.tell(events)
        teller.tell([sent("s", at=EPOCH - 7), *succeeded("s", name="n")])
        teller.tell(succeeded("later", eta="2026-11-26T03:00:00+00:00"))
        waits = reader.fetch_waits()
        assert set(waits) == {("received", "shop.pay"), ("sent", "n")}
        assert sum(waits["received", "shop.pay"].buckets) == 3
        assert waits["received", "shop.pay"].sum == pytest.approx(0.3, abs=1e-3)
        assert dict(zip(WAIT_BOUNDS, waits["sent", "n"].buckets, strict=False))[10.0] == 1
        assert waits["sent", "n"].sum == pytest.approx(7.1)

    def test_waits_of_too_many_names_are_summed_up(
        self, writer: HistoryWriter, reader: HistoryReader, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sqlite_waits, "MOST_TASKS", 2)
        teller = Teller(writer)
        for n in range(5):
            teller.tell(succeeded(f"u{n}", name=f"name{n}"))
        teller.tell(succeeded("again", name="name0"))
        counts = {task: sum(seen.buckets) for (_, task), seen in reader.fetch_waits().items()}
        assert counts == {"name0": 2, "name1": 1, "(other)": 3}
