"""The live stream over a real history: snapshot, deltas, resuming, slow clients, shutdown."""

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.told_history import W1, ToldHistory, told_history
from tests.integration.web_server import WebServer, make_deps, serving
from tests.servers import wait_for
from umbel.store.base import Changes
from umbel.web.live_state import LiveState
from umbel.web.schema import Snapshot

BASE = 1_700_000_000.0


@pytest.fixture
def history(tmp_path: Path) -> Iterator[ToldHistory]:
    with told_history(tmp_path) as told:
        told.tell_worker(W1)
        told.tell_task("t1", at=BASE)
        yield told


@pytest.fixture
def web(history: ToldHistory, tmp_path: Path) -> Iterator[WebServer]:
    with serving(make_deps(history.reader, tmp_path)) as server:
        yield server


class Events:
    """One client's stream."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.response = response

    def next(self) -> tuple[int, str, dict[str, Any]]:
        """(id, event, data) of the next event; comments are skipped."""
        fields: dict[str, str] = {}
        while True:
            line = self.response.readline().decode().rstrip("\n")
            if line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                fields[name] = value
            elif not line and fields:
                return int(fields["id"]), fields["event"], json.loads(fields["data"])

    def until(self, wanted: Any) -> tuple[int, dict[str, Any]]:
        """The first delta for which `wanted(data)` holds."""
        while True:
            id_, event, data = self.next()
            if event == "delta" and wanted(data):
                return id_, data


@contextmanager
def listening(web: WebServer, last_id: int | None = None) -> Iterator[Events]:
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=10)
    try:
        headers = {} if last_id is None else {"Last-Event-ID": str(last_id)}
        connection.request("GET", "/api/v1/stream", headers=headers)
        response = connection.getresponse()
        assert response.status == 200
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        yield Events(response)
    finally:
        connection.close()


def test_a_new_client_gets_everything_first(web: WebServer, history: ToldHistory) -> None:
    with listening(web) as events:
        id_, event, snapshot = events.next()
    assert (event, id_) == ("snapshot", history.reader.fetch_feed_head())
    assert [row["hostname"] for row in snapshot["workers"]["items"]] == [W1]
    assert snapshot["facets"] == [{"value": "SUCCESS", "count": 1}]
    assert snapshot["status"]["stored_tasks"] == 1


def test_a_change_reaches_every_client_as_one_delta(web: WebServer, history: ToldHistory) -> None:
    with listening(web) as one, listening(web) as other:
        one.next(), other.next()
        history.tell_task("t2", at=BASE, end="failed")
        for events in (one, other):
            id_, delta = events.until(lambda data: data["facets"] and len(data["facets"]) == 2)
            assert id_ == delta["feed"] == history.reader.fetch_feed_head()
            assert delta["tasks"] == ["t2"]
            assert delta["workers"][0]["failed"] == 1
            assert delta["totals"]["failed"] == 1


def test_a_returning_client_gets_what_it_missed(web: WebServer, history: ToldHistory) -> None:
    with listening(web) as events:
        last, _, _ = events.next()
    history.tell_task("t3", at=BASE)
    with listening(web, last) as events:
        id_, event, delta = events.next()
    assert (id_, event, delta["tasks"]) == (history.reader.fetch_feed_head(), "delta", ["t3"])
    assert delta["workers"][0]["processed"] == 2


def test_clients_are_no_workers_that_left(web: WebServer, history: ToldHistory) -> None:
    last = history.reader.fetch_feed_head()
    history.tell("task-sent", "t4", hostname="gen9@test", timestamp=BASE, name="shop.order")
    history.writer.write(Changes(workers_removed=["gone@test"]))
    with listening(web, last) as events:
        _, _, delta = events.next()
    assert delta["workers_removed"] == ["gone@test"]


def test_signs_of_life_alone_are_told_less_often(web: WebServer, history: ToldHistory) -> None:
    with listening(web) as events:
        _, _, snapshot = events.next()
        (before,) = snapshot["workers"]["items"]
        clock = before["clock"]
        for _ in range(3):
            clock += 1
            history.tell("worker-heartbeat", freq=2.0, active=0, processed=0, clock=clock, loadavg=[1, 1, 1])
            history.tell_task(f"t{clock}", at=BASE, hostname="w9@test")
            _, delta = events.until(lambda data: data["tasks"])
            assert W1 not in [row["hostname"] for row in delta["workers"]]
        history.tell("worker-heartbeat", freq=2.0, active=2, processed=0, clock=clock + 1)
        _, delta = events.until(lambda data: any(row["hostname"] == W1 for row in data["workers"]))
        (row,) = [row for row in delta["workers"] if row["hostname"] == W1]
        assert (row["active"], row["clock"]) == (2, clock + 1)


def test_many_clients_share_what_is_made(
    web: WebServer, history: ToldHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    fetch = LiveState.fetch_snapshot

    def count(state: LiveState) -> Snapshot:
        made.append(state)
        return fetch(state)

    monkeypatch.setattr(LiveState, "fetch_snapshot", count)
    with ExitStack() as stack:
        clients = [stack.enter_context(listening(web)) for _ in range(30)]
        snapshots = [events.next() for events in clients]
        assert len({id_ for id_, _, _ in snapshots}) == 1
        history.tell_task("t5", at=BASE)
        for events in clients:
            events.until(lambda data: data["tasks"] and "t5" in data["tasks"])
    # one for the state that deltas begin from; the machine decides how often the second that shares them passed
    assert len(made) < 10


def test_the_plain_installation_serves_the_same(history: ToldHistory, tmp_path: Path) -> None:
    deps = make_deps(history.reader, tmp_path, environ={"FLOWER_UNAUTHENTICATED_API": "true"})
    with serving(deps, http="h11") as server:
        assert server.get("/api/task/types").json() == {"task-types": ["shop.order"]}
        with listening(server) as events:
            assert events.next()[1] == "snapshot"


@pytest.mark.parametrize("last", [10_000_000, 0])
def test_a_client_from_another_time_gets_a_snapshot(web: WebServer, history: ToldHistory, last: int) -> None:
    with listening(web, last) as events:
        _, event, data = events.next()
    # everything since the beginning is still in this feed
    assert event == ("delta" if last == 0 else "snapshot")
    assert "workers" in data


def test_many_changes_are_told_as_many(web: WebServer, history: ToldHistory) -> None:
    with listening(web) as events:
        events.next()
        for number in range(201):
            history.tell("task-received", f"m{number}", timestamp=BASE, name="shop.many")
        _, delta = events.until(lambda data: data["facets"] and data["facets"][0]["value"] == "RECEIVED")
        assert delta["tasks"] is None or len(delta["tasks"]) <= 200


def test_the_status_is_told_without_any_event(web: WebServer, history: ToldHistory) -> None:
    with listening(web) as events:
        events.next()
        history.tell_status(state="blind", error="no probe")
        _, delta = events.until(lambda data: data["status"] and data["status"]["state"] == "blind")
        assert delta["tasks"] == []
        assert delta["status"]["error"] == "no probe"


def test_a_server_that_is_told_to_stop_ends_its_streams_at_once(history: ToldHistory, tmp_path: Path) -> None:
    with serving(make_deps(history.reader, tmp_path)) as server, listening(server) as events:
        events.next()
        began = time.monotonic()
        server.server.should_exit = True
        assert events.response.read().count(b"event: snapshot") == 0
        wait_for(lambda: not server.server.started or not server.server.servers[0].is_serving(), 5.0)
        assert time.monotonic() - began < 3.0
