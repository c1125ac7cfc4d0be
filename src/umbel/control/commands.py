"""Commands as records: what is broadcast, to whom, and how it is written down. Pure; `control.commander` sends them."""

import signal
from collections.abc import Collection, Sequence
from typing import Any

import msgspec

#: Signals that end or disturb a task. Others could stop the worker's child for good (SIGSTOP) or mean nothing.
SIGNALS = (
    "SIGTERM", "SIGKILL", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGABRT", "SIGALRM", "SIGCONT",
)  # fmt: skip


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that workers are told."""

    #: As the audit calls it.
    action: str
    #: Task id, task name or worker: what it is about.
    target: str
    #: Celery's control command with its arguments.
    method: str
    arguments: dict[str, Any] = {}
    #: Host names; None for all workers.
    workers: tuple[str, ...] | None = None
    #: What a confirmation does not mean, for people; "" where it means what it says.
    note: str = ""
    #: Workers reply to it. A shutdown is only known by the worker's farewell.
    is_answered: bool = True


def shutdown(worker: str) -> Command:
    """Warm shutdown of one worker: it finishes what it runs."""
    return Command(action="shutdown", target=worker, method="shutdown", workers=(worker,), is_answered=False)


def pool_restart(worker: str) -> Command:
    """New processes for one worker's pool, without reloading modules."""
    return Command(
        action="pool_restart",
        target=worker,
        method="pool_restart",
        arguments={"reload": False},
        workers=(worker,),
    )


def pool_grow(worker: str, n: int) -> Command:
    """`n` processes more."""
    return Command(
        action="pool_grow", target=worker, method="pool_grow", arguments={"n": n}, workers=(worker,)
    )


def pool_shrink(worker: str, n: int) -> Command:
    """`n` processes fewer."""
    return Command(
        action="pool_shrink", target=worker, method="pool_shrink", arguments={"n": n}, workers=(worker,)
    )


def autoscale(worker: str, minimum: int, maximum: int) -> Command:
    """New bounds for a worker that was started with autoscaling."""
    arguments = {"min": minimum, "max": maximum}
    return Command(
        action="autoscale", target=worker, method="autoscale", arguments=arguments, workers=(worker,)
    )


def add_consumer(worker: str, queue: str) -> Command:
    """The worker also takes tasks from `queue`."""
    return Command(
        action="add_consumer",
        target=worker,
        method="add_consumer",
        arguments={"queue": queue},
        workers=(worker,),
    )


def cancel_consumer(worker: str, queue: str) -> Command:
    """The worker takes no more tasks from `queue`."""
    return Command(
        action="cancel_consumer", target=worker, method="cancel_consumer", arguments={"queue": queue},
        workers=(worker,),
    )  # fmt: skip


#: Workers look a task's limits up when they begin to consume, not for each task.
_LIMITS_LATER = "A worker applies new time limits from the next restart of its pool or of its connection on."


def time_limit(task: str, worker: str, *, soft: float | None, hard: float | None) -> Command:
    """Limits of one task's run time on one worker, in seconds; None lifts a limit."""
    return Command(
        action="time_limit", target=task, method="time_limit", workers=(worker,), note=_LIMITS_LATER,
        arguments={"task_name": task, "soft": soft, "hard": hard},
    )  # fmt: skip


def rate_limit(task: str, worker: str, rate: str) -> Command:
    """How often one worker starts a task: "10/m"; "0" lifts the limit."""
    return Command(
        action="rate_limit", target=task, method="rate_limit", workers=(worker,),
        arguments={"task_name": task, "rate_limit": rate},
    )  # fmt: skip


def revoke(uuid: str, *, terminate: bool, signal: str) -> Command:
    """No worker starts the task any more; with `terminate` the signal also goes to the process that runs it."""
    return Command(
        action="revoke", target=uuid, method="revoke",
        arguments={"task_id": uuid, "terminate": terminate, "signal": signal},
    )  # fmt: skip


def revoke_many(
    uuids: Sequence[str],
    *,
    workers: Collection[str] | None = None,
    terminate: bool = False,
    signal: str = "SIGTERM",
) -> Command:
    """The same of several tasks in one message, for all workers or for these."""
    return Command(
        action="revoke_many", target="", method="revoke",
        arguments={"task_id": list(uuids), "terminate": terminate, "signal": signal},
        workers=None if workers is None else tuple(sorted(workers)),
    )  # fmt: skip


def signal_of(text: str) -> str | None:
    """The name of an allowed signal: "KILL", "sigkill" and "9" are SIGKILL. None for anything else."""
    if text.isascii() and text.isdigit() and len(text) < 3:
        try:
            name = signal.Signals(int(text)).name
        except ValueError:
            return None
    else:
        name = text.upper() if text.upper().startswith("SIG") else f"SIG{text.upper()}"
    return name if name in SIGNALS else None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a command."""

    #: "confirmed": all that were asked did it. "refused": none did, and all said so. "partly": some did. "silent":
    #: nobody said anything. "failed": the broker did not take it. "requested": nothing of this is known.
    state: str
    #: Host name -> what it said.
    confirmed: dict[str, str] = {}
    refused: dict[str, str] = {}
    silent: list[str] = []
    #: Why it failed, or what else is known.
    detail: str = ""


def outcome_of(confirmed: dict[str, str], refused: dict[str, str], silent: Collection[str]) -> Outcome:
    """Judge the answers. Silence is never taken for success."""
    if confirmed and not refused and not silent:
        state = "confirmed"
    elif confirmed:
        state = "partly"
    elif refused and not silent:
        state = "refused"
    else:
        state = "silent"
    return Outcome(state=state, confirmed=confirmed, refused=refused, silent=sorted(silent))
