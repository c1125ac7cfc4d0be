"""`python -m benchmarks [--quick] [PART …]`: all benchmarks or some, one after the other, each its own process."""

import argparse
import subprocess
import sys

PARTS = ("ingest", "rabbitmq", "cpu", "memory", "latency", "load", "restart", "growth", "soak")


def main() -> int:
    """Run the parts; return 1 when one of them lost something, was wrong or broke."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="a first look: smaller, once; not for quoting")
    chosen = parser.parse_args()
    if unknown := set(chosen.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    options = ["--quick"] if chosen.quick else []
    failed = []
    for part in chosen.parts or PARTS:
        print(f"\n== {part}", flush=True)
        if subprocess.run([sys.executable, "-m", f"benchmarks.{part}", *options]).returncode:
            failed.append(part)
    if failed:
        print(f"\nNot right: {', '.join(failed)}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
