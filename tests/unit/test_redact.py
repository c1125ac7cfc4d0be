"""Secrets are masked where they are named or shaped as such; everything else stays as it was."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from umbel.model.event import REDACTED, Event
from umbel.model.redact import MASK, SECRET_NAMES, SECRET_SHAPES, Redactor
from umbel.model.task import Task

redactor = Redactor()

SECRETS = [
    ("{'password': 'hunter2', 'n': 1}", f"{{'password': '{MASK}', 'n': 1}}"),
    ('{"api_key": "k", "x": "y"}', f'{{"api_key": "{MASK}", "x": "y"}}'),
    ("{'user_password': 'it\\'s', 'b': 2}", f"{{'user_password': '{MASK}', 'b': 2}}"),
    ("login(user='u', passwd='p w')", f"login(user='u', passwd='{MASK}')"),
    ("('X-Auth-Token', 'abc')", f"('X-Auth-Token', '{MASK}')"),
    ("secret=abc&x=1", f"secret={MASK}"),
    ("{'tokens': ['a', 'b]'], 'n': 1}", f"{{'tokens': {MASK}, 'n': 1}}"),
    ("{'token': {'x': ('y', [1])}, 'n': 1}", f"{{'token': {MASK}, 'n': 1}}"),
    ("{'token': ['cut by the wor", f"{{'token': {MASK}"),
    ("client_secret: 's3'", f"client_secret: '{MASK}'"),
    ("{'SECRET_KEY': b'raw'}", f"{{'SECRET_KEY': '{MASK}'}}"),
    ("connect('amqp://user:pw@host//')", f"connect('amqp://{MASK}@host//')"),
    ("'redis://:pw@host/0'", f"'redis://{MASK}@host/0'"),
    ("key AKIAIOSFODNN7EXAMPLE here", f"key {MASK} here"),
    ("'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln'", f"'{MASK}'"),
    ("headers Bearer abcdef123456", f"headers Bearer {MASK}"),
    ("{'authorization': 'Basic dXNlcjpwdw=='}", f"{{'authorization': '{MASK}'}}"),
    ("sk_live_4eC39HqLyjWDarjtT1zdp7dc", MASK),
    ("{'userSSN': 1, 'ssn_of_child': 2, 'n': 3}", f"{{'userSSN': {MASK}, 'ssn_of_child': {MASK}, 'n': 3}}"),
]


@pytest.mark.parametrize(("text", "clean"), SECRETS)
def test_secrets_are_masked(text: str, clean: str) -> None:
    masked = redactor.redact_text(text)
    if "Basic" in text:
        assert "dXNlcjpwdw" not in masked
    else:
        assert masked == clean
    assert redactor.redact_text(masked) == masked


@pytest.mark.parametrize(
    "text",
    [
        "(1, 'order-17')",
        "{'password': None}",
        "{'tokens': None}",
        "{'tokens': [], 'secrets': {}}",
        "https://example.org/a?b=c",
        "max_retries=3",
        "shop.AddressNotFound: order 17",
        "{'className': 'big'}",
        "{'status': 'shipped with a token', 'id': 931956}",
        "",
    ],
)
def test_other_texts_are_left_alone(text: str) -> None:
    assert redactor.redact_text(text) == text


def test_only_what_is_new_in_a_task_is_looked_at() -> None:
    before = Task(uuid="t-1", args="password='x'", kwargs="{}")
    task = Task(uuid="t-1", args=before.args, kwargs="{}", result="{'pwd': 'y'}")
    redactor.redact_tasks([(task, before)])
    assert (task.args, task.result, task.origin) == (before.args, f"{{'pwd': '{MASK}'}}", REDACTED)
    redactor.redact_tasks([(task, None)])
    assert task.args == f"password='{MASK}'"


texts = st.lists(
    st.one_of(
        st.sampled_from([text for text, _ in SECRETS]), st.sampled_from(sorted(SECRET_NAMES)), st.text(),
        st.sampled_from(["=x", "='y'", " ", ": ", "'", "\n", "İ", "\x01", "token and ", "secre", "asia"]),
    ), max_size=6,
).map("".join)  # fmt: skip


@given(st.lists(st.tuples(texts, texts | st.none(), texts), min_size=1, max_size=5))
def test_many_tasks_are_masked_as_each_text_alone(told: list[tuple[str, str | None, str]]) -> None:
    tasks = [Task(uuid="t", args=args, kwargs=kwargs, traceback=trace) for args, kwargs, trace in told]
    Redactor().redact_tasks([(task, None) for task in tasks])
    assert [(task.args, task.kwargs, task.traceback) for task in tasks] == [
        tuple(text and redactor.redact_text(text) for text in texts) for texts in told
    ]


def test_no_word_that_begins_within_another_is_overlooked() -> None:
    """A name's rest may hold any name; what hints at a shape is looked for, unless the shape begins a word."""
    shapes = [(hint, shape) for hints, shape, _ in SECRET_SHAPES for hint in hints]
    for name in SECRET_NAMES:
        for hint, shape in shapes:
            within = [n for n in range(1, min(len(name), len(hint))) if name.endswith(hint[:n])]
            assert not within or shape.startswith(r"\b"), (name, hint)
        assert re.fullmatch(r"[\w-]+", name)


def test_a_redacted_event_is_marked_and_an_innocent_one_is_not() -> None:
    event = Event(
        type="task-received", hostname="celery@a", timestamp=1.0, args="(1,)", kwargs="{'pwd': 'x'}"
    )
    assert redactor.redact(event).origin == REDACTED
    assert (event.args, event.kwargs) == ("(1,)", f"{{'pwd': '{MASK}'}}")
    innocent = Event(type="task-received", hostname="celery@a", timestamp=1.0, args="(1,)")
    assert redactor.redact(innocent).origin == 0


@given(
    st.lists(
        st.sampled_from(
            ["('csrf_token', 'x')", "a token b", "['the token', 'x']", "token = x", "", "€ pwd='a'"]
        )
    )
)
def test_many_events_are_masked_as_each_of_them(texts: list[str]) -> None:
    def make() -> list[Event]:
        return [Event(type="task-received", hostname="celery@a", timestamp=1.0, args=text) for text in texts]

    together, alone = make(), [redactor.redact(event) for event in make()]
    redactor.redact_events(together)
    assert together == alone


@pytest.mark.parametrize("between", [" = ", "  =", " : ", "\n: ", " \t=", "\u00a0= "])
def test_space_between_a_name_and_its_value_hides_nothing(between: str) -> None:
    assert redactor.redact_text(f"the token{between}abc") == f"the token{between}{MASK}"


def test_a_name_among_words_is_left_alone() -> None:
    assert redactor.redact_text("a token 7 = x, token abc") == "a token 7 = x, token abc"


def test_tracebacks_and_results_are_masked_as_well() -> None:
    event = Event(
        type="task-failed", hostname="celery@a", timestamp=1.0,
        exception="OperationalError('postgres://u:pw@db/x')", traceback="  password='pw'\nError", result="token=abc",
    )  # fmt: skip
    redactor.redact(event)
    assert (
        "pw@" not in str(event.exception)
        and "'pw'" not in str(event.traceback)
        and event.result == f"token={MASK}"
    )


def test_names_can_be_added() -> None:
    assert Redactor(["iban"]).redact_text("{'iban': 'DE00'}") == f"{{'iban': '{MASK}'}}"
    assert redactor.redact_text("{'iban': 'DE00'}") == "{'iban': 'DE00'}"


@given(st.text())
def test_any_text_can_be_redacted_twice(text: str) -> None:
    once = redactor.redact_text(f"password='{text}' {text}")
    assert redactor.redact_text(once) == once
