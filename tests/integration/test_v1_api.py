"""The v1 API over a real history: answers, paging, problems, and the document that describes it."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from openapi_spec_validator import validate
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.integration.told_history import W1, W2, ToldHistory, told_history
from tests.integration.web_server import WebServer, make_deps, serving
from umbel.store.base import Gap

BASE = 1_700_000_000.0


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ToldHistory]:
    with told_history(tmp_path_factory.mktemp("history")) as told:
        told.tell_worker(W1)
        told.tell_worker(W2)
        for number in range(5):
            told.tell_task(f"a{number}", at=BASE + 60 * number, name="shop.alpha")
        told.tell_task("b0", at=BASE + 400, name="shop.beta", end="failed", hostname=W2, parent_id="a0")
        told.tell_task("c0", at=BASE + 500, name="shop.beta", end="received", hostname=W2)
        told.tell_status()
        yield told


@pytest.fixture(scope="module")
def web(history: ToldHistory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    with serving(make_deps(history.reader, tmp_path_factory.mktemp("ui"))) as server:
        yield server


def test_pages_follow_each_other_by_cursor_without_loss_or_repeat(web: WebServer) -> None:
    seen: list[str] = []
    cursor = ""
    while True:
        page = web.get(f"/api/v1/tasks?sort=name&limit=2{cursor}").json()
        seen += [task["uuid"] for task in page["items"]]
        assert page["total"] == {"value": 7, "exact": True}
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == ["a0", "a1", "a2", "a3", "a4", "b0", "c0"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("state=success&state=FAILURE&sort=received", ["a0", "a1", "a2", "a3", "a4", "b0"]),
        ("name=SHOP.beta", ["c0", "b0"]),
        ("worker=w2@test&sort=-name", ["c0", "b0"]),
        ("parent_id=a0", ["b0"]),
        ("root_id=a1", ["a1"]),
        (f"received_from={BASE + 230}&received_to=2023-11-14T22:20:01", ["b0", "a4"]),
        ("received_from=2023-11-14T23:20:30%2B01:00", ["c0", "b0"][:1]),
        ("search=state:RECEIVED", ["c0"]),
        ("limit=1", ["c0"]),
    ],
)
def test_filters_select_tasks(web: WebServer, query: str, expected: list[str]) -> None:
    assert [task["uuid"] for task in web.get(f"/api/v1/tasks?{query}").json()["items"]] == expected


@pytest.mark.parametrize(
    ("path", "parameter", "allowed"),
    [
        ("tasks?foo=1", "foo", "search, state, name"),
        ("tasks?limit=0", "limit", "1 to 1000"),
        ("tasks?limit=many", "limit", "1 to 1000"),
        ("tasks?limit=1&limit=2", "limit", "more than once"),
        ("tasks?sort=colour", "sort", "-received"),
        ("tasks?received_from=yesterday", "received_from", "ISO 8601"),
        ("tasks?received_from=nan", "received_from", "ISO 8601"),
        ("tasks?search=ab", "search", "at least 3 characters at position 0"),
        ("tasks?cursor=made-up", "cursor", ""),
        ("rollups?span=61", "span", "60, 3600, 86400"),
        ("rollups?kind=queue", "kind", "task, worker"),
        ("rollups?kind=all&label=shop.pay", "label", "no label"),
        ("rollups?start=0&end=9999999999", "start", "10000"),
        ("queue-rollups?start=0&end=9999999999", "start", "10000 buckets of 5 queues"),
        ("queue-rollups?span=61", "span", "60, 3600, 86400"),
        ("queue-rollups?largest=51", "largest", "50"),
        ("workers?x=1", "x", "none"),
        ("facets?x=", "x", "name, worker"),
    ],
)
def test_a_bad_parameter_is_a_problem_that_names_it_and_what_is_allowed(
    web: WebServer, path: str, parameter: str, allowed: str
) -> None:
    answer = web.get(f"/api/v1/{path}")
    assert answer.status == 400
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["parameter"] == parameter
    assert allowed in problem["detail"]


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("tasks/nope", "Unknown task 'nope'"),
        ("workers/nope@test", "Unknown worker 'nope@test'"),
        ("nowhere", "There is no such resource."),
    ],
)
def test_what_does_not_exist_is_a_404_problem(web: WebServer, path: str, detail: str) -> None:
    answer = web.get(f"/api/v1/{path}")
    assert (answer.status, answer.json()["detail"]) == (404, detail)
    assert answer.headers["content-type"] == "application/problem+json"


def test_other_methods_are_a_405_problem(web: WebServer) -> None:
    answer = web.send("POST", "/api/v1/facets")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, OPTIONS")
    assert answer.json()["status"] == 405


def test_a_task_carries_its_attempts_and_children(web: WebServer) -> None:
    task = web.get("/api/v1/tasks/b0").json()
    (attempt,) = task["timeline"]
    assert (attempt["state"], attempt["exception"], attempt["worker"]) == ("FAILURE", "ValueError('no')", W2)
    assert [mark["type"] for mark in attempt["marks"]] == ["received", "started", "failed"]
    assert [mark["type"] for mark in task["sent_marks"]] == ["sent"]
    assert web.get("/api/v1/tasks/a0").json()["children"] == ["b0"]


def test_workers_come_with_their_counters_and_totals(web: WebServer) -> None:
    listing = web.get("/api/v1/workers").json()
    rows = {row["hostname"]: row for row in listing["items"]}
    assert (rows[W1]["processed"], rows[W1]["succeeded"], rows[W2]["failed"]) == (5, 5, 1)
    assert (rows[W1]["status"], rows[W1]["active"]) == ("online", 0)
    assert (listing["totals"]["online"], listing["totals"]["processed"]) == (2, 7)
    assert web.get(f"/api/v1/workers/{W1}").json() == rows[W1]


def test_each_facet_equals_its_filtered_list(web: WebServer) -> None:
    facets = web.get("/api/v1/facets").json()
    assert facets["total"] == 7
    assert facets["states"][0] == {"value": "SUCCESS", "count": 5}
    for field, parameter in (("states", "state"), ("names", "name"), ("workers", "worker")):
        for facet in facets[field]:
            total = web.get(f"/api/v1/tasks?{parameter}={facet['value']}").json()["total"]
            assert total == {"value": facet["count"], "exact": True}


def test_facets_of_one_name_or_worker_equal_its_lists(web: WebServer) -> None:
    every = web.get("/api/v1/facets").json()
    narrowings = [f"name={facet['value']}" for facet in every["names"]]
    narrowings += [f"worker={facet['value'].upper()}" for facet in every["workers"]]
    narrowings += [
        f"name={every['names'][0]['value']}&worker={every['workers'][0]['value']}",
        "name=nope",
        "worker=",
    ]
    for narrowing in narrowings:
        facets = web.get(f"/api/v1/facets?{narrowing}").json()
        total = web.get(f"/api/v1/tasks?{narrowing}").json()["total"]
        assert total == {"value": facets["total"], "exact": True}, narrowing
        for state in every["states"]:
            count = {facet["value"]: facet["count"] for facet in facets["states"]}.get(state["value"], 0)
            total = web.get(f"/api/v1/tasks?{narrowing}&state={state['value']}").json()["total"]
            assert total == {"value": count, "exact": True}, f"{narrowing} {state}"


def test_rollups_count_by_bucket(web: WebServer) -> None:
    query = f"kind=task&label=shop.alpha&span=3600&start={BASE - 3600}&end={BASE + 3600}"
    rollups = web.get(f"/api/v1/rollups?{query}").json()
    assert rollups["span"] == 3600
    assert sum(item["succeeded"] for item in rollups["items"]) == 5
    assert rollups["items"][0]["runtime_p50"] == pytest.approx(0.25, rel=0.02)


def test_buckets_of_all_tasks_are_the_sums_of_the_buckets_of_each(web: WebServer) -> None:
    query = f"span=3600&start={BASE - 3600}&end={BASE + 3600}"
    each = web.get(f"/api/v1/rollups?kind=task&{query}").json()["items"]
    every = web.get(f"/api/v1/rollups?kind=all&{query}").json()["items"]
    assert len({item["label"] for item in each}) > 1
    assert [item["start"] for item in every] == sorted({item["start"] for item in each})
    for item in every:
        parts = [part for part in each if part["start"] == item["start"]]
        for name in ("received", "succeeded", "failed", "runtime_count"):
            assert item[name] == sum(part[name] for part in parts), name
        known = [part["runtime_p50"] for part in parts if part["runtime_p50"] is not None]
        assert item["label"] == "" and min(known) <= item["runtime_p50"] <= max(known)


def test_the_status_says_whether_it_is_true(web: WebServer, history: ToldHistory) -> None:
    history.tell_status()
    status = web.get("/api/v1/status").json()
    assert (status["ready"], status["state"], status["stored_tasks"]) == (True, "connected", 7)
    history.tell_status(state="blind", proof_at=1.0, notices=["Turn it on again."])
    status = web.get("/api/v1/status").json()
    assert (status["ready"], status["state"]) == (False, "blind")
    assert {"level": "warning", "text": "Turn it on again."} in status["notices"]


def test_settings_tell_a_client_what_it_needs(web: WebServer) -> None:
    settings = web.get("/api/v1/settings").json()
    assert settings["url_prefix"] == ""
    assert settings["broker"] == "redis://:**@localhost:6379/0"
    assert settings["identity"] is None
    assert settings["tasks_columns"][:2] == ["name", "uuid"]
    assert (settings["read_only"], settings["can_abort"]) == (False, False)


def test_gaps_are_listed_newest_first(web: WebServer, history: ToldHistory) -> None:
    first = history.writer.open_gap(Gap(start=1.0, cause="monitor-down"))
    history.writer.close_gap(first, 5.0)
    history.writer.open_gap(Gap(start=9.0, cause="broker-lost"))
    gaps = web.get("/api/v1/gaps?limit=1").json()["items"]
    assert [(gap["cause"], gap["end"]) for gap in gaps] == [("broker-lost", None)]
    assert web.get("/api/v1/status").json()["open_gap"] is True


def test_the_document_is_valid_openapi(web: WebServer) -> None:
    document = web.get("/api/v1/openapi.json").json()
    validate(document)
    assert document["openapi"].startswith("3.1")


@pytest.mark.timeout(120)
def test_no_generated_request_breaks_the_api(web: WebServer) -> None:
    document: dict[str, Any] = web.get("/api/v1/openapi.json").json()
    del document["paths"]["/api/v1/stream"]
    schema = schemathesis.openapi.from_dict(document)
    for operation in schema.get_all_operations():
        assert isinstance(operation, Ok)
        run_operation(operation.ok(), web.url)


def run_operation(operation: Any, url: str) -> None:
    """Ask what hypothesis makes up for one operation, and hold the answers against the document."""

    @settings(
        max_examples=10, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate]
    )
    @given(case=operation.as_strategy())
    def ask(case: Any) -> None:
        # a cursor, a moment and a search are texts with a meaning: not every text is a right one
        case.call_and_validate(base_url=url, excluded_checks=[positive_data_acceptance])

    ask()
