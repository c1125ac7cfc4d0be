"""A machine with Python, git and make: a fresh clone's `make demo`, and the wheel in an empty virtualenv.

Each must show, in a real browser, two online workers and tasks in at least five states within two minutes, changing
without a reload; and leave nothing running behind. The minutes of the clone begin with `make demo`, which installs all
that it needs; those of the wheel when it is installed.
"""

import os
import re
import signal
import subprocess
import sys
import time
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Page, sync_playwright

from tests.servers import clean_environment, find_program, free_port, wait_for
from tests.ui.conftest import QUIET

pytestmark = pytest.mark.prove

ROOT = Path(__file__).parents[2]


@contextmanager
def running(command: Sequence[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The command in a session of its own; Ctrl-C at the end must stop it and all that it started."""
    log = folder / "demo.log"
    family: list[psutil.Process] = []
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=clean_environment(), stdout=output, stderr=output, start_new_session=True
        )
        try:
            yield process
            family = psutil.Process(process.pid).children(recursive=True)
        finally:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(60)
    wait_for(lambda: not any(child.is_running() for child in family), 20, message=f"left: {family}")


def look(page: Page) -> tuple[int, set[str], str]:
    """Online workers, states of tasks, and the whole text of the Dashboard."""
    text = page.inner_text("main")
    online = len(re.findall(r"\bonline\b(?!\s+workers)", text, re.IGNORECASE))
    states = set(re.findall(r"\b(PENDING|RECEIVED|STARTED|SUCCESS|FAILURE|RETRY|REVOKED|REJECTED)\b", text))
    return online, states, text


def watch(url: str, begun: float) -> None:
    """Open the Dashboard and wait for what a first-time user is promised."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_program("chromium"), args=list(QUIET))
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(url)
        page.evaluate("window.neverReloaded = true")
        wait_for(lambda: look(page)[0] >= 2 and len(look(page)[1]) >= 5, 110)
        taken = time.monotonic() - begun
        print(f"two workers, five states, after {taken:.0f} s")
        assert taken < 120
        before = look(page)[2]
        wait_for(lambda: look(page)[2] != before, 20)
        assert page.evaluate("window.neverReloaded") is True
        browser.close()


@pytest.mark.timeout(1200)
def test_make_demo_in_a_fresh_clone(tmp_path: Path) -> None:
    clone = tmp_path / "umbel"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    begun, port = time.monotonic(), free_port()
    with running(["make", "demo", f"ARGS=--port {port}"], clone) as demo:
        url = f"http://127.0.0.1:{port}/"
        wait_for(lambda: url in (clone / "demo.log").read_text() or demo.poll() is not None, 300)
        watch(url, begun)


@pytest.mark.timeout(1200)
def test_the_wheel_in_an_empty_virtualenv(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    build = [sys.executable, "-m", "uv", "build", "--wheel", "--out-dir", str(wheels), str(ROOT)]
    subprocess.run(build, env=clean_environment(), check=True)
    (wheel,) = wheels.glob("umbel-*.whl")
    venv.create(tmp_path / "empty", with_pip=True)
    binaries = tmp_path / "empty" / "bin"
    subprocess.run(
        [binaries / "pip", "install", "--quiet", f"{wheel}[demo]"], env=clean_environment(), check=True
    )
    installed, port = time.monotonic(), free_port()
    with running([str(binaries / "umbel"), "demo", "--port", str(port)], tmp_path) as demo:
        url = f"http://127.0.0.1:{port}/"
        wait_for(lambda: url in (tmp_path / "demo.log").read_text() or demo.poll() is not None, 120)
        watch(url, installed)
