"""Gathers what `control.doctor` judges: from the broker, from the workers, and from a history where there is one.

Blocking, and bounded by the time-outs of the broker's driver: call in a thread.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from importlib.metadata import entry_points
from itertools import islice
from typing import Any

import msgspec
from celery import Celery
from kombu import Connection

from umbel.control.doctor import Facts
from umbel.control.mask import mask_url
from umbel.control.roster import is_alive
from umbel.errors import StoreError
from umbel.model.stall import Stall
from umbel.store.base import HistoryReader
from umbel.store.status import CollectorStatus, is_believed

#: Seconds given to the broker.
PATIENCE = 5.0
#: Keys of one database that are looked at, and databases.
_MOST_KEYS, _MOST_DATABASES = 20_000, 16
#: A key of kombu's that every worker makes.
_BINDING = "_kombu.binding."


def is_flower_beside() -> bool:
    """Whether another package offers `celery flower` too."""
    offers = entry_points(group="celery.commands", name="flower")
    return any(entry.dist is not None and entry.dist.name != "umbel" for entry in offers)


def gather(
    app: Celery,
    *,
    now: float,
    reader: HistoryReader | None,
    status: CollectorStatus | None,
    confs: Mapping[str, Mapping[str, Any]],
    stalls: Collection[Stall] | None = None,
    is_standby: bool = False,
) -> Facts:
    """The facts of this moment.

    Args:
        reader: The history; None where there is none.
        status: The collector's word; None where none runs.
        confs: Worker -> its answer to `inspect conf`.
        stalls: What our own sampler of the queues found; None where none runs, and the collector's word counts.
        is_standby: Our own collector waits for another one to end.
    """
    if stalls is None:
        stalls = status.stalls if status is not None and _is_fresh(status, now) else ()
    facts = Facts(
        now=now,
        broker=mask_url(str(app.connection_for_read().as_uri())),
        event_exchange=str(app.conf.event_exchange),
        is_standby=is_standby,
        confs=confs,
        stalls=stalls,
        has_backend=bool(app.conf.result_backend) if _is_users(app) else None,
        flower_beside=is_flower_beside(),
    )
    if reader is not None:
        facts = _with_history(facts, reader)
    is_empty = not confs and not any(is_alive(worker) for worker in facts.workers)
    return msgspec.structs.replace(facts, **_ask_broker(app, look_around=is_empty))


def _is_fresh(status: CollectorStatus, now: float) -> bool:
    return status.state != "stopped" and is_believed(status, now)


def _is_users(app: Celery) -> bool:
    """It was loaded, not made by us from a broker's URL: its settings are the cluster's."""
    return any(not name.startswith("celery.") for name in app.tasks)


def _with_history(facts: Facts, reader: HistoryReader) -> Facts:
    try:
        counted: Counter[str] = Counter()
        for by_type in reader.fetch_event_totals().values():
            counted.update(by_type)
        return msgspec.structs.replace(facts, workers=reader.fetch_workers(), counted=counted)
    except StoreError:
        return facts  # readiness says what is wrong with it


def _ask_broker(app: Celery, *, look_around: bool) -> dict[str, Any]:
    """What of the facts only the broker can tell."""
    told: dict[str, Any] = {}
    try:
        with app.connection_for_read(connect_timeout=PATIENCE) as connection:
            if "fanout" not in connection.transport.implements.exchange_type:
                told["transport_error"] = (
                    f"kombu's transport {connection.transport.driver_name} cannot broadcast."
                )
                return told
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=PATIENCE)
            if look_around and connection.transport.driver_type == "redis":
                told["place"], told["other_places"] = _look_around(connection)
    except Exception as error:  # drivers raise what they like
        told["broker_error"] = f"{type(error).__name__}: {mask_url(str(error))}"
    return told


def _look_around(connection: Connection) -> tuple[str, list[str]]:
    """Where Celery's bindings lie in Redis: our own place, and the others. Bounded, and reads only."""
    channel: Any = connection.default_channel
    pool = channel.client.connection_pool
    own = (int(pool.connection_kwargs.get("db") or 0), str(channel.global_keyprefix or ""))
    databases = _databases(channel, own[0])
    found = {(database, prefix) for database in databases for prefix in _prefixes(pool, database, own[0])} - {
        own
    }
    return _place(*own), [_place(*place) for place in sorted(found)]


def _databases(channel: Any, own: int) -> list[int]:
    """The databases that hold anything; our own where Redis does not say."""
    try:
        held = channel.client.info("keyspace")
    except Exception:  # a rule of access may forbid it
        return [own]
    numbers = [int(name[2:]) for name in held if name[:2] == "db" and name[2:].isdigit()]
    return sorted({own, *numbers})[:_MOST_DATABASES]


def _prefixes(pool: Any, database: int, own: int) -> set[str]:
    """What stands before kombu's bindings in this database."""
    from redis import ConnectionPool, Redis

    if database != own:
        if type(pool) is not ConnectionPool:
            return set()  # behind Sentinel there is one database only
        kwargs = {**pool.connection_kwargs, "db": database}
        pool = ConnectionPool(connection_class=pool.connection_class, **kwargs)
    try:
        keys = Redis(connection_pool=pool).scan_iter(match=f"*{_BINDING}*", count=1000)
        names = [
            key.decode("utf-8", "replace") if isinstance(key, bytes) else key
            for key in islice(keys, _MOST_KEYS)
        ]
    finally:
        if database != own:
            pool.disconnect()
    return {name[: name.index(_BINDING)] for name in names}


def _place(database: int, prefix: str) -> str:
    return f"database {database}" + (f" under the prefix {prefix!r}" if prefix else "")
