"""The wire types of what a worker answers about itself (`/api/v1/workers/{hostname}/inspection`)."""

from typing import Any, Literal

import msgspec


class HeldTask(msgspec.Struct, kw_only=True):
    """A task that a worker runs or keeps. Arguments are printed and redacted as in events."""

    id: str | None
    name: str | None
    args: str | None
    kwargs: str | None
    #: When it is due, as the worker wrote it; only of scheduled tasks.
    eta: str | None
    #: Epoch seconds; null until it runs, or where the worker's clock tells nothing of use.
    started: float | None
    #: Of the process that runs it.
    pid: int | None
    #: Whether its message is acknowledged.
    acknowledged: bool | None


class ConsumedQueue(msgspec.Struct, kw_only=True):
    """A queue from which a worker takes tasks, as it declared it."""

    name: str
    routing_key: str | None
    alias: str | None
    exclusive: bool | None
    durable: bool | None
    auto_delete: bool | None
    no_ack: bool | None
    queue_arguments: dict[str, Any] | None
    binding_arguments: dict[str, Any] | None


class ListLengths(msgspec.Struct, kw_only=True):
    """How long the lists are of which at most `limit` entries are told; null: not answered."""

    registered: int | None
    active: int | None
    scheduled: int | None
    reserved: int | None
    revoked: int | None


class InspectionOut(msgspec.Struct, kw_only=True):
    """What a worker has answered about itself, secrets masked. null: it has not answered that."""

    hostname: str
    #: When it last answered; null: never.
    time: float | None
    #: What came of asking it now: "answered", "silent", or "failed": nobody could be asked. null: it was not asked.
    asked: Literal["answered", "silent", "failed"] | None
    #: Why nobody could be asked; "" otherwise.
    problem: str
    stats: dict[str, Any] | None
    conf: dict[str, Any] | None
    queues: list[ConsumedQueue] | None
    #: Task names, each with what is set for it: `tasks.add [rate_limit=10/m]`.
    registered: list[str] | None
    active: list[HeldTask] | None
    scheduled: list[HeldTask] | None
    reserved: list[HeldTask] | None
    #: Task ids.
    revoked: list[str] | None
    lengths: ListLengths
