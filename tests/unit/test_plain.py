"""What `model.plain` tells of a plain life is what the fold tells, and it keeps its hands off all others."""

from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.histories import EPOCH, Life, event, lives
from umbel.model.event import Event
from umbel.model.fold import fold, project
from umbel.model.plain import Plain, record_of, tell
from umbel.model.rollup import Tally, Totals
from umbel.model.task import Record, Task


def rounded(totals: Totals) -> Totals:
    """Sums rounded: adding floats in another order moves the last bits."""
    for rollup in totals.rollups.values():
        rollup.runtime.sum = round(rollup.runtime.sum, 6)
        rollup.wait.sum = round(rollup.wait.sum, 6)
    return totals


def plain_life(**message: Any) -> list[Event]:
    described = {"name": "shop.pay", "args": "(1,)", "kwargs": "{}", "root_id": "t-1", **message}
    return [
        event("task-sent", EPOCH, "gen7@web", 9, retries=0, queue="q", **described),
        event("task-received", EPOCH + 1, "celery@a", 7, retries=0, **described),
        event("task-started", EPOCH + 2, "celery@a", 7),
        event("task-succeeded", EPOCH + 3, "celery@a", 7, result="3", runtime=0.5),
    ]


@st.composite
def nearly_plain(draw: st.DrawFn) -> list[Event]:
    """Short lives that are plain, or miss it by little."""
    texts = st.sampled_from([None, "", "x", "y"])
    times = st.sampled_from([EPOCH, EPOCH + 1, EPOCH + 2, EPOCH + 3])
    events = []
    types = ["sent", "received", "started", "succeeded", "failed", "retried", "custom"]
    for type_ in draw(st.lists(st.sampled_from(types), min_size=1, max_size=5)):
        fields: dict[str, Any] = {}
        if type_ in ("sent", "received") or draw(st.integers(0, 9)) == 0:
            fields = {name: draw(texts) for name in ("name", "args", "eta", "queue", "root_id")}
            fields["retries"] = draw(st.sampled_from([None, 0, 2]))
        if type_ in ("succeeded", "custom"):
            fields["result"], fields["runtime"] = draw(texts), draw(st.sampled_from([None, 0.0, 0.5]))
        if type_ in ("failed", "retried"):
            fields["exception"], fields["traceback"] = draw(texts), draw(texts)
        host = "gen7@web" if type_ == "sent" else draw(st.sampled_from(["celery@a", "celery@a", "celery@b"]))
        events.append(
            event(f"task-{type_}", draw(times), host, draw(st.sampled_from([7, 7, 7, 8])), **fields)
        )
    return events


def check(parts: Sequence[Sequence[Event]]) -> bool:
    """Tell the parts one after the other as long as they are plain, and compare; True if all were."""
    task: Task | None = None
    plain: Plain | None = None
    record: Record | None = None
    quick, slow = Tally(), Tally()
    for part in parts:
        made = tell(part, task, plain)
        if made is None:
            return False
        folded = fold(record, part)
        assert made[0] == project(folded)
        assert record_of(*made) == folded
        quick.add_plain(task, made[0])
        slow.add_transition(record, folded)
        (task, plain), record = made, folded
    assert rounded(quick.totals()) == rounded(slow.totals())
    return True


@settings(max_examples=600, deadline=None)
@given(nearly_plain(), st.integers(0, 5), st.integers(0, 5))
def test_what_is_called_plain_is_what_the_fold_makes(events: list[Event], first: int, second: int) -> None:
    parts = [events[:first], events[first : first + second], events[first + second :]]
    check([part for part in parts if part])


@settings(max_examples=100, deadline=None)
@given(lives(skew=True, most=2), st.data())
def test_real_lives_are_plain_or_left_to_the_fold(life: Life, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(life.events)))
    check([part for part in (life.events[:cut], life.events[cut:]) if part])


def test_a_usual_life_is_plain_however_it_is_cut() -> None:
    events = plain_life()
    for first in range(5):
        for second in range(5 - first):
            parts = [events[:first], events[first : first + second], events[first + second :]]
            assert check([part for part in parts if part])


def test_a_message_with_an_eta_and_a_failure_are_plain() -> None:
    events = plain_life(eta="2026-09-01T00:00:00+00:00")
    events[-1] = event("task-failed", EPOCH + 3, "celery@a", 7, exception="E('x')", traceback="Traceback")
    assert check([events])
    assert check([[single] for single in events])


def test_what_is_not_plain_is_left_alone() -> None:
    sent, received, started, succeeded = plain_life()
    elsewhere = event("task-succeeded", EPOCH + 3, "celery@b", 7, runtime=0.5)
    again = event("task-retried", EPOCH + 3, "celery@a", 7, exception="E()")
    early = event("task-started", EPOCH - 9, "celery@a", 7)
    for events in (
        [received, received], [received, started, elsewhere], [received, started, again], [received, early],
        [received, started, succeeded, succeeded], [event("task-progress", EPOCH, "celery@a", 7)],
    ):  # fmt: skip
        assert tell(events) is None
    made = tell([received, started, succeeded])
    assert made is not None
    assert tell([started], *made) is None
    assert tell([sent], *made) is None


def test_the_task_before_is_not_changed() -> None:
    sent, received, started, _ = plain_life()
    made = tell([sent, received])
    assert made is not None
    was = project(fold(None, [sent, received]))
    assert tell([started], *made) is not None
    assert made[0] == was
