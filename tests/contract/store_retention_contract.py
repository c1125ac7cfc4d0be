"""What any history lets go of, and what it never does."""

import pytest

from tests.contract.store_contract import assert_facets_exact
from tests.contract.teller import EPOCH, Teller, received, succeeded
from umbel.model.event import Event
from umbel.model.rollup import SPANS
from umbel.model.worker import Worker
from umbel.store.base import Changes, Gap, HistoryReader, HistoryWriter, TaskQuery
from umbel.store.packed import pack_worker
from umbel.store.retention import QUEUE_AGE, Holdings, Limits, excess

HOUR, DAY = 3600.0, 86400.0


def uuids(reader: HistoryReader) -> list[str]:
    return [task.uuid for task in reader.fetch_tasks(TaskQuery(descending=False), limit=10_000).tasks]


def sent(uuid: str, *, queue: str = "celery", at: float = EPOCH) -> Event:
    return Event(
        type="task-sent", hostname="gen1@web", timestamp=at, received_at=at, uuid=uuid, queue=queue, name="n"
    )


class StoreRetentionContract:
    """What a history lets go of."""

    def test_nothing_goes_while_every_limit_holds(self, writer: HistoryWriter, reader: HistoryReader) -> None:
        Teller(writer).tell(succeeded("u"))
        assert writer.prune(now=EPOCH + 29 * DAY).tasks == 0
        assert uuids(reader) == ["u"]

    @pytest.mark.parametrize("limits", [Limits(bytes=1_600_000), Limits(bytes=2_000_000), Limits(bytes=None)])
    def test_graphs_that_leave_tasks_no_room_are_told_of(self, writer: HistoryWriter, limits: Limits) -> None:
        teller = Teller(writer)
        for minute in range(60):
            teller.tell(succeeded(f"u{minute}", at=EPOCH + minute * 60))
        assert writer.get_notices() == []
        writer.prune(now=EPOCH + HOUR)
        notices = writer.get_notices()
        if limits.bytes != 1_600_000:
            assert notices == [], "0.9 MB: minutes of a worker for 26 hours and of a task name for 48"
            return
        (notice,) = notices
        assert "about 0.9 MB of the 1.6 MB" in notice and "raise --max-bytes" in notice
        writer.prune(now=EPOCH + 2 * HOUR + 120)
        assert writer.get_notices() == [], "the last hour was quiet"

    @pytest.mark.parametrize("limits", [Limits(age=10 * DAY)])
    def test_old_finished_tasks_go_and_open_ones_stay(
        self, writer: HistoryWriter, reader: HistoryReader
    ) -> None:
        teller = Teller(writer)
        failed = Event(
            type="task-retried", hostname="celery@a", pid=7, timestamp=EPOCH, uuid="old", received_at=EPOCH,
            exception="E", traceback="T",
        )  # fmt: skip
        again = Event(
            type="task-failed", hostname="celery@a", pid=7, timestamp=EPOCH + 1, uuid="old", received_at=EPOCH,
            exception="F", traceback="T",
        )  # fmt: skip
        teller.tell([*received("old"), failed, again, *received("waiting")])
        teller.tell(succeeded("new", at=EPOCH + 11 * DAY))
        now = EPOCH + 12 * DAY
        counters = reader.fetch_counters()
        dry = writer.prune(now=now, dry_run=True)
        assert uuids(reader) == ["waiting", "old", "new"]
        head = reader.fetch_feed_head()
        assert writer.prune(now=now) == dry
        assert dry.tasks == 1
        assert uuids(reader) == ["waiting", "new"]
        assert reader.fetch_task("old") is None
        assert reader.fetch_counters() == counters
        assert [row.tasks for row in reader.fetch_feed(head)] == [["old"]]
        assert_facets_exact(reader)
        # it comes back without the errors of its former life
        teller.records.pop("old")
        teller.tell([again])
        detail = reader.fetch_task("old")
        assert detail is not None
        assert [error.exception for error in detail.record.errors] == ["F"]

    @pytest.mark.parametrize("limits", [Limits(tasks=300, age=None, bytes=None)])
    def test_a_bound_of_rows_takes_the_oldest(self, writer: HistoryWriter, reader: HistoryReader) -> None:
        teller = Teller(writer)
        teller.tell([e for n in range(1000) for e in succeeded(f"u{n:04}", at=EPOCH + n, worker=f"w{n % 3}")])
        teller.tell(received("waiting", at=EPOCH - 5))
        dry = writer.prune(now=EPOCH, dry_run=True)
        assert writer.prune(now=EPOCH) == dry
        assert dry.tasks == 701
        assert uuids(reader) == ["waiting", *(f"u{n:04}" for n in range(701, 1000))]
        assert_facets_exact(reader)

    @pytest.mark.parametrize("limits", [Limits(tasks=3, age=None, bytes=None)])
    def test_up_to_when_tasks_were_taken_is_told(self, writer: HistoryWriter, reader: HistoryReader) -> None:
        teller = Teller(writer)
        teller.tell(received("waits", at=EPOCH - 500))
        for number in range(5):
            teller.tell(succeeded(f"u{number}", at=EPOCH + 10.5 * number))
        assert reader.fetch_extent().since is None
        writer.prune(now=EPOCH)
        assert sorted(uuids(reader)) == ["u3", "u4", "waits"]
        last = reader.fetch_extent().since
        assert last is not None and EPOCH + 21 <= last < EPOCH + 31.5
        # one that comes late goes first, and so long as the newest that went is newer, that is what is told
        teller.tell(succeeded("late", at=EPOCH - 400))
        writer.prune(now=EPOCH)
        assert sorted(uuids(reader)) == ["u3", "u4", "waits"]
        assert reader.fetch_extent().since == last
        teller.tell(succeeded("u5", at=EPOCH + 60))
        writer.prune(now=EPOCH)
        assert sorted(uuids(reader)) == ["u4", "u5", "waits"]
        later = reader.fetch_extent().since
        assert later is not None and EPOCH + 31.5 <= later < EPOCH + 42

    @pytest.mark.parametrize("limits", [Limits(tasks=0, age=None, bytes=None)])
    def test_space_comes_back(self, writer: HistoryWriter, reader: HistoryReader) -> None:
        teller = Teller(writer)
        for part in range(5):
            teller.tell([e for n in range(1000) for e in succeeded(f"u{part}-{n}", args="x" * 900)])
        before = reader.fetch_extent().bytes
        assert writer.prune(now=EPOCH).tasks == 5000
        writer.close()
        assert reader.fetch_extent().tasks == 0
        assert reader.fetch_extent().bytes < before / 3

    @pytest.mark.parametrize("limits", [Limits(tasks=None, age=None, bytes=2_000_000)])
    def test_a_bound_of_bytes_holds_after_some_runs(
        self, writer: HistoryWriter, reader: HistoryReader
    ) -> None:
        teller = Teller(writer)
        for part in range(5):
            teller.tell([e for n in range(1000) for e in succeeded(f"u{part}-{n}", args="x" * 900)])
        runs = 0
        while (dry := writer.prune(now=EPOCH, dry_run=True)).tasks:
            assert writer.prune(now=EPOCH) == dry
            runs += 1
            assert runs < 10
        tasks = reader.fetch_extent().tasks
        assert 0 < tasks < 2000
        assert_facets_exact(reader)

    @pytest.mark.parametrize("limits", [Limits(age=200 * DAY)])
    def test_sums_are_thinned_out_and_totals_stay(self, writer: HistoryWriter, reader: HistoryReader) -> None:
        teller = Teller(writer)
        teller.tell(received("old"))
        teller.tell(received("new", at=EPOCH + 100 * DAY))
        writer.open_gap(Gap(start=EPOCH - 200 * DAY, end=EPOCH - 199 * DAY, cause="overload"))
        writer.open_gap(Gap(start=EPOCH, end=EPOCH + 1, cause="overload"))
        writer.open_gap(Gap(start=EPOCH - 300 * DAY, cause="broker-lost"))
        counters = reader.fetch_counters()
        writer.prune(now=EPOCH + 100 * DAY + 10)

        def spans(span: int) -> int:
            return len(reader.fetch_rollups(kind="task", label=None, span=span, start=0, end=EPOCH * 2))

        assert [spans(60), spans(3600), spans(86400)] == [1, 1, 2]
        assert reader.fetch_counters() == counters
        assert [gap.start - EPOCH for gap in reader.fetch_gaps()] == [0, -300 * DAY]
        # the newest row stays, so that nobody mistakes new rows for known ones
        assert [row.id for row in reader.fetch_feed(0)] == [reader.fetch_feed_head()] == [2]
        assert teller.tell(received("another", at=EPOCH + 100 * DAY)) == 3

    @pytest.mark.parametrize(
        ("after", "of_tasks", "of_workers"),
        [
            (25 * HOUR, [1, 1, 1], [1, 1, 1]),
            (40 * HOUR, [1, 1, 1], [0, 1, 1]),
            (50 * HOUR, [0, 1, 1], [0, 1, 1]),
            (31 * DAY, [0, 1, 1], [0, 1, 1]),
            (40 * DAY, [0, 1, 1], [0, 0, 1]),
            (100 * DAY, [0, 0, 1], [0, 0, 1]),
        ],
    )
    def test_what_pages_show_of_workers_is_kept_and_hardly_more(
        self,
        writer: HistoryWriter,
        reader: HistoryReader,
        after: float,
        of_tasks: list[int],
        of_workers: list[int],
    ) -> None:
        writer.write(Changes(workers=[pack_worker(Worker(hostname="celery@a"))]))
        Teller(writer).tell(received("u"))
        writer.prune(now=EPOCH + after)
        for kind, expected in (("task", of_tasks), ("worker", of_workers)):
            found = [
                reader.fetch_rollups(kind=kind, label=None, span=span, start=0, end=EPOCH * 2)
                for span in SPANS
            ]
            assert [len(rows) for rows in found] == expected, kind

    def test_queues_are_remembered_for_a_while(self, writer: HistoryWriter, reader: HistoryReader) -> None:
        Teller(writer).tell([sent("u", queue="from-a-task")])
        writer.remember_queues(["from-a-worker", "", "x" * 300])
        names = ["from-a-task", "from-a-worker"]
        assert [(queue.name, queue.first_seen) for queue in reader.fetch_queues()] == [
            (name, EPOCH) for name in names
        ]
        writer.prune(now=EPOCH + QUEUE_AGE - 10)
        assert [queue.name for queue in reader.fetch_queues()] == names
        writer.prune(now=EPOCH + QUEUE_AGE + 10)
        assert reader.fetch_queues() == []

    def test_when_a_task_was_sent_is_told_for_many(
        self, writer: HistoryWriter, reader: HistoryReader
    ) -> None:
        Teller(writer).tell([sent("a", at=EPOCH - 5), *succeeded("b"), sent("c")])
        assert reader.fetch_sent(["a", "b", "absent"]) == {"a": EPOCH - 5}
        assert reader.fetch_sent([]) == {}

    def test_how_tasks_stand_is_told_for_many(self, writer: HistoryWriter, reader: HistoryReader) -> None:
        Teller(writer).tell([sent("a", at=EPOCH - 5), *succeeded("b"), *received("c")])
        standings = reader.fetch_standings(["a", "b", "c", "absent"])
        assert {uuid: (one.state, one.finished) for uuid, one in standings.items()} == {
            "a": ("PENDING", False), "b": ("SUCCESS", True), "c": ("RECEIVED", False),
        }  # fmt: skip
        for uuid, one in standings.items():
            detail = reader.fetch_task(uuid)
            assert detail is not None
            task = detail.task
            assert (one.name, one.worker, one.started, one.has_eta, one.updated) == (
                task.name, task.worker, task.started, task.eta is not None, task.updated,
            )  # fmt: skip
        assert reader.fetch_standings([]) == {}

    @pytest.mark.parametrize("limits", [Limits(tasks=10, age=None, bytes=None)])
    def test_writes_go_in_between_portions_of_retention(
        self, writer: HistoryWriter, reader: HistoryReader
    ) -> None:
        teller = Teller(writer)
        for part in range(4):
            teller.tell([e for n in range(1000) for e in succeeded(f"u{part}-{n}", at=EPOCH + part)])
        held: list[int] = []
        while not writer.prune_some(now=EPOCH, seconds=0.0):
            held.append(reader.fetch_extent().tasks - len(held))
            assert len(held) < 1000
            teller.tell(received(f"open{len(held)}"))
        assert held == sorted(held, reverse=True)
        assert held[0] > held[1] > 10
        left = uuids(reader)
        assert [uuid for uuid in left if uuid.startswith("u")] == [f"u3-{n}" for n in range(990, 1000)]
        assert len(left) == 10 + len(held)
        assert_facets_exact(reader)

    @pytest.mark.parametrize("limits", [Limits(tasks=0, age=None, bytes=None)])
    def test_space_comes_back_once_it_was_free_from_one_run_to_the_next(
        self, writer: HistoryWriter, reader: HistoryReader
    ) -> None:
        teller = Teller(writer)
        for part in range(5):
            teller.tell([e for n in range(1000) for e in succeeded(f"u{part}-{n}", args="x" * 900)])
        sizes = [reader.fetch_extent().bytes]
        for _ in range(2):
            assert writer.prune_some(now=EPOCH, seconds=60.0)
            writer.release()
            sizes.append(reader.fetch_extent().bytes)
        assert reader.fetch_extent().tasks == 0
        # the log was copied back meanwhile, and is in it no more
        assert sizes[0] / 2 < sizes[1] <= sizes[0]
        assert sizes[2] < sizes[1] / 2

    def test_the_largest_excess_of_all_limits_counts(self) -> None:
        holdings = Holdings(tasks=100, aged=5, bytes=1000)
        assert excess(Limits(age=1.0, tasks=None, bytes=None), holdings) == 5
        assert excess(Limits(age=1.0, tasks=90, bytes=None), holdings) == 10
        assert excess(Limits(age=1.0, tasks=90, bytes=795), holdings) == 21
        assert excess(Limits(age=1.0, tasks=1, bytes=1), holdings) == 100

    def test_memory_that_is_released_takes_nothing_with_it(
        self, writer: HistoryWriter, reader: HistoryReader
    ) -> None:
        teller = Teller(writer)
        teller.tell(succeeded("a"))
        writer.release()
        teller.tell(succeeded("b"))
        assert writer.get_feed_head() == reader.fetch_feed_head() > 0
        assert set(writer.fetch_lives(["a", "b"])) == {"a", "b"}
