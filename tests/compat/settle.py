"""Waits until both monitors have seen the last event: the comparison is about answers, not about speed."""

import json
import urllib.request
from collections.abc import Callable, Collection, Mapping
from typing import Any

from tests.compat.client import write_authorization
from tests.compat.cluster import GONE, LATE, USERS, WORKERS, Cluster, Monitor, wait_until
from tests.compat.exposition import Samples, read_families

#: The last of the events: a revoked task ends when its countdown is over.
LAST = {
    "revoked": "REVOKED",
    "terminated": "REVOKED",
    "waiting": "RETRY",
    "held": "STARTED",
    "unregistered": "FAILURE",
}
EXECUTING = "flower_worker_number_of_currently_executing_tasks"
#: Seconds for the slowest monitor on a busy machine.
PATIENCE = 60.0


def lose_workers(cluster: Cluster) -> None:
    """Let workers come, be noticed by both monitors, do a task and go.

    Raises:
        TimeoutError: Somebody did not notice them.
    """
    cluster.start_passing_workers()
    wait_until(lambda: tell_of_load(cluster), PATIENCE, "heartbeats of the passing workers")
    candidate = cluster.pairs["open"][1]
    if candidate.kind == "umbel":  # Flower only inspects when it starts
        wait_until(lambda: has_inspected(candidate, GONE), PATIENCE, "inspection of them")
    cluster.send_farewells()
    wait_until(lambda: count_events(cluster, "task-succeeded"), 60, "the last tasks of the passing workers")
    cluster.end_passing_workers()


def add_late_worker(cluster: Cluster) -> None:
    """Start the worker for the commands; return when Umbel has inspected it. (Flower is told to by the first case.)

    Raises:
        TimeoutError: It did not.
    """
    cluster.start_late_worker()
    for monitor in cluster.pairs["open"]:
        wait_for(cluster, monitor, lambda monitor: knows_worker(monitor, LATE))
        if monitor.kind == "umbel":
            wait_for(cluster, monitor, lambda monitor: has_inspected(monitor, [LATE]))


def knows_worker(monitor: Monitor, name: str) -> bool:
    """Tell whether `monitor` has heard of this worker."""
    return any(row["hostname"] == name for row in fetch(monitor, "/workers?json=1")["data"])


def tell_of_load(cluster: Cluster) -> bool:
    """Tell whether both open monitors say how many tasks each passing worker runs.

    Flower knows it from a heartbeat sent at its time, not from one that somebody asked for, which lacks the number.
    """
    pair = [fetch_samples(monitor, EXECUTING) for monitor in cluster.pairs["open"]]
    return all(GONE.keys() <= {dict(labels)["worker"] for _, labels in samples} for samples in pair)


def count_events(cluster: Cluster, kind: str) -> bool:
    """Tell whether both open monitors have counted an event of this kind from each passing worker."""
    for monitor in cluster.pairs["open"]:
        rows = {row["hostname"]: row for row in fetch(monitor, "/workers?json=1")["data"]}
        if not all(rows.get(name, {}).get(kind) for name in GONE):
            return False
    return True


def wait_for_all_events(cluster: Cluster, ids: Mapping[str, str]) -> None:
    """Wait until the first Flower knows all tasks in their last states, and every other monitor all it knows.

    Raises:
        TimeoutError: A monitor never got there; its log is in the message.
    """
    reference = cluster.pairs["open"][0]
    wait_for(cluster, reference, lambda monitor: are_at_their_end(monitor, ids))
    for monitor in (monitor for pair in cluster.pairs.values() for monitor in pair):
        wait_for(cluster, monitor, lambda monitor: count_task_events(monitor) == count_task_events(reference))
        wait_for(cluster, monitor, knows_who_is_there)
        if monitor.kind == "umbel" and monitor.variant != "closed":
            wait_for(cluster, monitor, lambda monitor: has_inspected(monitor, WORKERS))


def wait_for(cluster: Cluster, monitor: Monitor, condition: Callable[[Monitor], bool]) -> None:
    """Wait until `condition` holds of `monitor`."""
    try:
        wait_until(lambda: condition(monitor), PATIENCE, monitor.child.name)
    except TimeoutError as error:
        raise TimeoutError(f"{error}\n{cluster.read_log(monitor)}") from error


def are_at_their_end(monitor: Monitor, ids: Mapping[str, str]) -> bool:
    """Tell whether `monitor` shows the last tasks in their last states."""
    states = {task_id: task["state"] for task_id, task in fetch(monitor, "/api/tasks").items()}
    return all(states.get(ids[name]) == state for name, state in LAST.items())


def count_task_events(monitor: Monitor) -> float:
    """Return how many events of tasks `monitor` has counted from the workers that stay."""
    return sum(
        value
        for (name, pairs), value in fetch_samples(monitor, "flower_events").items()
        if name.endswith("_total")
        and (labels := dict(pairs))["worker"] in WORKERS
        and labels["type"].startswith("task-")
    )


def knows_who_is_there(monitor: Monitor) -> bool:
    """Tell whether `monitor` says of the workers that live that they are online, and of no other.

    Flower says so of a killed one for ever.
    """
    found = fetch_samples(monitor, "flower_worker_online")
    online = {dict(labels)["worker"] for (_, labels), value in found.items() if value}
    return online - (GONE.keys() if monitor.kind == "flower" else set()) == WORKERS.keys()


def has_inspected(monitor: Monitor, workers: Collection[str]) -> bool:
    """Tell whether `monitor` has asked all these workers."""
    return set(workers) <= fetch(monitor, "/api/workers").keys()


def fetch_samples(monitor: Monitor, family: str) -> Samples:
    """Return a metric's values by name and labels."""
    return read_families(fetch_text(monitor, "/metrics")).get(family, ("", "", {}))[2]


def fetch(monitor: Monitor, target: str) -> dict[str, Any]:
    """Return a JSON object."""
    found: dict[str, Any] = json.loads(fetch_text(monitor, target))
    return found


def fetch_text(monitor: Monitor, target: str) -> str:
    """Return an answer of `monitor`, below its prefix and with a user's credentials where it wants them."""
    prefix = "/mon/itor" if monitor.variant == "prefix" else ""
    request = urllib.request.Request(f"http://127.0.0.1:{monitor.port}{prefix}{target}")
    if monitor.variant == "basic":
        request.add_header("Authorization", write_authorization(USERS[0]))
    with urllib.request.urlopen(request, timeout=30) as response:
        return str(response.read().decode())
