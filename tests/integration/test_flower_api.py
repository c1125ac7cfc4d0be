"""Flower's read endpoints over a real history: bytes, order, errors, as Flower 2.2 gives them."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.told_history import W1, W2, ToldHistory, told_history
from tests.integration.web_server import WebServer, make_deps, serving
from umbel.web import flower_tasks

KEYS = [
    "uuid", "name", "state", "received", "sent", "started", "rejected", "succeeded", "failed", "retried",
    "revoked", "args", "kwargs", "eta", "expires", "retries", "worker", "result", "exception", "timestamp",
    "runtime", "traceback", "exchange", "routing_key", "clock", "client", "root", "root_id", "parent",
    "parent_id", "children",
]  # fmt: skip
OPEN = {"FLOWER_UNAUTHENTICATED_API": "true"}
BASE = 1_700_000_000.0


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ToldHistory]:
    with told_history(tmp_path_factory.mktemp("history")) as told:
        told.tell_worker(W1)
        told.tell_worker(W2)
        told.tell_task("a1", at=BASE, name="shop.alpha", kwargs="{'note': 'x </script> é'}")
        told.tell_task("b2", at=BASE + 60, name="shop.beta", end="failed", hostname=W2)
        told.tell_task("c3", at=BASE + 120, name="shop.alpha", end="received", parent_id="a1")
        told.tell("task-sent", "d4/x", hostname="gen9@test", timestamp=BASE + 180, name="Shop.sent")
        yield told


@pytest.fixture(scope="module")
def web(history: ToldHistory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    deps = make_deps(history.reader, tmp_path_factory.mktemp("ui"), environ=OPEN)
    with serving(deps) as server:
        yield server


def test_tasks_come_newest_first_with_all_keys_and_the_worker_last(web: WebServer) -> None:
    answer = web.get("/api/tasks")
    tasks = json.loads(answer.text, object_pairs_hook=list)
    assert [uuid for uuid, _ in tasks] == ["d4/x", "c3", "b2", "a1"]
    a1 = dict(tasks)["a1"]
    assert [key for key, _ in a1] == [key for key in KEYS if key != "worker"] + ["worker"]
    assert dict(a1)["children"] == ["c3"]
    assert dict(a1)["timestamp"] == BASE + 0.75
    assert "worker" not in dict(dict(tasks)["d4/x"])
    assert answer.headers["content-type"] == "application/json; charset=UTF-8"


def test_the_json_is_the_text_that_pythons_json_module_makes(web: WebServer) -> None:
    text = web.get("/api/task/info/a1").text
    assert '"name": "shop.alpha", "state": "SUCCESS"' in text
    assert "<\\/script> \\u00e9" in text


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("limit=2", ["d4/x", "c3"]),
        ("limit=2&offset=1", ["c3", "b2"]),
        ("limit=1&limit=3", ["d4/x", "c3", "b2"]),
        ("offset=-5&limit=1", ["d4/x"]),
        ("limit=0", []),
        ("limit=-1", []),
        ("sort_by=name", ["a1", "c3", "b2", "d4/x"]),
        ("sort_by=-name", ["d4/x", "b2", "c3", "a1"]),
        ("sort_by=started", ["c3", "d4/x", "a1", "b2"]),
        ("sort_by=-received", ["c3", "b2", "a1", "d4/x"]),
        ("state=failure", ["b2"]),
        ("state=All", ["d4/x", "c3", "b2", "a1"]),
        ("state=all", []),
        ("taskname=SHOP.ALPHA", ["c3", "a1"]),
        ("taskname=shop", []),
        ("workername=w2@test", ["b2"]),
        ("search=name:alpha%20state:SUCCESS", ["a1"]),
        ("search=%22x%20%3C/script%3E%22", ["a1"]),
    ],
)
def test_parameters_of_tasks_select_and_order_as_in_flower(
    web: WebServer, query: str, expected: list[str]
) -> None:
    assert list(web.get(f"/api/tasks?{query}").json()) == expected


def test_received_bounds_are_minutes_in_the_servers_own_zone_and_let_unreceived_tasks_pass(
    web: WebServer,
) -> None:
    minute = time.strftime("%Y-%m-%d%%20%H:%M", time.localtime(BASE + 60))
    assert list(web.get(f"/api/tasks?received_start={minute}").json()) == ["d4/x", "c3", "b2"]
    assert list(web.get(f"/api/tasks?received_end={minute}").json()) == ["d4/x", "a1"]


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("limit=x", "Invalid argument 'x' of type 'int'"),
        ("limit=", "Invalid argument '' of type 'int'"),
        ("offset=1.5", "Invalid argument '1.5' of type 'int'"),
        ("sort_by=runtime", "Invalid sort_by 'runtime', expected one of name, received, started, state"),
        ("received_end=x", "Invalid received_start or received_end, expected format 'YYYY-MM-DD HH:MM'"),
    ],
)
def test_a_bad_parameter_of_tasks_is_named_in_plain_text(web: WebServer, query: str, body: str) -> None:
    answer = web.get(f"/api/tasks?{query}")
    assert (answer.status, answer.text) == (400, body)
    assert answer.headers["content-type"] == "text/plain; charset=UTF-8"


def test_a_bad_search_is_json(web: WebServer) -> None:
    answer = web.get("/api/tasks?search=ab")
    assert answer.status == 400
    assert (
        answer.text == '{"error": "Substring search terms must contain at least 3 characters at position 0."}'
    )


def test_info_keeps_the_worker_in_its_place_and_null_when_unknown(web: WebServer) -> None:
    assert list(web.get("/api/task/info/a1").json()) == KEYS
    assert web.get("/api/task/info/d4%2Fx").json()["worker"] is None
    answer = web.get("/api/task/info/nope")
    assert (answer.status, answer.text) == (404, "Unknown task 'nope'")


def test_types_are_the_sorted_names_ever_seen(web: WebServer) -> None:
    assert web.get("/api/task/types").text == '{"task-types": ["Shop.sent", "shop.alpha", "shop.beta"]}'


def test_an_unchanged_answer_is_304(web: WebServer) -> None:
    tag = web.get("/api/task/types").headers["etag"]
    answer = web.get("/api/task/types", headers={"If-None-Match": f'W/"x", {tag}'})
    assert (answer.status, answer.body) == (304, b"")


TABLE = "draw=3&start={start}&length={length}&order[0][column]=1&order[0][dir]={direction}&columns[1][data]={column}"


@pytest.mark.parametrize(
    ("start", "length", "direction", "column", "expected"),
    [
        (0, 10, "asc", "runtime", ["b2", "c3", "d4/x", "a1"]),
        (0, 10, "desc", "received", ["c3", "b2", "a1", "d4/x"]),
        (1, 2, "asc", "name", ["c3", "b2"]),
        (-3, 1, "asc", "name", ["a1"]),
        (0, -1, "asc", "name", []),
        (0, 10, "desc", "bogus", ["d4/x", "c3", "b2", "a1"]),
        (0, 10, "asc", "", ["d4/x", "c3", "b2", "a1"]),
    ],
)
def test_the_table_pages_and_sorts_by_any_column(
    web: WebServer, start: int, length: int, direction: str, column: str, expected: list[str]
) -> None:
    query = TABLE.format(start=start, length=length, direction=direction, column=column)
    body = web.get(f"/tasks/datatable?{query}").json()
    assert [task["uuid"] for task in body["data"]] == expected
    assert {key: body[key] for key in ("draw", "recordsTotal", "recordsFiltered")} == {
        "draw": 3, "recordsTotal": 4, "recordsFiltered": 4,
    }  # fmt: skip


def test_the_table_takes_forms_and_lets_their_values_win(web: WebServer) -> None:
    form = TABLE.format(start=0, length=5, direction="asc", column="name") + "&search[value]=name:beta"
    answer = web.post_form("/tasks/datatable?draw=9&search[value]=nothing", form)
    assert (answer.json()["draw"], answer.json()["recordsFiltered"]) == (3, 1)
    assert list(answer.json()["data"][0]) == KEYS


def test_the_table_reads_multipart_forms(web: WebServer) -> None:
    fields = TABLE.format(start=0, length=5, direction="asc", column="name").split("&")
    parts = [
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, _, value in (field.partition("=") for field in fields)
    ]
    headers = {"content-type": "multipart/form-data; boundary=b"}
    answer = web.send("POST", "/tasks/datatable", body="".join(parts) + "--b--\r\n", headers=headers)
    assert answer.json()["recordsTotal"] == 4


def test_the_table_says_when_it_stopped_counting(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    query = TABLE.format(start=1, length=2, direction="asc", column="name") + "&search[value]=test"
    exact = web.get(f"/tasks/datatable?{query}").json()
    assert exact["recordsFiltered"] == 3
    assert "recordsFilteredIsFloor" not in exact
    monkeypatch.setattr(flower_tasks, "COUNT_LIMIT", 1)
    floor = web.get(f"/tasks/datatable?{query}").json()
    # one was counted, and the page shows the third
    assert (floor["recordsFiltered"], floor["recordsFilteredIsFloor"]) == (3, True)
    assert floor["recordsTotal"] == exact["recordsTotal"]


@pytest.mark.parametrize(
    ("start", "length", "expected"),
    [(0, 9, 3), (0, 3, 3), (2, 9, 3), (3, 9, 3), (9, 9, 3), (-5, 9, 3), (0, -1, 3)],
)
def test_the_table_counts_right_wherever_a_page_ends(
    web: WebServer, start: int, length: int, expected: int
) -> None:
    query = TABLE.format(start=start, length=length, direction="asc", column="name") + "&search[value]=test"
    body = web.get(f"/tasks/datatable?{query}").json()
    assert (body["recordsFiltered"], "recordsFilteredIsFloor" in body) == (expected, False)


def test_a_search_error_of_the_table_is_part_of_its_answer(web: WebServer) -> None:
    query = TABLE.format(start=0, length=5, direction="asc", column="name")
    body = web.get(f"/tasks/datatable?{query}&search[value]=ab").json()
    assert body == {
        "draw": 3, "data": [], "recordsTotal": 4, "recordsFiltered": 0,
        "searchError": "Substring search terms must contain at least 3 characters at position 0.",
    }  # fmt: skip


def test_the_table_says_what_is_missing(web: WebServer) -> None:
    answer = web.get("/tasks/datatable?draw=1&start=0")
    assert (answer.status, answer.text) == (400, "Missing argument length")
    assert answer.headers["content-type"] == "text/plain"


def test_format_task_changes_the_table_and_nothing_else(history: ToldHistory, tmp_path: Path) -> None:
    def shorten(task: Any) -> Any:
        if task.name == "shop.beta":
            raise KeyError("the user's mistake")
        task.args = "…"
        return task

    deps = make_deps(history.reader, tmp_path, environ=OPEN, format_task=shorten)
    with serving(deps) as server:
        rows = server.get(
            "/tasks/datatable?" + TABLE.format(start=0, length=9, direction="asc", column="name")
        )
        args = {row["uuid"]: row["args"] for row in rows.json()["data"]}
        assert args == {"a1": "…", "b2": "(1,)", "c3": "…", "d4/x": "…"}
        assert server.get("/api/task/info/a1").json()["args"] == "(1,)"


def test_the_workers_json_counts_events_and_tells_liveness(web: WebServer) -> None:
    rows = {row["hostname"]: row for row in web.get("/workers?json=1").json()["data"]}
    assert list(rows) == [W1, W2]
    assert rows[W1]["task-received"] == 2
    assert rows[W1]["worker-heartbeat"] == 1
    assert "task-failed" not in rows[W1]
    assert rows[W2]["task-failed"] == 1
    assert rows[W1]["status"] is True
    assert list(rows[W1])[-12:] == [
        "hostname", "pid", "freq", "heartbeats", "clock", "active", "processed", "loadavg", "sw_ident",
        "sw_ver", "sw_sys", "status",
    ]  # fmt: skip


def test_the_status_of_workers_is_their_liveness(web: WebServer) -> None:
    assert web.get("/api/workers?status=1").json() == {W1: True, W2: True}
    assert web.get("/api/workers").text == "{}"
    answer = web.get("/api/workers?workername=nope")
    assert (answer.status, answer.text) == (404, "Unknown worker 'nope'")
    answer = web.get("/api/workers?refresh=maybe")
    assert (answer.status, answer.text) == (400, "Invalid argument 'maybe' of type 'bool'")


def test_queue_lengths_of_a_broker_that_cannot_tell_are_404(web: WebServer) -> None:
    answer = web.get("/api/queues/length")
    assert (answer.status, answer.text) == (404, "'memory' broker is not supported")


def test_results_without_a_backend_are_503_without_a_body(web: WebServer) -> None:
    answer = web.get("/api/task/result/a1")
    assert (answer.status, answer.text) == (503, "")


def test_a_large_history_is_streamed_whole(tmp_path: Path) -> None:
    with told_history(tmp_path) as told:
        for number in range(7):
            told.tell_task(f"t{number}", at=BASE + number)
        deps = make_deps(told.reader, tmp_path, environ=OPEN)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("umbel.web.flower_tasks.CHUNK", 2)
            patch.setattr("umbel.web.flower_tasks.WHOLE", 4)
            with serving(deps) as server:
                answer = server.get("/api/tasks")
                assert list(answer.json()) == [f"t{number}" for number in reversed(range(7))]
                assert answer.headers["transfer-encoding"] == "chunked"
                assert "etag" not in answer.headers
                found = server.get("/api/tasks?search=shop&sort_by=received&limit=6")
                assert list(found.json()) == [f"t{number}" for number in range(6)]
                assert "etag" not in found.headers
                for bounded in ("limit=4", "limit=3&offset=3", "state=FAILURE", "limit=0"):
                    assert "etag" in server.get(f"/api/tasks?{bounded}").headers, bounded
                assert list(server.get("/api/tasks?offset=3").json()) == ["t3", "t2", "t1", "t0"]
                table = "/tasks/datatable?draw=1&start=1&length=5&order[0][column]=0&order[0][dir]=asc"
                table += "&columns[0][data]=received&search[value]="
                rows = server.get(table).json()
                assert [row["uuid"] for row in rows["data"]] == ["t1", "t2", "t3", "t4", "t5"]
                assert (rows["recordsTotal"], rows["recordsFiltered"]) == (7, 7)
                assert list(server.get("/api/tasks?limit=5&offset=1").json()) == [
                    "t5",
                    "t4",
                    "t3",
                    "t2",
                    "t1",
                ]
