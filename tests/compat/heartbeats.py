"""Which heartbeats an answer was made of: two answers can be compared where both count the same."""

import json
from collections.abc import Collection

from tests.compat.exposition import read_families

HEARTBEAT = "worker-heartbeat"


def count_heartbeats(text: str, workers: Collection[str]) -> dict[str, float] | None:
    """Return hostname -> heartbeats of `workers` in an answer that counts events; None where it does not."""
    if text.startswith("# HELP"):
        _, _, samples = read_families(text).get("flower_events", ("", "", {}))
        return {
            labels["worker"]: value
            for (name, pairs), value in samples.items()
            if (labels := dict(pairs))["worker"] in workers
            and labels["type"] == HEARTBEAT
            and name.endswith("_total")
        }
    try:
        rows = json.loads(text)["data"]
        return {row["hostname"]: row[HEARTBEAT] for row in rows if row["hostname"] in workers}
    except (ValueError, KeyError, TypeError):
        return None
