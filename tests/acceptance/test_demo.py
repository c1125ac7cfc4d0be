"""`umbel demo` as a user runs it: the installed command on a real terminal, with real processes to count."""

import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

STATES = ("PENDING", "RECEIVED", "STARTED", "SUCCESS", "FAILURE", "RETRY", "REVOKED", "REJECTED")


class Terminal:
    """The demo on a pseudo-terminal of its own, with TMPDIR set to an empty folder."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.text = ""
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "umbel", "demo", f"--port={port}"],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**os.environ, "TMPDIR": str(folder), "CELERY_BROKER_URL": "redis://127.0.0.1:1/0"},
            start_new_session=True,
            preexec_fn=take_terminal,
        )
        os.close(slave)
        os.set_blocking(self._master, False)

    def read(self) -> str:
        """Return all that it has printed so far."""
        try:
            while chunk := os.read(self._master, 65536):
                self.text += chunk.decode()
        except (BlockingIOError, OSError):
            pass
        return self.text

    def wait_for(self, pattern: str, seconds: float) -> re.Match[str]:
        """Wait until it has printed `pattern`."""
        found = until(
            lambda: re.search(pattern, self.read()), seconds, lambda: f"{pattern!r} in {self.read()!r}"
        )
        assert isinstance(found, re.Match)
        return found

    def type(self, keys: bytes) -> None:
        """Type into the terminal."""
        os.write(self._master, keys)

    def hang_up(self) -> None:
        """Close the terminal under its feet."""
        self.read()
        os.close(self._master)
        self._master = os.open(os.devnull, os.O_RDWR)

    def list_offspring(self) -> list[psutil.Process]:
        """Return every process below the demo."""
        children: list[psutil.Process] = psutil.Process(self.process.pid).children(recursive=True)
        return children

    def close(self) -> None:
        """Make sure that a failed test leaves nothing."""
        if self.process.poll() is None:
            offspring = self.list_offspring()
            self.process.kill()
            for process in offspring:
                if process.is_running():
                    process.kill()
        self.process.wait()
        os.close(self._master)


def take_terminal() -> None:
    """In the child: make the terminal on standard input its own, whose end it hears (else after a `nohup`)."""
    os.close(os.open(os.ttyname(0), os.O_RDWR))
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def until(condition: Callable[[], Any], seconds: float, explain: Callable[[], str]) -> Any:
    """Poll until `condition` is truthy and return its value; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.1)
    pytest.fail(f"waited {seconds} s in vain: {explain()}")


def fetch(url: str, **form: str) -> Any:
    """Return the decoded JSON of `url`."""
    with urllib.request.urlopen(f"{url}?{urllib.parse.urlencode(form)}", timeout=10) as response:
        return json.load(response)


def fetch_states(url: str) -> set[str]:
    """Return the states in which there are tasks now."""
    paging = {"draw": "1", "start": "0", "length": "1", "order[0][column]": "0", "order[0][dir]": "asc"}
    columns = {"columns[0][data]": "name"}
    found = {}
    for state in STATES:
        found[state] = fetch(
            f"{url}tasks/datatable", **paging, **columns, **{"search[value]": f"state:{state}"}
        )
    return {state for state, page in found.items() if page["recordsFiltered"]}


def find_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    demo = Terminal(tmp_path, find_port())
    yield demo
    demo.close()


def assert_nothing_is_left(offspring: list[psutil.Process], folder: Path) -> None:
    """Every process seen below the demo is gone, by pid and start time, and so is every file."""
    _, alive = psutil.wait_procs(offspring, timeout=30)
    assert [" ".join(p.cmdline()) for p in alive] == []
    assert list(folder.iterdir()) == []


@pytest.mark.timeout(180)
def test_the_demo_shows_two_workers_and_five_states_and_ctrl_c_leaves_nothing_behind(
    terminal: Terminal,
) -> None:
    url = terminal.wait_for(r"http://127\.0\.0\.1:\d+/", 60)[0]
    workers = until(
        lambda: (
            [row for row in fetch(f"{url}workers", json="1")["data"] if row["status"]][1:] and "both online"
        ),
        30,
        lambda: str(fetch(f"{url}workers", json="1")),
    )
    assert workers == "both online"
    until(lambda: len(fetch_states(url)) >= 5, 30, lambda: str(fetch_states(url)))
    offspring = terminal.list_offspring()
    assert len(offspring) >= 6

    terminal.type(b"\x03")

    assert terminal.process.wait(40) == 0
    assert "nothing is left running" in terminal.read()
    assert_nothing_is_left(offspring, terminal.folder)


@pytest.mark.timeout(180)
def test_a_taken_port_is_passed_over_and_a_killed_worker_reported_and_a_hangup_ends_it(
    tmp_path: Path,
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        demo = Terminal(tmp_path, taken)
        try:
            assert f"Port {taken} is taken" in demo.wait_for(r"Port \d+ is taken", 60).string
            assert f":{taken}/" not in demo.wait_for(r"http://127\.0\.0\.1:\d+/", 60)[0]
            offspring = demo.list_offspring()
            checkout = next(p for p in offspring if any("checkout@" in word for word in p.cmdline()))
            checkout.send_signal(signal.SIGKILL)
            demo.wait_for(r"checkout has ended with exit code -9", 40)
            assert demo.process.poll() is None

            demo.hang_up()

            assert demo.process.wait(40) == 0
            assert_nothing_is_left(offspring, tmp_path)
        finally:
            demo.close()


@pytest.mark.timeout(180)
def test_nothing_survives_a_demo_that_is_killed_outright(terminal: Terminal) -> None:
    terminal.wait_for(r"http://127\.0\.0\.1:\d+/", 60)
    offspring = terminal.list_offspring()

    terminal.process.kill()

    assert_nothing_is_left(offspring, terminal.folder)
