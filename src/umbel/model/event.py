"""One Celery event as a typed record: what `ingest.decode` makes and everything behind it reads."""

import msgspec

#: Flags of `Event.origin`: what had to be done to the event before it could be kept.
REPAIRED = 1  # lone surrogates, NaN or kombu's __type__ values were replaced by text
REDACTED = 2  # a secret was masked
TRUNCATED = 4  # a text was longer than `max_text` bytes and was cut by us


class Event(msgspec.Struct, gc=False, kw_only=True):
    """A `task-*` or `worker-*` event. Times are float epoch seconds UTC; `utcoffset` is never applied.

    Source: Celery's "Monitoring and Management Guide", event reference; fields that a type of event
    does not carry are None.
    """

    type: str
    #: The sender: a worker (`celery@host`) or, for task-sent, a client (`gen123@host`).
    hostname: str
    #: When the sender made it, epoch seconds UTC.
    timestamp: float
    pid: int = 0
    clock: int = 0
    utcoffset: float | None = None
    # task events
    uuid: str | None = None
    name: str | None = None
    args: str | None = None
    kwargs: str | None = None
    root_id: str | None = None
    parent_id: str | None = None
    retries: int | None = None
    #: ISO 8601 text, as sent.
    eta: str | None = None
    #: ISO 8601 text, as sent.
    expires: str | None = None
    queue: str | None = None
    exchange: str | None = None
    routing_key: str | None = None
    result: str | None = None
    #: Seconds.
    runtime: float | None = None
    exception: str | None = None
    traceback: str | None = None
    requeue: bool | None = None
    terminated: bool | None = None
    signum: int | None = None
    expired: bool | None = None
    # worker events
    active: int | None = None
    processed: int | None = None
    #: Seconds between heartbeats.
    freq: float | None = None
    loadavg: list[float] | None = None
    sw_ident: str | None = None
    sw_ver: str | None = None
    sw_sys: str | None = None
    # added by us
    #: Receipt time at this monitor, epoch seconds UTC.
    received_at: float = 0.0
    #: REPAIRED | REDACTED | TRUNCATED.
    origin: int = 0
