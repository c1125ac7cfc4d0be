"""`python -m tests.compat`: compare by hand and print every deviation; with `--write`, write the table instead."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.compat.allowances import read_allowances
from tests.compat.cases import list_cases
from tests.compat.cluster import Broker
from tests.compat.commands import list_commands
from tests.compat.comparison import run_comparison
from tests.compat.report import DOCUMENT, write_document


def main() -> int:
    """Return 1 when there is a deviation."""
    parser = argparse.ArgumentParser(prog="python -m tests.compat", description=__doc__)
    parser.add_argument(
        "--candidate", choices=("umbel", "flower"), default="umbel", help="what Flower is compared with"
    )
    parser.add_argument("--broker", choices=("redis", "rabbitmq"), default="redis")
    parser.add_argument("--only", default="*", help="glob over case names")
    parser.add_argument("--write", action="store_true", help=f"write {DOCUMENT.name}, without comparing")
    chosen = parser.parse_args()
    if chosen.write:
        write_document([*list_cases(), *list_commands()], read_allowances())
        return 0
    return compare_by_hand(chosen.candidate, chosen.only, chosen.broker)


def compare_by_hand(candidate: str, only: str, broker: Broker) -> int:
    """Run the cases that fit `only`; return 1 when there is a deviation."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="umbel-compat-") as folder:
        outcomes = run_comparison(Path(folder), broker=broker, candidate=candidate, only=only)
    bad = [outcome for outcome in outcomes if outcome.deviations]
    for outcome in bad:
        print(f"{outcome.case.endpoint} | {outcome.case.parameter} | {outcome.case.name}")
        for deviation in outcome.deviations[:12]:
            print(f"    {deviation}")
    print(f"{len(outcomes)} cases, {len(bad)} deviate, in {time.monotonic() - began:.0f} s")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
