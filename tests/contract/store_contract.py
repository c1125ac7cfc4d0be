"""What every history must do, whatever keeps it: an engine's tests subclass this and supply the fixtures.

`store_search_contract` and `store_retention_contract` hold the rest.
"""

from collections import Counter

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.store_totals_contract import unpack
from tests.contract.teller import BUCKETS, EPOCH, Teller, received, succeeded, with_longer_spans
from tests.unit.histories import Life, lives
from umbel.errors import CursorError
from umbel.model.event import Event
from umbel.model.rollup import RollupKey
from umbel.model.worker import Worker, WorkerStatus
from umbel.store.base import (
    Changes,
    CounterKey,
    Facet,
    Gap,
    HistoryReader,
    HistoryWriter,
    Runtimes,
    TaskChange,
    TaskQuery,
)
from umbel.store.packed import pack_worker
from umbel.store.status import CollectorStatus

ONE_STORE = settings(
    max_examples=25,
    deadline=None,
    # several classes run the contract, each on a store of its own
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)


class StoreContract:
    """Rows, sums, feed, gaps and status."""

    @given(batches=st.lists(st.lists(st.tuples(st.integers(0, 3), lives(most=3)), max_size=4), max_size=4))
    @ONE_STORE
    def test_what_was_told_is_what_is_read(
        self, writer: HistoryWriter, reader: HistoryReader, batches: list[list[tuple[int, Life]]]
    ) -> None:
        teller = self._fresh(writer)
        for batch in batches:
            events = []
            for number, life in batch:
                uuid = f"{teller.prefix}-{number}"
                events += [msgspec.structs.replace(event, uuid=uuid) for event in life.events]
            half = len(events) // 2
            teller.tell(events[half:])
            teller.tell(events[:half])
        for uuid, record in teller.records.items():
            detail = reader.fetch_task(uuid)
            assert detail is not None
            assert detail.record == record
            task, stored = writer.fetch_lives([uuid])[uuid]
            assert task == detail.task
            assert stored == record
        mine = [task for task in teller.tasks if task.uuid.startswith(teller.prefix)]
        for task in mine:
            assert (
                reader.fetch_tasks(TaskQuery(search=None, sort="uuid"), limit=10_000).tasks.count(task) == 1
            )
        assert_facets_exact(reader)

    def _fresh(self, writer: HistoryWriter) -> "PrefixedTeller":
        return PrefixedTeller(writer)

    def test_every_field_of_a_task_comes_back(self, writer: HistoryWriter, reader: HistoryReader) -> None:
        teller = Teller(writer)
        told = succeeded(
            "u", args="(1,)", kwargs="{'a': 'ü'}", root_id="r", parent_id="p", eta="2026-01-01T00:00:00",
            expires="2026-01-02T00:00:00", origin=3, clock=2**40,
        )  # fmt: skip
        sent = Event(
            type="task-sent", hostname="gen1@web", timestamp=EPOCH - 1, uuid="u", queue="q", exchange="x",
            routing_key="k", received_at=EPOCH,
        )  # fmt: skip
        failed = Event(
            type="task-failed", hostname="celery@b", timestamp=EPOCH + 9, uuid="u", pid=3, exception="E('x')",
            traceback="Traceback \0 with NUL", received_at=EPOCH,
        )  # fmt: skip
        teller.tell([sent, *told, failed])
        detail = reader.fetch_task("u")
        assert detail is not None
        assert detail.task == teller.tasks[0]
        assert detail.record == teller.records["u"]
        assert isinstance(detail.task.finished, bool)
        assert isinstance(detail.task.redelivered, bool)

    def test_an_unknown_task_is_none(self, reader: HistoryReader, writer: HistoryWriter) -> None:
        assert reader.fetch_task("nobody") is None
        assert writer.fetch_lives(["nobody"]) == {}

    def test_thousands_of_records_are_fetched_at_once(self, writer: HistoryWriter) -> None:
        teller = Teller(writer)
        teller.tell([event for n in range(1203) for event in received(f"u{n}")])
        found = writer.fetch_lives([f"u{n}" for n in range(1300)])
        assert len(found) == 1203
        assert found["u7"][1] == teller.records["u7"]

    def test_earlier_errors_are_kept_and_bounded(self, writer: HistoryWriter, reader: HistoryReader) -> None:
        teller = Teller(writer)
        for n in range(80):
            at = EPOCH + 10 * n
            retried = Event(
                type="task-retried", hostname="celery@a", pid=7, timestamp=at + 5, uuid="u", received_at=at,
                exception=f"E({n})", traceback=f"T{n}",
            )  # fmt: skip
            teller.tell([*received("u", at=at), retried])
        detail = reader.fetch_task("u")
        assert detail is not None
        assert detail.record == teller.records["u"]
        assert [error.exception for error in detail.record.errors[:5]] == [
            "E(0)", "E(1)", "E(2)", "E(3)", "E(20)",
        ]  # fmt: skip

    def test_a_wrong_before_does_not_bend_the_counts(
        self, writer: HistoryWriter, reader: HistoryReader
    ) -> None:
        teller = Teller(writer)
        teller.tell(received("known"))
        known, fresh = teller.tasks[0], Teller(writer)
        fresh.records = {}
        # known is told as new, and lost as known
        fresh.tell(succeeded("known"))
        lost = fresh.records.pop("known")
        record = msgspec.structs.replace(lost, uuid="lost")
        task = msgspec.structs.replace(known, uuid="lost")
        writer.write(Changes(tasks=[TaskChange(task, task, record)]))
        assert {task.uuid for task in reader.fetch_tasks(TaskQuery(), limit=10).tasks} == {"known", "lost"}
        assert_facets_exact(reader)

    def test_counters_histograms_and_rollups_equal_a_recount(
        self, writer: HistoryWriter, reader: HistoryReader
    ) -> None:
        teller = Teller(writer)
        for n in range(30):
            teller.tell(
                succeeded(f"u{n}", at=EPOCH + 700 * n, worker=f"celery@{n % 3}", runtime=0.05 * (n + 1))
            )
        assert reader.fetch_counters() == {
            CounterKey(*k): n for k, n in teller.tally.totals().counters.items()
        }
        runtimes = unpack(reader.fetch_runtimes())
        assert sum(sum(found.buckets) for found in runtimes.values()) == 30
        assert sum(found.sum for found in runtimes.values()) == pytest.approx(
            sum(0.05 * n for n in range(1, 31))
        )
        assert all(len(found.buckets) == len(BUCKETS) + 1 for found in runtimes.values())
        for key, expected in with_longer_spans(teller.tally.totals().rollups).items():
            [(found_key, found)] = reader.fetch_rollups(
                kind=key.kind, label=key.label, span=key.span, start=key.start, end=key.start + key.span
            )
            assert found_key == key
            assert found.counts == expected.counts
            assert found.runtime.buckets == expected.runtime.buckets

    def test_what_is_taken_back_leaves_no_row(self, writer: HistoryWriter, reader: HistoryReader) -> None:
        teller = Teller(writer)
        # the name becomes known late: counts move from "" to it
        event = received("u")[0]
        teller.tell(
            [Event(type="task-started", hostname="celery@a", timestamp=EPOCH, uuid="u", received_at=EPOCH)]
        )
        assert CounterKey("celery@a", "", "task-started") in reader.fetch_counters()
        teller.tell([event])
        assert set(reader.fetch_counters()) == {
            CounterKey("celery@a", "shop.pay", "task-started"),
            CounterKey("celery@a", "shop.pay", "task-received"),
        }
        labels = {
            key.label
            for key, _ in reader.fetch_rollups(kind="task", label=None, span=60, start=0, end=EPOCH * 2)
        }
        assert labels == {"shop.pay"}
        assert_facets_exact(reader)

    def test_rollups_of_all_labels_come_oldest_first(
        self, writer: HistoryWriter, reader: HistoryReader
    ) -> None:
        teller = Teller(writer)
        for n in (2, 0, 1):
            teller.tell(
                received(f"a{n}", at=EPOCH + 60 * n, name="a") + received(f"b{n}", at=EPOCH, name="b")
            )
        found = reader.fetch_rollups(kind="task", label=None, span=60, start=EPOCH, end=EPOCH + 61)
        minute = int(EPOCH // 60) * 60
        assert [key for key, _ in found] == [RollupKey("task", "a", 60, minute + 60)]
        found = reader.fetch_rollups(kind="task", label=None, span=60, start=EPOCH - 60, end=EPOCH + 999)
        assert [(key.label, key.start - minute) for key, _ in found] == [
            ("a", 0), ("b", 0), ("a", 60), ("a", 120),
        ]  # fmt: skip

    def test_workers_are_replaced_and_removed_in_first_seen_order(
        self, writer: HistoryWriter, reader: HistoryReader
    ) -> None:
        first = Worker(hostname="celery@z", first_seen=1.0, heartbeats=[1.0, 2.0], status=WorkerStatus.ONLINE)
        second = Worker(hostname="celery@a", first_seen=2.0, loadavg=[0.1, 0.2, 0.3])
        feed = writer.write(Changes(workers=[pack_worker(second), pack_worker(first)]))
        assert reader.fetch_workers() == [first, second]
        assert writer.fetch_workers() == {"celery@z": first, "celery@a": second}
        changed = msgspec.structs.replace(first, status=WorkerStatus.LOST, active=0)
        writer.write(Changes(workers=[pack_worker(changed)], workers_removed=["celery@a"]))
        assert reader.fetch_workers() == [changed]
        assert [row.workers for row in reader.fetch_feed(feed)] == [["celery@z", "celery@a"]]

    def test_the_feed_names_few_tasks_and_says_many(
        self, writer: HistoryWriter, reader: HistoryReader
    ) -> None:
        teller = Teller(writer)
        head = reader.fetch_feed_head()
        one = teller.tell(received("u"))
        many = teller.tell([event for n in range(201) for event in received(f"m{n}")])
        assert reader.fetch_feed_head() == many > one > head
        rows = reader.fetch_feed(head)
        assert [(row.id, row.tasks) for row in rows] == [(one, ["u"]), (many, None)]
        assert reader.fetch_feed(one, limit=1)[0].id == many

    def test_gaps_are_opened_closed_and_listed(self, writer: HistoryWriter, reader: HistoryReader) -> None:
        old = writer.open_gap(Gap(start=1.0, end=2.0, cause="broker-lost", lossy=False, detail="d"))
        new = writer.open_gap(Gap(start=5.0, cause="monitor-down"))
        assert [gap.id for gap in writer.fetch_open_gaps()] == [new]
        writer.close_gap(new, 7.0, lossy=False)
        assert writer.fetch_open_gaps() == []
        assert reader.fetch_gaps() == [
            Gap(id=new, start=5.0, end=7.0, cause="monitor-down", lossy=False),
            Gap(id=old, start=1.0, end=2.0, cause="broker-lost", lossy=False, detail="d"),
        ]
        assert len(reader.fetch_gaps(limit=1)) == 1

    def test_the_status_is_replaced_and_tells_when_we_were_last_alive(
        self, writer: HistoryWriter, reader: HistoryReader
    ) -> None:
        assert reader.fetch_status() is None
        assert writer.fetch_last_alive() is None
        status = CollectorStatus(
            pid=1, time=5.0, started=1.0, state="connected", notices=["ü"], dropped={"x": 1}
        )
        writer.write_status(status)
        writer.write_status(msgspec.structs.replace(status, time=6.5))
        assert reader.fetch_status() == msgspec.structs.replace(status, time=6.5)
        assert writer.fetch_last_alive() == 6.5
        writer.write_status(msgspec.structs.replace(status, time=9.0, lag=2.0))
        assert writer.fetch_last_alive() == 7.0

    def test_a_status_that_still_holds_need_not_be_written_again(
        self, writer: HistoryWriter, reader: HistoryReader
    ) -> None:
        writer.note_alive(1.0, None)
        assert writer.fetch_last_alive() is None
        status = CollectorStatus(pid=1, time=5.0, started=1.0, state="connected", lag=2.0)
        writer.write_status(status)
        writer.note_alive(7.5, None)
        assert reader.fetch_status() == msgspec.structs.replace(status, time=7.5)
        writer.note_alive(8.25, 7.75)
        assert writer.fetch_last_alive() == 6.25
        assert reader.fetch_status() == msgspec.structs.replace(status, time=8.25, proof_at=7.75)
        writer.write_status(msgspec.structs.replace(status, time=8.5))
        assert writer.fetch_last_alive() == 6.5, "what was said of the status before does not count"

    def test_open_and_stale_tasks_are_found(self, writer: HistoryWriter) -> None:
        teller = Teller(writer)
        teller.tell([*received("b", at=EPOCH + 1), *received("a", at=EPOCH), *succeeded("done")])
        teller.tell(received("other", worker="celery@b", at=EPOCH + 5))
        assert [task.uuid for task in writer.fetch_open_tasks("celery@a", limit=10)] == ["a", "b"]
        assert [task.uuid for task in writer.fetch_open_tasks("celery@a", limit=1)] == ["a"]
        assert [task.uuid for task in writer.fetch_stale_tasks(EPOCH + 5, limit=10)] == ["a", "b"]

    def test_prefetched_and_running_tasks_are_counted(
        self, writer: HistoryWriter, reader: HistoryReader
    ) -> None:
        teller = Teller(writer)
        teller.tell(
            [*received("a"), *received("b"), *received("later", eta="2030-01-01T00:00:00"), *succeeded("c")]
        )
        teller.tell(succeeded("r1", at=EPOCH)[:2] + succeeded("r2", at=EPOCH + 9)[:2])
        assert reader.fetch_prefetched() == {("celery@a", "shop.pay"): 2}
        running = reader.fetch_running()
        assert list(running) == [("celery@a", "shop.pay")]
        count, wait = running["celery@a", "shop.pay"]
        assert (count, round(wait, 3)) == (2, 0.1)

    def test_children_come_oldest_first(self, writer: HistoryWriter, reader: HistoryReader) -> None:
        teller = Teller(writer)
        for n in (3, 1, 2):
            teller.tell(received(f"child{n}", at=EPOCH + n, parent_id="mum", root_id="mum"))
        teller.tell(received("mum", root_id="mum"))
        detail = reader.fetch_task("mum")
        assert detail is not None
        assert detail.children == ["child1", "child2", "child3"]
        assert reader.fetch_children(["mum", "child1"]) == {"mum": ["child1", "child2", "child3"]}
        family = reader.fetch_tasks(TaskQuery(root_id="mum", sort="uuid", descending=False), limit=9).tasks
        assert [task.uuid for task in family] == ["child1", "child2", "child3", "mum"]
        of_mum = reader.fetch_tasks(TaskQuery(parent_id="mum"), limit=9).tasks
        assert [task.uuid for task in of_mum] == ["child3", "child2", "child1"]

    def test_task_types_are_sorted_and_size_is_told(
        self, writer: HistoryWriter, reader: HistoryReader
    ) -> None:
        Teller(writer).tell([*received("a", name="z"), *received("b", name="é"), *received("c", name="a")])
        assert reader.fetch_task_types() == ["a", "z", "é"]
        extent = reader.fetch_extent()
        assert extent.tasks == 3
        assert extent.bytes > 4096
        assert extent.since is None

    def test_histograms_grow_and_go_with_what_they_count(
        self, writer: HistoryWriter, reader: HistoryReader
    ) -> None:
        teller = Teller(writer)
        teller.tell(succeeded("a", worker="w", name="t", runtime=0.05))
        teller.tell([*succeeded("b", worker="w", name="t"), *succeeded("c", worker="w", name="t")])
        first, *others = succeeded("d", worker="w", name="u")
        # its name becomes known when its run time has been counted without one
        teller.tell(others)
        assert unpack(reader.fetch_runtimes())["w", ""] == Runtimes((0, 1, 0, 0), 0.5)
        teller.tell([first])
        assert unpack(reader.fetch_runtimes()) == {
            ("w", "t"): Runtimes((1, 2, 0, 0), 1.05),
            ("w", "u"): Runtimes((0, 1, 0, 0), 0.5),
        }

    def test_a_cursor_of_another_order_is_refused(self, writer: HistoryWriter, reader: HistoryReader) -> None:
        Teller(writer).tell([*received("a"), *received("b")])
        cursor = reader.fetch_tasks(TaskQuery(), limit=1).next
        assert cursor is not None
        for query in (TaskQuery(descending=False), TaskQuery(sort="received"), TaskQuery(sort="name")):
            with pytest.raises(CursorError):
                reader.fetch_tasks(query, limit=1, cursor=cursor)
        for nonsense in ("", "x", "????", "lKd1", cursor[:-3], "ü"):
            with pytest.raises(CursorError):
                reader.fetch_tasks(TaskQuery(), limit=1, cursor=nonsense)


class PrefixedTeller(Teller):
    """A teller whose tasks can be told from those of earlier examples in the same history."""

    _made = 0

    def __init__(self, writer: HistoryWriter) -> None:
        super().__init__(writer)
        PrefixedTeller._made += 1
        self.prefix = f"p{PrefixedTeller._made}"


def assert_facets_exact(reader: HistoryReader) -> None:
    """Facets equal a recount of all rows, and none is zero or negative."""
    rows = reader.fetch_tasks(TaskQuery(), limit=10_000).tasks
    counted = Counter((task.state, task.name or "", task.worker or "") for task in rows)
    found = reader.fetch_facets()
    assert sorted(found, key=str) == sorted((Facet(*key, n) for key, n in counted.items()), key=str)
    assert reader.fetch_extent().tasks == len(rows)
