"""One child process in its own session: start, wait until ready, freeze, kill, stop, and leave nothing.

Leaves what to run and when it is ready to its subclasses. Used by every other module of this package.
"""

import contextlib
import fcntl
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Self, TypeVar

import psutil
import pytest

T = TypeVar("T")

#: Variables that would reach into the programs under test from the developer's shell.
FOREIGN_PREFIXES = (
    *("UMBEL_", "FLOWER_", "CELERY_", "RABBITMQ_", "PYTEST_"),
    *("STATE_DIRECTORY", "PYTHONPATH"),
)


def wait_for(
    condition: Callable[[], T],
    timeout: float = 10.0,
    *,
    message: str | Callable[[], str] = "",
    retry: tuple[type[Exception], ...] = (),
) -> T:
    """Call `condition` until it is true and return what it said.

    Args:
        timeout: Seconds of patience.
        message: What the failure says, text or a function that makes it.
        retry: Exceptions that mean 'not yet'.
    Raises:
        AssertionError: It was never true in time.
    """
    deadline = time.monotonic() + timeout
    last: object = None
    while True:
        try:
            last = answer = condition()
            if answer:
                return answer
        except retry as exc:
            last = exc
        if time.monotonic() >= deadline:
            said = message() if callable(message) else message
            raise AssertionError(f"Not in {timeout} s: {said or condition} (last: {last!r})")
        time.sleep(0.03)


#: Locked files that keep ports for this process: others of the same test run look for ports at the same time.
_KEPT: list[IO[bytes]] = []


def free_port() -> int:
    """Return a loopback port that nobody listens on, and that no other caller gets as long as this process lives.

    It lies below the kernel's range for outgoing connections, so that a stopped server finds its port
    free when it comes back.
    """
    folder = Path(tempfile.gettempdir()) / f"umbel-test-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    for _ in range(200):
        port = random.randrange(15_000, 32_000)
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            lock = stack.enter_context((folder / str(port)).open("wb"))
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
            _KEPT.append(lock)
            stack.pop_all()
            return port
    raise OSError("No free port between 15000 and 32000.")


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment without settings that programs under test would read, plus `extra`."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN_PREFIXES)}
    return kept | {"PYTHONUNBUFFERED": "1"} | dict(extra or {})


def find_program(*names: str) -> str:
    """Return the path of the first program found; skip the test without it, or fail it in CI."""
    folders = os.environ.get("PATH", os.defpath) + ":/usr/local/sbin:/usr/sbin:/sbin"
    for name in names:
        if found := shutil.which(name, path=folders):
            return found
    message = f"{' or '.join(names)} is not installed: run scripts/install-servers"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


class Server(ABC):
    """A child process in its own process group, with a folder for its files and its output in a log."""

    #: Seconds to wait until the server is ready.
    patience = 30.0
    name = "server"
    #: Names of the program, the best first; none for what runs in this interpreter.
    programs: Sequence[str] = ()

    def __init__(self, *, folder: Path | None = None, environment: Mapping[str, str] | None = None) -> None:
        self.program = find_program(*self.programs) if self.programs else sys.executable
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        if folder is None:
            self._temporary = tempfile.TemporaryDirectory(
                prefix=f"{self.name}-",
                ignore_cleanup_errors=True,  # a killed server's last write may race with it
            )
            folder = Path(self._temporary.name)
        self.folder = folder
        self.extra_environment = dict(environment or {})
        self.process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> Sequence[str]:
        """Return the program and its arguments."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Tell whether the server does its work; `OSError` means no."""

    def environment(self) -> dict[str, str]:
        """Return the whole environment of the child."""
        return clean_environment(self.extra_environment)

    @property
    def working_folder(self) -> Path:
        """The folder the child runs in."""
        return self.folder

    @property
    def log_file(self) -> Path:
        """Where the child's output goes, from all its starts."""
        return self.folder / f"{self.name}.log"

    def log(self) -> str:
        """Return all that the child has printed, from all its starts."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def log_now(self) -> str:
        """Return what the child has printed since its latest start."""
        return self.log()[self._log_start :]

    @property
    def pid(self) -> int:
        """The child's process id, which is also its group's."""
        assert self.process is not None, f"{self.name} was never started"
        return self.process.pid

    def is_running(self) -> bool:
        """Tell whether the child itself lives."""
        return self.process is not None and self.process.poll() is None

    def launch(self) -> Self:
        """Start the child and return at once."""
        assert not self.is_running(), f"{self.name} already runs"
        self._log_start = len(self.log())
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                list(self.command()),
                cwd=self.working_folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    def start(self) -> Self:
        """Start the child and return when it is ready; a child that can't is stopped and explained."""
        self.launch()
        try:
            self.wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def wait_until_ready(self, timeout: float | None = None) -> None:
        """Return when the server does its work.

        Raises:
            AssertionError: It ended or was not ready in `timeout` seconds; holds the end of its log.
        """

        def ready_or_dead() -> bool:
            return not self.is_running() or self.is_ready()

        wait_for(
            ready_or_dead,
            timeout or self.patience,
            message=lambda: f"{self.name} is not ready:\n{self.log()[-4000:]}",
            retry=(OSError,),
        )
        assert self.is_running(), f"{self.name} ended with {self.exit_code()}:\n{self.log()[-4000:]}"

    def exit_code(self) -> int | None:
        """Return how the child ended, None while it runs; a signal is a negative number."""
        return None if self.process is None else self.process.poll()

    def wait(self, timeout: float = 10.0) -> int:
        """Return the exit code once the child has ended by itself."""
        assert self.process is not None
        return self.process.wait(timeout)

    def freeze(self) -> None:
        """Stop every process of the group where it stands: connections stay open and nobody answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen server go on."""
        self._signal(signal.SIGCONT)

    def kill9(self) -> None:
        """Kill the whole process group at once, as the kernel or a power cut would."""
        self._signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait(10)

    def terminate(self, timeout: float = 20.0) -> int:
        """Ask the child (alone) to end and return its exit code.

        Raises:
            subprocess.TimeoutExpired: It did not end in `timeout` seconds.
        """
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(timeout)

    def restart(self) -> None:
        """End the server if it runs, then start it again with the same ports and files."""
        self.stop()
        self.start()

    def stop(self, timeout: float = 10.0, *, gently: bool = True) -> None:
        """End the child and whatever it started, gently first, then by force. Files stay for a restart."""
        if self.process is None:
            return
        family = self._find_family()
        self.thaw()
        with contextlib.suppress(subprocess.TimeoutExpired):
            if gently and self.is_running():
                self.terminate(timeout)
        self.kill9()
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        wait_for(lambda: all(map(has_ended, family)), 5, message=f"the processes of {self.name} don't end")

    def close(self) -> None:
        """Stop for good and remove the temporary folder."""
        self.stop()
        if self._temporary is not None:
            self._temporary.cleanup()

    def __enter__(self) -> Self:
        """Start, unless it already runs."""
        if self.is_running():
            return self
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *exc_info: object) -> None:
        """Stop for good."""
        self.close()

    _log_start = 0

    def _find_family(self) -> list[psutil.Process]:
        # Children in sessions of their own escape the group's signals: remember them by descent.
        try:
            return psutil.Process(self.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def _signal(self, number: signal.Signals) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, number)


def has_ended(process: psutil.Process) -> bool:
    """Tell whether a process is gone, or only waits for somebody to ask how it ended."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def port_answers(port: int) -> bool:
    """Tell whether somebody accepts connections on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
