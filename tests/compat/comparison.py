"""The whole comparison: a cluster, the events of its life, every read, then every command."""

from pathlib import Path

from tests.compat.allowances import read_allowances
from tests.compat.cluster import Broker, Cluster
from tests.compat.commands import list_commands
from tests.compat.settle import add_late_worker, lose_workers, wait_for_all_events
from tests.compat.verdict import Outcome, run_cases


def run_comparison(
    folder: Path, *, broker: Broker = "redis", candidate: str = "umbel", only: str = "*"
) -> list[Outcome]:
    """Ask Flower and the candidate every case whose name fits `only`, and return what came of each."""
    allowances = read_allowances() if candidate == "umbel" else ()
    cluster = Cluster(folder, candidate, broker)
    try:
        cluster.start()
        lose_workers(cluster)
        ids = cluster.send_tasks()
        wait_for_all_events(cluster, ids)
        reads = run_cases(cluster, ids, allowances, only)
        add_late_worker(cluster)
        return reads + run_cases(cluster, ids, allowances, only, list_commands())
    finally:
        cluster.stop()


def list_deviations(outcomes: list[Outcome]) -> list[str]:
    """Return the first differences of each case that are not meant, with its name."""
    return [
        f"{outcome.case.name}\n    {deviation}"
        for outcome in outcomes
        for deviation in outcome.deviations[:5]
    ]
