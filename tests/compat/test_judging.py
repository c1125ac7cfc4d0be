"""The comparison itself: it sees what it must see and lets pass what cannot be equal."""

import json

import pytest

from tests.compat.allowances import Allowance, read_allowances, walk_globs
from tests.compat.cases import Case, list_cases
from tests.compat.client import Answer
from tests.compat.cluster import VARIANTS
from tests.compat.commands import list_commands
from tests.compat.compare import Difference, compare
from tests.compat.heartbeats import count_heartbeats
from tests.compat.report import DOCUMENT, make_document
from tests.compat.verdict import judge

CASES = [*list_cases(), *list_commands()]
TASKS = Case("/api/tasks", "none", "/api/tasks")
JSON = {"content-type": "application/json; charset=UTF-8", "etag": '"1"'}


def answer(body: object, status: int = 200, **headers: str) -> Answer:
    text = body if isinstance(body, str) else json.dumps(body)
    return Answer(
        status, {**JSON, **{name.replace("_", "-"): value for name, value in headers.items()}}, text.encode()
    )


def fields(ours: Answer, theirs: Answer, case: Case = TASKS) -> list[str]:
    return [difference.field for difference in compare(case, ours, theirs)]


def test_equal_answers_are_alike_whatever_the_entity_tag() -> None:
    assert fields(answer({"a": 1}), answer({"a": 1}, etag='"2"', date="now")) == []


def test_a_missing_entity_tag_is_seen() -> None:
    bare = Answer(200, {"content-type": JSON["content-type"]}, b"{}")
    assert fields(answer({}), bare) == ["header/etag"]


def test_status_header_value_and_type_are_seen() -> None:
    ours, theirs = answer({"n": 1, "t": "a"}), answer({"n": 1.0, "t": "b"}, status=201, x_powered_by="tea")
    assert fields(ours, theirs) == ["status", "header/x-powered-by", "body/n", "body/t"]


def test_the_order_of_tasks_is_seen_once() -> None:
    ours, theirs = answer({"a": {"x": 1}, "b": {"x": 2}}), answer({"b": {"x": 2}, "a": {"x": 1}})
    assert fields(ours, theirs) == ["body#order"]


def test_event_times_may_differ_by_a_millisecond_only() -> None:
    assert fields(answer({"received": 10.0}), answer({"received": 10.0009})) == []
    assert fields(answer({"received": 10.0}), answer({"received": 10.002})) == ["body/received"]


def test_heartbeats_are_compared_by_number_and_by_second() -> None:
    rows = [
        answer({"data": [{"heartbeats": times}]}) for times in ([1.0, 3.0], [1.4, 3.4], [1.0], [1.0, 5.0])
    ]
    assert fields(rows[0], rows[1]) == []
    assert fields(rows[0], rows[2]) == ["body/data/0/heartbeats"]
    assert fields(rows[0], rows[3]) == ["body/data/0/heartbeats"]


def test_pages_may_look_different_but_must_be_pages_and_say_the_same() -> None:
    case = Case("pages", "x", "/task/x", text="Unknown task")
    page = answer("<!doctype html><html>Unknown task")
    assert fields(page, answer("<html><b>Unknown task</b>"), case) == []
    assert fields(page, answer("Unknown task"), case) == ["body"]
    assert fields(page, answer("<html>"), case) == ["body/text"]


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('b_total{w="1"} 2.0', 'b_total{w="1"} 3.0', "value/b_total{w=1}"),
        ('b_total{w="1"} 2.0', 'b_total{w="2"} 2.0', "series/b_total{w=1}"),
        ("# TYPE b counter", "# TYPE b gauge", "type/b"),
        ("# HELP b Things", "# HELP b Thongs", "help/b"),
    ],
)
def test_metrics_are_compared_by_family_type_label_and_value(old: str, new: str, field: str) -> None:
    own = "# HELP process_x X\n# TYPE process_x gauge\nprocess_x 7.0\n"
    text = '# HELP b Things\n# TYPE b counter\nb_total{w="1"} 2.0\n' + own
    changed = text.replace(old, new).replace("process_x 7.0", "process_x 9.0")
    assert field in fields(answer(text), answer(changed))
    assert fields(answer(text), answer(text.replace("process_x 7.0", "process_x 9.0"))) == []


def test_in_globs_of_the_allow_list_only_the_star_is_special() -> None:
    allowance = Allowance("x", ("GET /a?b=[1]*",), ("body/*",), "", "", "")
    case = Case("/a", "b", "/a?b=[1]2")
    assert allowance.covers(case, Difference("body/x", "", ""))
    assert not allowance.covers(case, Difference("status", "", ""))
    assert not allowance.covers(Case("/a", "b", "/axb=1"), Difference("body/x", "", ""))


def test_the_cases_are_many_and_every_variant_has_some() -> None:
    assert len(CASES) > 900
    assert {case.variant for case in CASES} == set(VARIANTS)


def test_the_allow_list_names_and_explains_every_difference() -> None:
    entries = read_allowances()
    assert len({entry.id for entry in entries}) == len(entries)
    assert all(entry.reason and entry.flower and entry.umbel and entry.fields for entry in entries)


@pytest.mark.parametrize("allowance", read_allowances(), ids=lambda allowance: allowance.id)
def test_every_entry_of_the_allow_list_is_for_some_case(allowance: Allowance) -> None:
    assert any(allowance.applies_to(case) for case in CASES)
    assert allowance.find_idle_globs(CASES) == [], "these fit no case"


def test_the_published_table_is_made_from_the_cases_and_the_allow_list() -> None:
    text = DOCUMENT.read_text()
    assert text == make_document(CASES, read_allowances()), "run python -m tests.compat --write"
    assert "deviate" not in text


def test_only_the_value_that_an_entry_names_is_excused() -> None:
    allowance = Allowance("x", (), ("freq",), "", "", "", sometimes=("GET *",), flower_value="5")
    assert allowance.covers(TASKS, Difference("freq", "5", "2.0"))
    assert not allowance.covers(TASKS, Difference("freq", "7", "2.0"))


def test_a_set_of_the_allow_list_stands_for_each_of_its_members() -> None:
    assert list(walk_globs(["GET <page> [x]", "HEAD *"], {"page": ["/", "/tasks"]})) == [
        "GET / [x]",
        "GET /tasks [x]",
        "HEAD *",
    ]


def test_a_difference_that_is_announced_must_be_there() -> None:
    always = Allowance("x", ("GET /api/tasks",), ("body/a",), "", "", "")
    assert judge(TASKS, answer({"a": 1}), answer({"a": 2}), [always]).deviations == []
    assert len(judge(TASKS, answer({"a": 1}), answer({"a": 1}), [always]).deviations) == 1
    sometimes = Allowance("x", (), ("body/a",), "", "", "", sometimes=("GET /api/tasks",))
    assert judge(TASKS, answer({"a": 1}), answer({"a": 1}), [sometimes]).deviations == []


def test_heartbeats_are_counted_in_metrics_and_in_workers() -> None:
    metrics = (
        "# HELP flower_events_total Number\n# TYPE flower_events_total counter\n"
        'flower_events_total{task="",type="worker-heartbeat",worker="one@compat"} 7.0\n'
        'flower_events_total{task="",type="worker-heartbeat",worker="gone@compat"} 2.0\n'
        'flower_events_total{task="t",type="task-sent",worker="one@compat"} 3.0\n'
    )
    rows = {"data": [{"hostname": "one@compat", "worker-heartbeat": 7}, {"hostname": "gone@compat"}]}
    assert count_heartbeats(metrics, ["one@compat"]) == {"one@compat": 7}
    assert count_heartbeats(json.dumps(rows), ["one@compat"]) == {"one@compat": 7}
    assert count_heartbeats('{"message": "no"}', ["one@compat"]) is None
    assert count_heartbeats("<html>", ["one@compat"]) is None
