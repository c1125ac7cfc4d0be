"""Cleans up after a demo that could not do it itself, because it was killed outright.

A process of its own, run as a script by `run`: reads the demo's pipe and does its work when that ends. The first
line is the demo's folder, each further line the number of a process group. Needs the standard library only.
"""

import contextlib
import os
import shutil
import signal
import sys


def main() -> None:
    """Wait for the end of the demo, then kill its process groups and remove its folder."""
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, signal.SIG_IGN)
    folder, *groups = [line.rstrip("\n") for line in sys.stdin]
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(int(group), signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
