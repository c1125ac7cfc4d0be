"""What can be said of a worker from what was heard, and when."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from umbel.ingest.source import Presence
from umbel.ingest.workers import WorkerBook
from umbel.model.event import Event
from umbel.model.liveness import (
    BUSY_LIMIT,
    EVIDENCE_COUNTS,
    LOST_AFTER,
    PATIENCE,
    Evidence,
    judge,
    patience,
)
from umbel.model.worker import Worker, WorkerStatus

T0 = 1_790_000_000.0
ONLINE, SILENT, LOST = WorkerStatus.ONLINE, WorkerStatus.BUSY_SILENT, WorkerStatus.LOST
STOPPED, UNKNOWN = WorkerStatus.STOPPED, WorkerStatus.UNKNOWN


def event(
    type_: str, at: float, *, pid: int = 7, hostname: str = "celery@a", lead: float = 0.0, **fields: Any
) -> Event:
    return Event(
        type=type_,
        hostname=hostname,
        timestamp=T0 + at + lead,
        pid=pid,
        received_at=T0 + at,
        uuid="t-1",
        **fields,
    )


def beat(at: float, **fields: Any) -> Event:
    return event("worker-heartbeat", at, **{"freq": 2.0, "active": 0, "processed": 5, **fields})


class Book(WorkerBook):
    """A book that tells the time from `T0`."""

    def __init__(self, *events: Event, limit: int = 100) -> None:
        super().__init__([], grace=600, limit=limit)
        self.take(*events)

    def take(self, *events: Event) -> None:
        for told in events:
            self.hear(told)

    def status_at(self, at: float, *, connected_at: float | None = -100.0) -> WorkerStatus | None:
        now, since = T0 + at, None if connected_at is None else T0 + connected_at
        if self.begin_look(now=now, connected_at=since):
            self.judge_all(now=now, connected_at=since)
            self.end_look()
        worker = self.rows.get("celery@a")
        return None if worker is None else worker.status

    def notices_at(self, at: float, *, connected_at: float = -100.0, enable_events: bool = True) -> list[str]:
        return self.get_notices(now=T0 + at, connected_at=T0 + connected_at, enable_events=enable_events)


def test_heartbeats_keep_a_worker_online() -> None:
    book = Book(beat(0), beat(2), beat(4))
    assert book.status_at(5) is ONLINE
    assert book.status_at(4 + 2 * 2 + 5) is ONLINE
    worker = book.rows["celery@a"]
    assert (worker.freq, worker.processed, worker.heartbeats) == (2.0, 5, [T0, T0 + 2, T0 + 4])


def test_any_event_keeps_a_worker_online() -> None:
    book = Book(beat(0), event("task-started", 60))
    assert book.status_at(61) is ONLINE


def test_a_worker_without_heartbeats_is_online_while_it_answers_calls() -> None:
    book = Book(event("task-received", 0), event("worker-heartbeat", 15, freq=5))
    assert book.rows["celery@a"].freq is None, "the answer to a call says nothing about regular heartbeats"
    assert patience(book.rows["celery@a"]) == PATIENCE
    assert book.get_to_call(now=T0 + 20) == []
    assert book.get_to_call(now=T0 + 26) == ["celery@a"]
    assert book.status_at(30) is ONLINE


def test_a_silent_worker_that_the_broker_still_sees_is_busy() -> None:
    book = Book(beat(0))
    for at in range(15, 300, 5):
        book.take_presence(Presence(known=True, present=frozenset({"celery@a"})), T0 + at)
        assert book.status_at(at) is SILENT


def test_a_count_of_subscribers_does_not_keep_an_idle_worker_for_ever() -> None:
    book = Book(beat(0))
    for at in range(15, int(BUSY_LIMIT), 5):
        book.take_presence(Presence(known=True, present=frozenset({"celery@a"})), T0 + at)
    book.set_busy(["celery@a"])
    book.take_presence(Presence(known=True, present=frozenset({"celery@a"})), T0 + BUSY_LIMIT + 10)
    assert book.status_at(BUSY_LIMIT + 10) is SILENT
    book.set_busy([])
    assert book.status_at(BUSY_LIMIT + 11) is LOST


def test_a_silent_worker_that_the_broker_no_longer_sees_is_lost_at_once() -> None:
    book = Book(beat(0))
    assert book.get_silent(now=T0 + 12, connected_at=T0 - 100) == ["celery@a"]
    book.take_presence(Presence(known=True, absent=frozenset({"celery@a"})), T0 + 12)
    assert book.status_at(12) is LOST
    assert book.rows["celery@a"].lost_at == T0 + 12
    book.take(beat(20))
    assert book.status_at(20) is ONLINE
    assert book.rows["celery@a"].lost_at is None


def test_absence_told_before_the_last_word_does_not_count() -> None:
    book = Book(beat(0))
    book.take_presence(Presence(known=True, absent=frozenset({"celery@a"})), T0 + 12)
    book.take(beat(13))
    assert book.status_at(24) is ONLINE


def test_without_any_evidence_silence_means_lost() -> None:
    book = Book(beat(0))
    assert book.status_at(8) is ONLINE
    assert book.status_at(LOST_AFTER - 1) is ONLINE
    assert book.status_at(LOST_AFTER + 1) is LOST


def test_a_running_task_explains_silence_where_the_broker_cannot_tell() -> None:
    book = Book(beat(0))
    book.set_busy(["celery@a"])
    assert book.status_at(300) is SILENT
    assert book.status_at(BUSY_LIMIT + 1) is LOST


def test_an_inspect_reply_is_evidence_and_can_introduce_a_worker() -> None:
    book = Book()
    book.take_evidence(["celery@a"], T0)
    assert book.status_at(1) is SILENT
    assert book.status_at(EVIDENCE_COUNTS + LOST_AFTER + 101) is LOST


def test_a_goodbye_means_stopped_until_it_speaks_again() -> None:
    book = Book(beat(0), event("worker-offline", 1))
    assert book.status_at(2) is STOPPED
    book.take(beat(0.5))
    assert book.status_at(3) is STOPPED, "a late heartbeat from before the goodbye"
    book.take(event("task-succeeded", 4))
    assert book.status_at(5) is STOPPED, "the last tasks of a warm shutdown"
    book.take(event("worker-online", 6, freq=2.0, active=0))
    assert book.status_at(7) is ONLINE


def test_a_restart_under_the_same_name_begins_a_new_run() -> None:
    book = Book(beat(0), beat(10, pid=8, processed=0))
    worker = book.rows["celery@a"]
    assert (worker.pid, worker.runs, worker.run_started, worker.processed) == (8, 2, T0 + 10, 0)
    book.take(event("task-succeeded", 11, pid=7, lead=-5))
    assert book.rows["celery@a"].pid == 8, "a late word of the former run"
    (ended,) = book.take_ended(before=T0 + 100)
    assert (ended.hostname, ended.alive_pid) == ("celery@a", 8)
    assert book.take_ended(before=T0 + 100) == []


def test_two_live_workers_of_one_name_are_told_apart_from_restarts() -> None:
    book = Book(beat(0), beat(1, pid=8), beat(2), beat(3, pid=8), beat(4))
    assert book.rows["celery@a"].runs == 2
    assert "share the name celery@a" in book.notices_at(5)[0]


def test_a_late_word_of_an_earlier_run_makes_no_twin() -> None:
    book = Book(beat(0, pid=1), beat(10, pid=2), beat(11, pid=1, lead=-5.0))
    assert (book.rows["celery@a"].pid, book.rows["celery@a"].runs) == (2, 2)
    assert book.notices_at(12) == []


def test_a_pid_that_the_system_gives_again_after_many_restarts_makes_no_twin() -> None:
    book = Book(*[beat(10 * number, pid=number % 9 + 1) for number in range(40)])
    assert book.rows["celery@a"].runs == 40
    assert book.notices_at(400) == []


def test_what_comes_late_sets_nothing_back() -> None:
    worker = Book(beat(1, clock=10), beat(5, clock=30), beat(3, clock=20)).rows["celery@a"]
    assert (worker.heard, worker.clock) == (T0 + 5, 30)


def test_a_heartbeat_tells_what_it_carries_and_leaves_the_rest() -> None:
    told = {"loadavg": [0.1, 0.2, 0.3], "sw_ident": "py-celery", "sw_ver": "5.7.0", "sw_sys": "Linux"}
    book = Book(beat(0, active=3, processed=8, **told))
    book.take(beat(2, active=0, processed=None))
    worker = book.rows["celery@a"]
    assert (worker.active, worker.processed) == (0, 8)
    assert {name: getattr(worker, name) for name in told} == told


def test_custom_task_events_of_child_processes_do_not_make_runs() -> None:
    book = Book(*[each for at in (0, 2, 4) for each in (beat(at), event("task-progress", at + 1, pid=99))])
    assert (book.rows["celery@a"].pid, book.rows["celery@a"].runs) == (7, 1)
    assert book.notices_at(6) == []


@pytest.mark.parametrize("end", ["stopped", "lost"])
def test_an_end_is_told_once_and_not_when_the_worker_came_back(end: str) -> None:
    def ended_book() -> Book:
        book = Book(beat(0))
        if end == "stopped":
            book.take(event("worker-offline", 1))
        book.status_at(60)
        return book

    (run,) = ended_book().take_ended(before=T0 + 100)
    assert run.alive_pid == 0
    back = ended_book()
    back.take(event("worker-online", 70))
    assert back.take_ended(before=T0 + 100) == []


def test_while_we_hear_nothing_ourselves_the_answer_is_unknown() -> None:
    book = Book(beat(0))
    assert book.status_at(100, connected_at=None) is UNKNOWN
    assert book.status_at(101, connected_at=100) is UNKNOWN
    book.take(beat(102))
    assert book.status_at(103, connected_at=100) is ONLINE


def test_nobody_is_lost_right_after_a_reconnection() -> None:
    book = Book(beat(0))
    assert book.status_at(300, connected_at=299) is UNKNOWN
    assert book.status_at(299 + LOST_AFTER + 1, connected_at=299) is LOST


def test_lost_workers_leave_after_their_grace_and_the_oldest_beyond_the_limit() -> None:
    book = Book(beat(0))
    book.status_at(100)
    assert book.status_at(699) is LOST
    assert book.status_at(701) is None
    assert book.get_changes() == ([], ["celery@a"])

    crowd = Book(limit=3)
    for number in range(6):
        crowd.take(beat(number, hostname=f"celery@{number}"))
    crowd.judge_all(now=T0 + 100, connected_at=T0 - 1)
    assert sorted(crowd.rows) == ["celery@3", "celery@4", "celery@5"]


def test_a_live_worker_is_never_put_out_of_the_list() -> None:
    crowd = Book(limit=2)
    for number in range(5):
        crowd.take(beat(100, hostname=f"celery@{number}"))
    crowd.judge_all(now=T0 + 101, connected_at=T0 - 1)
    assert len(crowd.rows) == 5


def test_skew_is_the_greatest_lead_of_the_senders_clock() -> None:
    book = Book(beat(0, lead=60 - 0.2), beat(2, lead=60 - 0.01), beat(4, lead=60 - 3))
    assert book.rows["celery@a"].skew == pytest.approx(59.99)


@given(st.lists(st.sampled_from([-3.0, -1.0, 0.0, 0.25, 2.0]), min_size=1, max_size=60))
def test_skew_is_that_of_the_last_sixteen_heartbeats(leads: list[float]) -> None:
    stored = Worker(hostname="celery@a", first_seen=T0, skew=9.0)
    book = WorkerBook([stored], grace=600, limit=9)
    for number, lead in enumerate(leads):
        book.hear(beat(2.0 * number, lead=lead))
        last = leads[max(0, number - 15) : number + 1]
        assert book.rows["celery@a"].skew == max(last), "one of an earlier run is not trusted"


def test_heartbeats_that_stop_while_events_go_on_raise_a_notice() -> None:
    book = Book(beat(0), beat(2), event("task-started", 30))
    book.status_at(31)
    assert "2272" in book.notices_at(31)[0]
    assert book.notices_at(31, connected_at=28) == [], "it could not be heard"
    assert book.notices_at(31, enable_events=False) == []


def test_only_what_changed_is_stored() -> None:
    book = Book(beat(0))
    book.status_at(1)
    assert [worker.hostname for worker in book.get_changes()[0]] == ["celery@a"]
    book.set_stored()
    book.status_at(2)
    assert book.get_changes() == ([], [])


def test_the_rule_needs_nothing_but_its_arguments() -> None:
    worker = Worker(hostname="celery@a", heard=T0, freq=2.0, status=ONLINE)
    assert judge(worker, Evidence(), now=T0 + 1, connected_at=T0) is ONLINE
    assert judge(worker, Evidence(absent=True), now=T0 + 30, connected_at=T0) is LOST


def test_a_worker_lost_for_its_silence_is_asked_about_until_its_absence_is_proved() -> None:
    book = Book(beat(0))
    assert book.status_at(LOST_AFTER + 1) is LOST
    assert book.get_unproven() == ["celery@a"]
    book.take_presence(Presence(known=True, absent=frozenset({"celery@a"})), T0 + LOST_AFTER + 5)
    assert book.get_unproven() == []


def test_a_heartbeat_that_straggles_behind_the_goodbye_does_not_bring_the_worker_back() -> None:
    book = Book(beat(0), event("worker-offline", 2), beat(2.5))
    assert book.status_at(20) is STOPPED
    book.take(event("worker-online", 21), beat(21.1))
    assert book.status_at(22) is ONLINE


def test_heartbeats_long_after_a_goodbye_are_those_of_a_worker_that_lives() -> None:
    assert Book(beat(0), event("worker-offline", 2), beat(6)).status_at(7) is ONLINE


def test_a_worker_is_lost_in_time_after_our_clock_was_set_back() -> None:
    book = Book(beat(3600), beat(3602))
    assert book.status_at(3603) is ONLINE
    assert book.status_at(3) is ONLINE
    book.take(beat(4))
    assert book.rows["celery@a"].heard == T0 + 4
    assert book.status_at(5) is ONLINE
    assert book.status_at(4 + LOST_AFTER + 1, connected_at=0) is LOST


def test_what_was_judged_before_our_clock_was_set_back_ends_in_time() -> None:
    stopped = Book(beat(3600), event("worker-offline", 3601))
    silent = Book(event("task-received", 3600))
    silent.take_evidence(["celery@a"], T0 + 3700)
    for book in (stopped, silent):
        book.status_at(3705)
        book.status_at(0)
        assert [run.ended for run in book.take_ended(before=T0 + 1)] == ([T0] if book is stopped else [])
    assert silent.status_at(EVIDENCE_COUNTS - 1, connected_at=0) is ONLINE
    assert silent.status_at(max(LOST_AFTER, EVIDENCE_COUNTS) + 1, connected_at=0) is LOST
    assert stopped.status_at(599) is STOPPED
    assert stopped.status_at(601) is None, "its grace period is over"


def test_a_book_that_was_stored_ahead_of_now_is_believed_as_of_now() -> None:
    stored = Worker(hostname="celery@a", pid=7, heard=T0 + 3600, heartbeats=[T0 + 3600], freq=2.0, unheard=2)
    stored.unheard_since, stored.lost_at = T0 + 3000, T0 + 3610
    book = Book()
    book.rows["celery@a"] = stored
    book.status_at(0)
    times = (stored.heard, stored.heartbeats, stored.unheard_since, stored.lost_at)
    assert times == (T0, [T0], T0, T0)
    assert [worker.hostname for worker in book.get_changes()[0]] == ["celery@a"]
