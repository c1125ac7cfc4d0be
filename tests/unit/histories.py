"""Random lives of one task, with the truth about them: what the fold's property tests draw from."""

from typing import Any

import msgspec
from hypothesis import strategies as st

from umbel.model.event import Event

EPOCH = 1_790_000_000.0

#: What an attempt can end in -> (event type, state, another attempt follows).
ENDS = {
    "succeeded": ("task-succeeded", "SUCCESS", False),
    "failed": ("task-failed", "FAILURE", False),
    "revoked": ("task-revoked", "REVOKED", False),
    "rejected": ("task-rejected", "REJECTED", False),
    "requeued": ("task-rejected", "REJECTED", True),
    "retried": ("task-retried", "RETRY", True),
    "killed": ("", "STARTED", True),
}


class Life(msgspec.Struct, frozen=True):
    """The events of one task in the order in which they happened, and what they amount to."""

    events: tuple[Event, ...]
    state: str
    attempts: int
    #: Of each attempt's message: a redelivered one has those that it had.
    retries: tuple[int, ...]
    errors: int
    redelivered: bool


def event(type_: str, time: float, hostname: str, pid: int, **fields: Any) -> Event:
    """A task event of the one task that these histories are about."""
    return Event(
        type=type_, timestamp=time, hostname=hostname, pid=pid, clock=int(time - EPOCH), uuid="t-1",
        received_at=time + 0.1, **fields,
    )  # fmt: skip


@st.composite
def lives(draw: st.DrawFn, *, skew: bool = False, most: int = 6) -> Life:
    """A life of up to `most` attempts on three workers; with `skew`, clients' clocks are hours off."""
    events: list[Event] = []
    errors = 0
    redelivered = False
    time = EPOCH + draw(st.floats(0, 100))
    if draw(st.booleans()):
        off = draw(st.floats(-7200, 7200)) if skew else -0.5
        events.append(
            event(
                "task-sent", time + off, "gen7@web", 7, name="shop.pay", args="(1,)", kwargs="{}", queue="q"
            )
        )
    number = 0
    retries = [0]
    runs = dict.fromkeys(("celery@a", "celery@b", "celery@c"), 100)
    while True:
        number += 1
        worker = draw(st.sampled_from(sorted(runs)))
        pid = runs[worker]
        step = st.floats(0.01, 90)
        eta = draw(st.sampled_from([None, "2026-09-01T00:00:00+00:00"]))
        events.append(
            event("task-received", time, worker, pid, name="shop.pay", args="(1,)", kwargs="{}",
                  retries=retries[-1], eta=eta, root_id="t-1")
        )  # fmt: skip
        time += draw(step)
        events.append(event("task-started", time, worker, pid))
        time += draw(step)
        final = number == most
        end = draw(st.sampled_from([name for name, (_, _, more) in ENDS.items() if not (final and more)]))
        type_, state, more = ENDS[end]
        if end == "killed":
            runs[worker] += 1
            redelivered = True
        else:
            events.append(event(type_, time, worker, pid, **_ending(end, number, draw)))
            errors += end in ("failed", "retried")
        if not more:
            return Life(tuple(events), state, number, tuple(retries), errors, redelivered)
        retries.append(retries[-1] + (end == "retried"))
        time += draw(step)


def _ending(end: str, number: int, draw: st.DrawFn) -> dict[str, Any]:
    if end in ("failed", "retried"):
        return {"exception": f"ValueError({number})", "traceback": f"Traceback {number}"}
    if end == "succeeded":
        return {"result": f"'{number}'", "runtime": draw(st.floats(0.001, 500))}
    if end == "requeued":
        return {"requeue": True}
    return {"requeue": False} if end == "rejected" else {}
