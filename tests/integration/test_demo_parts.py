"""The demo's parts with real processes, sockets and Celery, without the monitor."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from umbel.demo import broker as demo_broker
from umbel.demo.broker import start_broker, wait_until_ready
from umbel.demo.process import Child, stop_all
from umbel.demo.run import StopSignals, find_port, is_loopback, make_environment, show_host
from umbel.errors import UmbelError


def wait_for_line(child: Child, line: str) -> None:
    deadline = time.monotonic() + 30
    while line not in child.read_last_lines():
        assert time.monotonic() < deadline, child.read_last_lines()
        time.sleep(0.02)


def start_python(code: str, folder: Path) -> Child:
    command = [sys.executable, "-u", "-c", code]
    return Child("python", command, folder=folder, environment=dict(os.environ))


def test_a_child_that_ignores_the_stop_signal_is_killed_with_its_own_children(tmp_path: Path) -> None:
    code = (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print('ready'); time.sleep(600)\n"
    )
    child = start_python(code, tmp_path)
    wait_for_line(child, "ready")
    family = [psutil.Process(child.pid), *psutil.Process(child.pid).children()]
    assert len(family) == 2

    stop_all([child], patience=0.2)

    assert child.fetch_exit_code() == -signal.SIGKILL
    _, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []


def test_the_last_words_of_a_dead_child_are_kept(tmp_path: Path) -> None:
    child = start_python("print('first'); raise SystemExit('no broker, no bread')", tmp_path)
    assert child.wait(time.monotonic() + 10)
    assert child.fetch_exit_code() == 1
    assert child.read_last_lines(1) == ["no broker, no bread"]


def test_the_embedded_broker_needs_its_password_and_ends_with_its_child(tmp_path: Path) -> None:
    broker = start_broker(tmp_path, dict(os.environ))
    assert broker.child is not None
    settings = (tmp_path / "umbel_demo_settings.py").read_text()
    assert (tmp_path / "umbel_demo_settings.py").stat().st_mode & 0o077 == 0
    password, port = (
        settings.split("redis://:")[1].split("@")[0],
        int(settings.split("127.0.0.1:")[1].split("/")[0]),
    )
    command = " ".join(psutil.Process(broker.child.pid).cmdline())
    assert password not in command
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(b"PING\r\n")
        assert connection.recv(64).startswith(b"-NOAUTH")
    assert wait_until_ready(broker.child, port, password)

    stop_all([broker.child], patience=5)

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def test_a_broker_that_cannot_start_is_explained_by_its_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "broken-server"
    script.write_text("#!/bin/sh\necho 'libc is from another century'; exit 3\n")
    script.chmod(0o755)
    monkeypatch.setattr(demo_broker, "find_server", lambda: ("broken", script))
    with pytest.raises(UmbelError, match="libc is from another century"):
        start_broker(tmp_path, dict(os.environ))


@pytest.mark.timeout(60)
def test_without_any_server_the_shop_runs_on_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_broker, "find_server", lambda: None)
    environment = make_environment(tmp_path)
    assert start_broker(tmp_path, environment).child is None
    celery = [sys.executable, "-m", "celery", "-q", "-A", "umbel.demo.shop"]
    worker = Child(
        "worker",
        [*celery, "worker", "-c", "1", "-P", "solo", "-Q", "orders"],
        folder=tmp_path,
        environment=environment,
    )
    code = (
        "from umbel.demo import shop\n"
        "print(shop.place_order.delay(7, 'Zoë Ångström', ['花瓶']).get(timeout=30)['customer'])\n"
    )
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout == "Zoë Ångström\n", done.stderr
    finally:
        stop_all([worker], patience=5)


@pytest.fixture
def heard_hangup() -> Iterator[None]:
    """The tests themselves may have been started with nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("heard_hangup")
def test_a_signal_ends_a_wait_at_once_and_is_counted() -> None:
    with StopSignals() as signals:
        began = time.monotonic()
        for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(os.getpid(), sign)
            signals.wait(30)
        assert signals.count == 3
        assert time.monotonic() - began < 10
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_other_clusters_settings_do_not_reach_the_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CELERY_BROKER_URL", "FLOWER_BASIC_AUTH", "UMBEL_PORT"):
        monkeypatch.setenv(name, "something")
    environment = make_environment(tmp_path)
    left = {name for name in environment if name.startswith(("CELERY_", "FLOWER_", "UMBEL_"))}
    assert left == {"UMBEL_DEMO_SETTINGS"}


def test_the_next_free_port_is_taken_and_a_foreign_address_refused() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        assert taken < find_port("127.0.0.1", taken) < taken + 50
    with pytest.raises(UmbelError, match="192.0.2.1"):
        find_port("192.0.2.1", 5555)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),
        ("", "127.0.0.1"),
        ("::1", "[::1]"),
        ("box", "box"),
    ],
)
def test_the_address_shown_is_one_that_can_be_opened(address: str, shown: str) -> None:
    assert show_host(address) == shown


@pytest.mark.parametrize(
    ("address", "alone"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("", False),
        ("host.example", False),
    ],
)
def test_commands_are_open_only_where_nobody_else_reaches_the_demo(address: str, alone: bool) -> None:
    assert is_loopback(address) is alone
