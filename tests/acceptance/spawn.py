"""Runs the installed command lines to their end, as a user's shell would."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.servers import clean_environment

#: Seconds that a command which does not serve may take on a busy machine.
PATIENCE = 60.0


def run_module(
    module: str, *words: str, folder: Path, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `python -m MODULE WORDS…` in a folder; standard output and error as text."""
    return subprocess.run(
        [sys.executable, "-m", module, *words],
        cwd=folder,
        env=clean_environment({"XDG_STATE_HOME": str(folder / "state"), **(environment or {})}),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def only_line(answer: subprocess.CompletedProcess[str]) -> str:
    """The one line a refused start prints; asserts exit code 1 and that there is nothing else."""
    assert answer.returncode == 1, answer.stderr
    assert answer.stdout == ""
    lines = answer.stderr.splitlines()
    assert len(lines) == 1, answer.stderr
    return lines[0]
