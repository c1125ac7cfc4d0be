"""Filters, search, order and paging of any history, held against plain Python that does the same slowly."""

import ast
from collections.abc import Callable
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.teller import EPOCH, Teller, received, succeeded
from umbel.model.event import Event
from umbel.model.task import Task
from umbel.store.base import Count, HistoryReader, HistoryWriter, SortField, TaskQuery
from umbel.store.search import And, Expression, Or, Pair, Term, parse_search

ONE_STORE = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

#: Few letters, so that things match; wildcards, escapes, quotes, NUL and letters that fold to others.
LETTERS = "aAbB%_\\'\"ßſKİ1 =\0é"
texts = st.text(LETTERS, max_size=6)
some_text = st.one_of(st.none(), texts)
printed_kwargs = st.one_of(
    some_text,
    st.dictionaries(
        st.one_of(texts, st.sampled_from(["a", "ab", "id", "None"])),
        st.one_of(
            texts, st.integers(-20, 20), st.booleans(), st.none(), st.floats(), st.lists(st.integers(0, 3))
        ),
        max_size=3,
    ).map(repr),
)
folded = texts.filter(bool).map(str.casefold)
terms: st.SearchStrategy[Expression] = st.one_of(
    st.builds(Term, st.sampled_from([None, "name", "state", "worker", "args", "kwargs", "result"]), folded),
    st.builds(Term, st.just("state"), st.sampled_from(["success", "received", "started"])),
    st.builds(
        Pair,
        st.one_of(folded.map(str.strip), st.sampled_from(["a", "ab", "id", "none"])),
        st.one_of(
            folded.map(str.strip),
            st.integers(-20, 20).map(str),
            st.sampled_from(["", "true", "none", "[1, 2]", "inf", "nan", "1.5"]),
        ),
    ),
)
expressions = st.recursive(
    terms,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda found: And(tuple(found))),
        st.lists(inner, min_size=2, max_size=3).map(lambda found: Or(tuple(found))),
    ),
    max_leaves=4,
)

SORTS: tuple[SortField, ...] = get_args(SortField)


def matches(expression: Expression, task: Task) -> bool:
    """What `docs/reference/search.md` says, word for word."""
    if isinstance(expression, And):
        return all(matches(child, task) for child in expression.children)
    if isinstance(expression, Or):
        return any(matches(child, task) for child in expression.children)
    if isinstance(expression, Pair):
        return f"{expression.key}={expression.value}" in printed_pairs(task.kwargs)
    if expression.field == "state":
        return task.state.casefold() == expression.text
    if expression.field is None:
        values = [task.uuid, task.name, task.state, task.worker, task.args, task.kwargs, task.result]
    else:
        values = [getattr(task, expression.field)]
    return any(value is not None and expression.text in value.casefold() for value in values)


def printed_pairs(kwargs: str | None) -> set[str]:
    try:
        value = ast.literal_eval(kwargs or "")
    except (ValueError, SyntaxError, TypeError):
        return set()
    if not isinstance(value, dict):
        return set()

    def show(thing: Any) -> str:
        return "" if thing is None else str(thing).strip()

    return {f"{show(key)}={show(item)}".casefold() for key, item in value.items()}


def sort_value(task: Task, sort: SortField) -> tuple[Any, ...]:
    value = getattr(task, sort)
    if isinstance(value, str):
        value = value.casefold()[:200]
    return (value is not None, value if value is not None else 0, task.uuid)


class Shelf:
    """Tasks with arbitrary texts in one history, over many examples."""

    def __init__(self, writer: HistoryWriter, *, after_put: Callable[[], None] = lambda: None) -> None:
        self.teller = Teller(writer)
        self.count = 0
        self._after_put = after_put

    def put(self, rows: list[tuple[Any, ...]]) -> None:
        events: list[Event] = []
        for uuid, name, worker, args, kwargs, result, state, at in rows:
            self.count += 1
            told = succeeded(
                f"{uuid}{self.count}", at=EPOCH + at, name=name, worker=worker, args=args, kwargs=kwargs,
                runtime=at / 3 + 0.1,
            )[:state]  # fmt: skip
            told[-1].result = result
            if at % 3 == 0:
                # a task of which the receipt was never seen
                told = told[1:] or told
            events += told
        self.teller.tell(events)
        self._after_put()

    @property
    def tasks(self) -> list[Task]:
        return self.teller.tasks


rows = st.lists(
    st.tuples(
        texts, some_text, texts, some_text, printed_kwargs, some_text, st.integers(1, 3), st.integers(0, 9)
    ),
    max_size=6,
)


class StoreSearchContract:
    """Filters, search, order and paging."""

    @pytest.fixture
    def shelf(self, writer: HistoryWriter) -> Shelf:
        return Shelf(writer)

    @given(rows=rows, expression=expressions)
    @ONE_STORE
    def test_search_finds_what_plain_python_finds(
        self, shelf: Shelf, reader: HistoryReader, rows: list[tuple[Any, ...]], expression: Expression
    ) -> None:
        shelf.put(rows)
        query = TaskQuery(search=expression)
        found = {task.uuid for task in reader.fetch_tasks(query, limit=10_000).tasks}
        assert found == {task.uuid for task in shelf.tasks if matches(expression, task)}
        assert reader.count_tasks(query) == Count(len(found), True)

    @given(rows=rows, sort=st.sampled_from(SORTS), descending=st.booleans(), size=st.integers(2, 9))
    @ONE_STORE
    def test_pages_join_to_the_sorted_list(
        self, shelf: Shelf, reader: HistoryReader, rows: list[tuple[Any, ...]], sort: SortField,
        descending: bool, size: int,
    ) -> None:  # fmt: skip
        shelf.put(rows)
        query = TaskQuery(sort=sort, descending=descending)
        expected = sorted(shelf.tasks, key=lambda task: sort_value(task, sort), reverse=descending)
        paged: list[Task] = []
        cursor = None
        for _ in range(len(expected) // size + 1):
            page = reader.fetch_tasks(query, limit=size, cursor=cursor)
            paged += page.tasks
            cursor = page.next
            if cursor is None:
                break
        assert cursor is None
        assert [task.uuid for task in paged] == [task.uuid for task in expected]
        for offset in (3, len(expected) // 2, len(expected) + 1):
            skipped = reader.fetch_tasks(query, limit=size, offset=offset).tasks
            assert [task.uuid for task in skipped] == [task.uuid for task in expected[offset : offset + size]]

    @given(
        rows=rows,
        expression=expressions,
        sort=st.sampled_from(SORTS),
        descending=st.booleans(),
        state=st.sampled_from([(), ("received",), ("success", "started")]),
    )
    @ONE_STORE
    def test_pages_of_a_search_join_to_what_plain_python_finds(
        self, shelf: Shelf, reader: HistoryReader, rows: list[tuple[Any, ...]], expression: Expression,
        sort: SortField, descending: bool, state: tuple[str, ...],
    ) -> None:  # fmt: skip
        shelf.put(rows)
        query = TaskQuery(search=expression, sort=sort, descending=descending, states=state)
        found = [
            task
            for task in shelf.tasks
            if matches(expression, task) and (not state or task.state.casefold() in state)
        ]
        expected = [
            task.uuid for task in sorted(found, key=lambda task: sort_value(task, sort), reverse=descending)
        ]
        first = reader.fetch_tasks(query, limit=4)
        paged = [task.uuid for task in first.tasks]
        if first.next is not None:
            paged += [task.uuid for task in reader.fetch_tasks(query, limit=10_000, cursor=first.next).tasks]
        assert paged == expected
        skipped = reader.fetch_tasks(query, limit=5, offset=2).tasks
        assert [task.uuid for task in skipped] == expected[2:7]

    @given(rows=rows, data=st.data())
    @ONE_STORE
    def test_filters_are_exact_and_know_no_case(
        self, shelf: Shelf, reader: HistoryReader, rows: list[tuple[Any, ...]], data: st.DataObject
    ) -> None:
        shelf.put(rows)
        query = TaskQuery(
            states=data.draw(st.sampled_from([(), ("success",), ("STARTED", "received"), ("nothing",)])),
            name=data.draw(st.one_of(st.none(), texts)),
            worker=data.draw(st.one_of(st.none(), texts)),
            received_start=data.draw(st.sampled_from([None, EPOCH + 4])),
            received_end=data.draw(st.sampled_from([None, EPOCH + 6])),
            search=data.draw(st.one_of(st.none(), expressions)),
            sort=data.draw(st.sampled_from(("updated", "received", "state", "worker", "wait"))),
            descending=data.draw(st.booleans()),
        )

        def passes(task: Task) -> bool:
            return (
                (not query.states or task.state.casefold() in [state.casefold() for state in query.states])
                and (query.name is None or same(task.name, query.name))
                and (query.worker is None or same(task.worker, query.worker))
                and (task.received is None or (query.received_start or 0) <= task.received)
                and (task.received is None or task.received <= (query.received_end or 1e18))
                and (query.search is None or matches(query.search, task))
            )

        passing = [task for task in shelf.tasks if passes(task)]
        passing.sort(key=lambda task: sort_value(task, query.sort), reverse=query.descending)
        expected = [task.uuid for task in passing]
        for limit, offset in ((10_000, 0), (3, 0), (3, 2)):
            found = reader.fetch_tasks(query, limit=limit, offset=offset).tasks
            assert [task.uuid for task in found] == expected[offset : offset + limit]
        assert reader.count_tasks(query) == Count(len(expected), True)

    def test_a_state_is_held_to_among_the_few_of_a_time(
        self, writer: HistoryWriter, reader: HistoryReader
    ) -> None:
        teller = Teller(writer)
        teller.tell([event for n in range(9) for event in succeeded(f"early{n}", at=EPOCH + n)])
        teller.tell([*succeeded("late", at=EPOCH + 100), *received("waiting", at=EPOCH + 101)])
        query = TaskQuery(states=("SUCCESS",), received_start=EPOCH + 50)
        assert [task.uuid for task in reader.fetch_tasks(query, limit=10).tasks] == ["late"]
        assert reader.count_tasks(query) == Count(1, True)

    @pytest.mark.parametrize("descending", [True, False])
    def test_a_task_without_the_time_it_is_sorted_by_is_listed_once(
        self, descending: bool, writer: HistoryWriter, reader: HistoryReader
    ) -> None:
        Teller(writer).tell([*succeeded("ended", name="shop.pay"), *received("waiting", name="shop.pay")])
        query = TaskQuery(
            states=("RECEIVED", "SUCCESS"), search=parse_search("pay"), sort="runtime", descending=descending
        )
        found = [task.uuid for task in reader.fetch_tasks(query, limit=9).tasks]
        assert found == (["ended", "waiting"] if descending else ["waiting", "ended"])

    def test_counting_stops_at_the_limit(self, writer: HistoryWriter, reader: HistoryReader) -> None:
        Teller(writer).tell([event for n in range(9) for event in received(f"u{n}", args="(7,)")])
        query = TaskQuery(search=parse_search('args:"(7,"'))
        assert reader.count_tasks(query, limit=5) == Count(5, False)
        assert reader.count_tasks(query, limit=9) == Count(9, True)
        assert reader.count_tasks(TaskQuery(), limit=5) == Count(9, True)

    def test_wildcards_of_sql_are_plain_characters(
        self, writer: HistoryWriter, reader: HistoryReader
    ) -> None:
        teller = Teller(writer)
        teller.tell([*received("u1", args="100%_x\\y"), *received("u2", args="100 abx y")])
        for text in ("args:100%_", "args:x\\\\y", "args:%_x"):
            found = reader.fetch_tasks(TaskQuery(search=parse_search(text)), limit=9).tasks
            assert [task.uuid for task in found] == ["u1"], text

    def test_pairs_are_compared_by_their_printed_values(
        self, writer: HistoryWriter, reader: HistoryReader
    ) -> None:
        teller = Teller(writer)
        printed = {
            "int": "{'id': 5, 'note': 'x'}", "text": "{'id': '5'}", "longer": "{'id': 55}", "float": "{'id': 5.0}",
            "hex": "{'id': 0x5}", "escaped": r"{'\x69d': 5}", "none": "{'id': None}", "nested": "{'a': {'id': 5}}",
            "cut": "{'id': 5, ...}", "true": "{'id': True}", "joined": "[('id', 5)]", "spaced": "{ 'ID' : +5 }",
        }  # fmt: skip
        teller.tell([event for uuid, kwargs in printed.items() for event in received(uuid, kwargs=kwargs)])

        def find(text: str) -> set[str]:
            return {t.uuid for t in reader.fetch_tasks(TaskQuery(search=parse_search(text)), limit=99).tasks}

        assert find("kwargs:id=5") == {"int", "text", "hex", "escaped", "spaced"}
        assert find("kwargs:ID=5.0") == {"float"}
        assert find("kwargs:id=") == {"none"}
        assert find("kwargs:id=TRUE") == {"true"}
        assert find("kwargs:\"a={'id': 5}\"") == {"nested"}


def same(value: str | None, wanted: str) -> bool:
    """An unknown or empty name is no name to filter by."""
    return bool(value) and value is not None and value.casefold() == wanted.casefold()
