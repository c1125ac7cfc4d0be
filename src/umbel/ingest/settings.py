"""What a collector process is told at its start: plain values only, sent as one line of JSON through a pipe.

Made by the composition root, read by `ingest.collector`. `celery_conf_of` takes the broker's part out of a Celery app
and says which of its values cannot travel, for which the collector loads the app itself.
"""

import signal
from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from celery import Celery

#: The Celery settings that say how to reach the broker and how events and commands are named there.
CONF_KEYS = (
    "broker_url", "broker_read_url", "broker_write_url", "broker_transport", "broker_transport_options",
    "broker_use_ssl", "broker_login_method", "broker_failover_strategy", "broker_connection_timeout",
    "broker_heartbeat", "broker_host", "broker_port", "broker_user", "broker_password", "broker_vhost",
    "event_exchange", "event_exchange_type", "event_serializer", "event_queue_prefix",
    "control_exchange", "control_queue_durable", "control_queue_exclusive", "control_queue_expires",
    "control_queue_ttl", "redis_socket_timeout", "redis_socket_connect_timeout",
)  # fmt: skip

#: What asks a collector for its end; its parent holds them back until it can take them.
STOP_SIGNALS = frozenset((signal.SIGINT, signal.SIGTERM))

#: Flower's run-time histogram bounds (prometheus-client's defaults), seconds.
DEFAULT_BUCKETS = (
    0.005,
    0.01,
    0.025,
    0.05,
    0.075,
    0.1,
    0.25,
    0.5,
    0.75,
    1.0,
    2.5,
    5.0,
    7.5,
    10.0,
)


class CollectorSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a collector needs to know. Durations are seconds, sizes are bytes."""

    #: Celery settings by their lower-case names, see `CONF_KEYS`.
    celery: dict[str, Any]
    #: Given when `celery` could not hold all of the app's broker settings: the app is loaded from here instead.
    app_path: str | None = None
    #: File of the SQLite history.
    store_path: str
    #: Names our queue at the broker: the same at each start with this history.
    store_id: str

    # retention, handed on to the store; None: unbounded
    max_tasks: int | None = None
    max_age: float | None = 30 * 86400.0
    max_bytes: int | None = 10 * 2**30
    #: Keep the search index beside the history.
    search_index: bool = True
    #: Upper bounds of the run-time histogram, ascending, without +Inf.
    buckets: tuple[float, ...] = DEFAULT_BUCKETS

    # events
    #: Broadcast enable_events, for workers started without -E.
    enable_events: bool = True
    enable_events_interval: float = 5.0
    #: MIME types or kombu names read besides JSON ("pickle", "yaml"): only for senders that are trusted.
    accept_content: tuple[str, ...] = ()
    #: Larger messages are refused unread.
    max_message: int = 8 * 2**20
    #: A longer text of an event is cut and flagged.
    max_text: int = 64 * 2**10
    #: Mask what looks like a secret before anything is stored.
    redact: bool = True
    #: More names of secrets, as regular expressions, added to the defaults of `model.redact`.
    redact_names: tuple[str, ...] = ()

    # buffer and flush
    buffer_bytes: int = 32_000_000
    spool_bytes: int = 1_000_000_000
    #: Longest wait before a flush while little comes in, and while much does.
    flush_idle: float = 0.25
    flush_busy: float = 0.8

    # workers
    #: How long a lost or stopped worker stays in the list.
    worker_grace: float = 3600.0
    max_workers: int = 5000
    #: How long after its worker run ended an open task becomes UNKNOWN.
    unknown_after: float = 60.0

    # the line to the broker
    probe_interval: float = 5.0
    #: No proof of life for this long: the connection is given up and a new one tried.
    proof_timeout: float = 15.0
    #: How long RabbitMQ keeps our queue while nobody reads it.
    queue_expires: float = 60.0
    #: RabbitMQ drops the oldest events of our queue beyond this.
    queue_max_bytes: int = 512 * 2**20
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"


def celery_conf_of(app: Celery) -> tuple[dict[str, Any], list[str]]:
    """The app's broker settings as plain values, and the names of those that cannot be sent as JSON."""
    plain: dict[str, Any] = {}
    stuck: list[str] = []
    for key in CONF_KEYS:
        value = app.conf.get(key)
        if value is None or value == {}:
            continue
        try:
            plain[key] = msgspec.json.decode(msgspec.json.encode(_plain(value)))
        except (TypeError, ValueError):
            stuck.append(key)
    return plain, stuck


def _plain(value: Any) -> Any:
    """`value` with every mapping and sequence as a builtin, so that msgspec sees what JSON can hold."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)  # ssl.CERT_REQUIRED and its like are IntEnums
    if value is None or isinstance(value, (str, bool, float)):
        return value
    raise TypeError(f"{type(value).__name__} is not plain")


def build_app(settings: CollectorSettings) -> Celery:
    """The Celery app that knows the broker: bare, or the user's own where it has to be."""
    if settings.app_path is not None:
        from celery.app.utils import find_app

        return find_app(settings.app_path)
    app = Celery("umbel", set_as_current=False, fixups=[])
    app.conf.update(settings.celery)
    return app
