"""What a benchmark prints: the machine, one table, a verdict line for each claim; and the arithmetic behind them."""

import argparse
import importlib.metadata
import math
import os
import platform
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Report:
    """The outcome of one benchmark. A missed target is told; only what is lost or wrong makes it fail."""

    title: str
    headers: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    verdicts: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def add_row(self, *cells: str) -> None:
        """Add a row, and print it at once: a benchmark may take an hour."""
        self.rows.append(cells)
        print("  ".join(cells), flush=True)

    def claim_at_least(self, claim: str, measured: float, target: float, unit: str = "×") -> None:
        """Judge a figure that should be large."""
        self._judge(claim, f"{measured:.1f} {unit} (≥ {target:g} {unit})", measured >= target)

    def claim_at_most(self, claim: str, measured: float, target: float, unit: str) -> None:
        """Judge a figure that should be small."""
        self._judge(claim, f"{measured:.4g} {unit} (≤ {target:.4g} {unit})", measured <= target)

    def _judge(self, claim: str, figures: str, holds: bool) -> None:
        self.verdicts.append(f"{claim}: {figures} {'ok' if holds else 'MISSED'}")

    def note(self, text: str) -> None:
        """Add a line that judges nothing."""
        self.verdicts.append(text)

    def require(self, what: str, wrong: int) -> None:
        """Fail when `wrong` of `what` is not 0."""
        self.verdicts.append(f"{what}: {wrong} (= 0) {'FAULT' if wrong else 'ok'}")
        if wrong:
            self.faults.append(f"{what}: {wrong}")

    def finish(self) -> int:
        """Print everything; return the exit code."""
        print(f"\n{self.title}\n{describe_machine()}\n")
        if self.rows:
            print(write_table(self.headers, self.rows))
        print("\n" + "\n".join(self.verdicts), flush=True)
        return 1 if self.faults else 0


def write_table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table whose columns are aligned as text too; the first one to the left."""
    lines = [list(headers), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headers))]
    lines.insert(
        1,
        [
            ("-" if not column else "") + "-" * (width - 1) + (":" if column else "")
            for column, width in enumerate(widths)
        ],
    )
    return "\n".join(
        "| "
        + " | ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        + " |"
        for line in lines
    )


def find_percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least `share` (0 to 1) of all values do not exceed: nearest rank, made up of
    nothing that was not measured."""
    if not values:
        raise ValueError("no values")
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def describe_machine() -> str:
    """Return processor, cores, load and versions in one line."""
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}" for name in ("celery", "kombu", "redis", "umbel")
    )
    load = os.getloadavg()[1]
    return (
        f"{find_processor()}, {os.cpu_count()} cores, load {load:.1f}; {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, {versions}"
    )


def find_processor() -> str:
    """Return the processor's name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def make_parser(module: str, description: str | None) -> argparse.ArgumentParser:
    """Return a parser with the options that every benchmark has."""
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{module}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="a first look: smaller, once; not for quoting")
    return parser


def say(text: str) -> None:
    """Print what is being done, apart from the results."""
    print(f"… {text}", file=sys.stderr, flush=True)
