"""Waits until both monitors have seen the last event: the comparison is about answers, not about speed."""

import json
import urllib.request
from collections.abc import Mapping

from tests.compat.cluster import Cluster, Monitor, wait_until

#: The last of the events: a revoked task ends when its countdown is over.
LAST = {
    "revoked": "REVOKED",
    "terminated": "REVOKED",
    "waiting": "RETRY",
    "held": "STARTED",
    "unregistered": "FAILURE",
}
#: Variants in which tasks can be read without credentials; the others see the same events.
READABLE = {"open": "", "prefix": "/mon/itor", "read_only": ""}


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
    return last and len(tasks) >= len(fetch_states(reference, ""))


def fetch_states(monitor: Monitor, prefix: str) -> dict[str, str]:
    """Return the state of every task."""
    with urllib.request.urlopen(f"http://127.0.0.1:{monitor.port}{prefix}/api/tasks", timeout=30) as response:
        return {task_id: task["state"] for task_id, task in json.load(response).items()}
