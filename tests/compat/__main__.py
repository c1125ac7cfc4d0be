"""`python -m tests.compat`: compare by hand, print every deviation, write the table with `--write`."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.compat.cluster import Cluster
from tests.compat.report import DOCUMENT, write_document
from tests.compat.settle import lose_workers, wait_for_all_events
from tests.compat.verdict import read_allowances, run_cases


def main() -> int:
    """Return 1 when there is a deviation or an unused entry of the allow-list."""
    parser = argparse.ArgumentParser(prog="python -m tests.compat", description=__doc__)
    parser.add_argument(
        "--candidate", choices=("umbel", "flower"), default="umbel", help="what Flower is compared with"
    )
    parser.add_argument("--only", default="*", help="glob over case names")
    parser.add_argument("--write", action="store_true", help=f"write {DOCUMENT.name}")
    chosen = parser.parse_args()
    allowances = read_allowances() if chosen.candidate == "umbel" else ()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="umbel-compat-") as folder:
        cluster = Cluster(Path(folder), chosen.candidate)
        try:
            cluster.start()
            lose_workers(cluster)
            ids = cluster.send_tasks()
            wait_for_all_events(cluster, ids)
            outcomes = run_cases(cluster, ids, allowances, chosen.only)
        finally:
            cluster.stop()
    used = {allowance.id for outcome in outcomes for allowance in outcome.used}
    unused = (
        [allowance.id for allowance in allowances if allowance.id not in used] if chosen.only == "*" else []
    )
    bad = [outcome for outcome in outcomes if outcome.deviations]
    for outcome in bad:
        print(f"{outcome.case.endpoint} | {outcome.case.parameter} | {outcome.case.name}")
        for difference in outcome.deviations[:12]:
            print(f"    {difference}")
    print(f"{len(outcomes)} cases, {len(bad)} deviate, in {time.monotonic() - began:.0f} s; unused: {unused}")
    if chosen.write:
        write_document(outcomes)
    return 1 if bad or unused else 0


if __name__ == "__main__":
    sys.exit(main())
