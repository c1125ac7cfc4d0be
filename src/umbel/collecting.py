"""What the collector process is told of a run's configuration: plain values only. Made for `app`, which starts it."""

import hashlib
import math
import sys

from celery import Celery

from umbel.config import Config
from umbel.ingest.settings import CollectorSettings, celery_conf_of
from umbel.store.place import Place
from umbel.store.retention import Limits


def collector_settings(config: Config, app: Celery, place: Place) -> CollectorSettings:
    """What the collector process is told."""
    celery, stuck = celery_conf_of(app)
    bounds = limits(config)
    return CollectorSettings(
        celery=celery,
        app_path=_path_of(app) if stuck else None,
        store_path=str(place.path),
        store_id=hashlib.sha256(str(place.path).encode()).hexdigest()[:12],
        max_tasks=bounds.tasks,
        max_age=bounds.age,
        max_bytes=bounds.bytes,
        search_index=config.search_index,
        buckets=finite(config.task_runtime_metric_buckets),
        enable_events=config.enable_events,
        accept_content=tuple(kind for kind in config.accept_content if kind != "json"),
        max_text=config.max_text,
        redact=config.redact,
        redact_names=config.redact_patterns,
        buffer_bytes=config.buffer_bytes,
        spool_bytes=config.spool_bytes,
        worker_grace=config.worker_grace,
        max_workers=config.max_workers,
        queue_expires=config.event_queue_expires,
        queue_max_bytes=config.event_queue_bytes,
        log_level="DEBUG" if config.debug or config.logging == "debug" else "INFO",
    )


def limits(config: Config) -> Limits:
    """What the history may grow to."""
    return Limits(age=config.retention, tasks=config.max_tasks, bytes=config.max_bytes)


def finite(buckets: tuple[float, ...]) -> tuple[float, ...]:
    """Histogram bounds without +Inf, which is always there."""
    return tuple(bound for bound in buckets if bound != math.inf)


def _path_of(app: Celery) -> str | None:
    """`module:name` of an app that some imported module holds; the collector loads it from there."""
    for name, module in list(sys.modules.items()):
        for attribute, value in list(vars(module).items()) if name != "__main__" else ():
            if value is app:
                return f"{name}:{attribute}"
    return None
