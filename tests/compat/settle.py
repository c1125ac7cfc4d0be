"""Waits until both monitors have seen the last event: the comparison is about answers, not about speed."""

import json
import urllib.request
from collections.abc import Mapping
from typing import Any

from tests.compat.cluster import GONE, WORKERS, Cluster, Monitor, wait_until

#: The last of the events: a revoked task ends when its countdown is over.
LAST = {
    "revoked": "REVOKED",
    "terminated": "REVOKED",
    "waiting": "RETRY",
    "held": "STARTED",
    "unregistered": "FAILURE",
}
#: Variants in which tasks can be read without credentials; the others see the same events.
READABLE = {"open": "", "prefix": "/mon/itor", "read_only": "", "purge": ""}


def lose_workers(cluster: Cluster) -> None:
    """Let workers come, be noticed by both monitors, do a task and go.

    Raises:
        TimeoutError: Somebody did not notice them.
    """
    cluster.start_passing_workers()
    wait_until(lambda: count_events(cluster, "worker-heartbeat"), 60, "heartbeats of the passing workers")
    candidate = cluster.pairs["open"][1]
    if candidate.kind == "umbel":  # Flower only inspects when it starts
        wait_until(lambda: GONE.keys() <= fetch(candidate, "/api/workers").keys(), 60, "inspection of them")
    cluster.send_farewells()
    wait_until(lambda: count_events(cluster, "task-succeeded"), 60, "the last tasks of the passing workers")
    cluster.end_passing_workers()


def count_events(cluster: Cluster, kind: str) -> bool:
    """Tell whether both open monitors have counted an event of this kind from each passing worker."""
    for monitor in cluster.pairs["open"]:
        rows = {row["hostname"]: row for row in fetch(monitor, "/workers?json=1")["data"]}
        if not all(rows.get(name, {}).get(kind) for name in GONE):
            return False
    return True


def wait_for_all_events(cluster: Cluster, ids: Mapping[str, str]) -> None:
    """Wait until every readable monitor knows as many tasks as the first Flower, in their last states.

    Raises:
        TimeoutError: A monitor never got there; its log is in the message.
    """
    reference = cluster.pairs["open"][0]
    for variant, prefix in READABLE.items():
        for monitor in cluster.pairs[variant]:
            try:
                wait_until(lambda m=monitor, p=prefix: has_all(m, p, reference, ids), 30, monitor.child.name)
            except TimeoutError as error:
                raise TimeoutError(f"{error}\n{cluster.read_log(monitor)}") from error


def has_all(monitor: Monitor, prefix: str, reference: Monitor, ids: Mapping[str, str]) -> bool:
    """Tell whether `monitor` has caught up with `reference`."""
    tasks = fetch_states(monitor, prefix)
    last = all(tasks.get(ids[name]) == state for name, state in LAST.items())
    return last and len(tasks) >= len(fetch_states(reference, "")) and knows_who_is_gone(monitor, prefix)


def knows_who_is_gone(monitor: Monitor, prefix: str) -> bool:
    """Tell whether `monitor` shows those workers as online that are."""
    online = fetch(monitor, f"{prefix}/api/workers?status=1")
    return not any(online.get(name) for name in GONE) and all(online.get(name) for name in WORKERS)


def fetch_states(monitor: Monitor, prefix: str) -> dict[str, str]:
    """Return the state of every task."""
    return {task_id: task["state"] for task_id, task in fetch(monitor, f"{prefix}/api/tasks").items()}


def fetch(monitor: Monitor, target: str) -> dict[str, Any]:
    """Return a JSON object."""
    with urllib.request.urlopen(f"http://127.0.0.1:{monitor.port}{target}", timeout=30) as response:
        found: dict[str, Any] = json.load(response)
    return found
