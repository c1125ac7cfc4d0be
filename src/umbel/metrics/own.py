"""The `umbel_*` families: how the monitor itself does. One place for their names, types and help texts."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from umbel.metrics.readiness import reasons_not_ready
from umbel.store.base import HistoryReader
from umbel.store.status import CollectorStatus


def own_families(reader: HistoryReader, status: CollectorStatus | None, now: float) -> Iterator[Metric]:
    """Everything about ourselves at `now` (epoch seconds). Without a status only what the store knows."""
    ready = not reasons_not_ready(status, now)
    yield GaugeMetricFamily(
        "umbel_ready",
        "1 while events arrive, proven, and are stored, else 0",
        value=float(ready),
    )
    extent = reader.fetch_extent()
    yield GaugeMetricFamily("umbel_store_tasks", "Stored tasks", value=extent.tasks)
    if extent.since is not None:
        yield GaugeMetricFamily(
            "umbel_store_tasks_since_timestamp_seconds",
            "Retention took finished tasks whose last change was before this",
            value=extent.since,
        )
    yield GaugeMetricFamily("umbel_store_bytes", "Bytes of history on disk", value=extent.bytes)
    yield GaugeMetricFamily(
        "umbel_store_wal_bytes",
        "Bytes of the history's write-ahead log, part of the above",
        value=reader.fetch_wal_size(),
    )
    backlog = reader.fetch_search_backlog()
    if backlog is not None:
        yield GaugeMetricFamily(
            "umbel_search_backlog_rows",
            "About how many tasks the search index does not have: new, changed and unfinished ones",
            value=backlog,
        )
    gaps = reader.fetch_gaps(limit=1000)
    yield GaugeMetricFamily(
        "umbel_gaps",
        "Recorded intervals in which events may be missing",
        value=len(gaps),
    )
    open_gaps = sum(gap.end is None for gap in gaps)
    yield GaugeMetricFamily("umbel_gaps_open", "Such intervals that last until now", value=open_gaps)
    if status is not None:
        yield from _collector_families(status, now)


def _collector_families(status: CollectorStatus, now: float) -> Iterator[Metric]:
    began = status.started
    yield _total("umbel_events", "Events stored since the collector started", status.events, began)
    yield _by_cause("umbel_events_dropped", "Events dropped on purpose, by cause", status.dropped, began)
    yield _by_cause(
        "umbel_messages_malformed", "Messages that could not be read, by cause", status.malformed, began
    )
    reconnects = "Times the connection to the broker was made again"
    yield _total("umbel_source_reconnects", reconnects, status.reconnects, began)
    for name, text, value in (
        ("umbel_ingest_lag_seconds", "Time from the broker to the commit of the newest events", status.lag),
        ("umbel_buffered_bytes", "Received events that wait to be stored", status.buffered_bytes),
        ("umbel_collector_status_age_seconds", "Age of the collector's status", now - status.time),
        (
            "umbel_proof_age_seconds",
            "Time since the broker last proved that events arrive",
            _age(status, now),
        ),
        ("umbel_last_event_timestamp_seconds", "When the last event arrived", status.last_event_at),
    ):
        if value is not None:
            yield GaugeMetricFamily(name, text, value=value)


def _age(status: CollectorStatus, now: float) -> float | None:
    return None if status.proof_at is None else now - status.proof_at


def _total(name: str, text: str, value: int, began: float) -> Metric:
    return CounterMetricFamily(name, text, value=value, created=began)


def _by_cause(name: str, text: str, counts: dict[str, int], began: float) -> Metric:
    family = CounterMetricFamily(name, text, labels=["cause"])
    for cause, count in sorted(counts.items()):
        family.add_metric([cause], count, created=began)
    return family
