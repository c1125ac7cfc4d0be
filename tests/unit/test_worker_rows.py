"""Rows and counters that are kept: the same as what would be made anew, to the byte."""

import json
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from tests.unit.memory_reader import MemoryReader
from umbel.metrics.prometheus import write_worker_gauges
from umbel.model.worker import Worker, WorkerStatus
from umbel.store.base import CounterKey, FeedRow
from umbel.store.sender_counts import SenderCounters
from umbel.web.worker_rows import WorkerRows

#: Finite and not, with and without an exponent.
FLOATS = st.floats() | st.floats(1e9, 2e9) | st.sampled_from([0.0, -0.0, 1e16, 1e-5, 1.0, 0.1])
WORKERS = st.builds(
    Worker,
    hostname=st.just("w"),
    pid=st.integers(0, 99_999),
    freq=st.none() | FLOATS,
    active=st.none() | st.integers(0, 9),
    processed=st.none() | st.integers(0, 10**7),
    loadavg=st.none() | st.lists(FLOATS, max_size=3),
    sw_ident=st.none() | st.text(),
    sw_ver=st.none() | st.sampled_from(["5.7.0", "</script>", 'a"b\\', "ü\x7f"]),
    clock=st.integers(0, 2**40),
    heartbeats=st.lists(FLOATS, max_size=4),
    status=st.sampled_from(WorkerStatus),
)


def note(reader: MemoryReader, name: str) -> None:
    """Something of this sender changed."""
    reader.feed.append(FeedRow(reader.fetch_feed_head() + 1, 0.0, [], [name]))


def plain_row(worker: Worker, counts: dict[str, int]) -> dict[str, Any]:
    """The row as Flower has it."""
    return {
        **counts,
        "hostname": worker.hostname,
        "pid": worker.pid or None,
        "freq": worker.freq,
        "heartbeats": worker.heartbeats,
        "clock": worker.clock,
        "active": worker.active,
        "processed": worker.processed,
        "loadavg": worker.loadavg,
        "sw_ident": worker.sw_ident,
        "sw_ver": worker.sw_ver,
        "sw_sys": worker.sw_sys,
        "status": worker.status in (WorkerStatus.ONLINE, WorkerStatus.BUSY_SILENT),
    }


@given(
    WORKERS,
    WORKERS,
    st.dictionaries(st.sampled_from(["task-sent", "worker-online", "pid", "ü-</"]), st.integers(1)),
)
def test_a_row_is_the_text_that_pythons_json_module_makes(
    first: Worker, second: Worker, counts: dict[str, int]
) -> None:
    # what is equal is not rendered anew, and -0.0 equals 0.0
    assume(first != second or repr(first) == repr(second))
    reader = MemoryReader()
    rows = WorkerRows(reader)
    for worker, told in ((first, {}), (first, counts), (second, counts)):
        reader.workers = [worker]
        reader.counters = {CounterKey("w", "t", kind): n for kind, n in told.items()}
        note(reader, "w")
        [row] = rows.fetch()
        expected = json.dumps(plain_row(worker, dict(sorted(told.items())))).replace("</", "<\\/")
        assert row.flower == expected


def test_what_did_not_change_stays_the_same_object() -> None:
    """So that nobody renders it anew."""
    reader = MemoryReader()
    reader.workers = [Worker(hostname="a"), Worker(hostname="b")]
    reader.counters = {CounterKey("a", "t", "task-sent"): 1, CounterKey("b", "t", "task-sent"): 1}
    note(reader, "a")
    rows = WorkerRows(reader)
    first, second = rows.fetch()
    note(reader, "a")
    assert [row is before for row, before in zip(rows.fetch(), (first, second), strict=True)] == [True, True]
    reader.counters[CounterKey("a", "t", "task-sent")] = 2
    note(reader, "a")
    changed, kept = rows.fetch()
    assert (changed.counts, kept is second) == ({"task-sent": 2}, True)


def test_counters_that_take_each_others_place_are_told_apart() -> None:
    """A name that became known moves totals from one counter to another, and there are as many as before."""
    reader = MemoryReader()
    reader.counters = {CounterKey("a", "", "task-sent"): 3, CounterKey("a", "x", "task-started"): 3}
    counters = SenderCounters(reader)
    before = counters.fetch()["a"]
    assert before.by_type() == {"task-sent": 3, "task-started": 3}
    reader.counters = {CounterKey("a", "x", "task-failed"): 3, CounterKey("a", "x", "task-started"): 3}
    note(reader, "a")
    assert counters.fetch()["a"].by_type() == {"task-failed": 3, "task-started": 3}
    assert before.by_type() == {"task-sent": 3, "task-started": 3}
    reader.counters = {}
    note(reader, "a")
    assert dict(counters.fetch()) == {}


def test_the_gauges_of_workers_read_as_the_client_library_writes_them() -> None:
    workers = [
        Worker(hostname="w1", active=3, status=WorkerStatus.ONLINE),
        Worker(hostname='q"\\\n', active=12_345_678, status=WorkerStatus.ONLINE),
        Worker(hostname="gone", active=3, status=WorkerStatus.LOST),
        Worker(hostname="new", status=WorkerStatus.UNKNOWN),
    ]
    assert write_worker_gauges(workers).decode().splitlines() == [
        "# HELP flower_worker_online 1 while the worker is there, 0 once it is lost or stopped",
        "# TYPE flower_worker_online gauge",
        'flower_worker_online{worker="w1"} 1.0',
        'flower_worker_online{worker="q\\"\\\\\\n"} 1.0',
        'flower_worker_online{worker="gone"} 0.0',
        "# HELP flower_worker_number_of_currently_executing_tasks Tasks that run on a worker now",
        "# TYPE flower_worker_number_of_currently_executing_tasks gauge",
        'flower_worker_number_of_currently_executing_tasks{worker="w1"} 3.0',
        'flower_worker_number_of_currently_executing_tasks{worker="q\\"\\\\\\n"} 1.2345678e+07',
        'flower_worker_number_of_currently_executing_tasks{worker="gone"} 0.0',
    ]
