"""Child processes that never outlive the demo: started in their own group, watched, stopped, their log kept.

Knows nothing of Celery; `run` and `broker` start their children here.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

#: prctl(2): have the kernel send a signal to this process when its parent is gone. Linux only.
PR_SET_PDEATHSIG = 1


class Child:
    """A child process with all that it forks, as one process group; its output goes to `log`."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        folder: Path,
        environment: dict[str, str],
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        """Start `command` in `folder`; `name` is what messages call it.

        Raises:
            OSError: The program cannot be started.
        """
        self.name = name
        self.log = folder / f"{name}.log"
        self._stop_signal = stop_signal
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # The demo has one thread only, so nothing can hold a lock over the fork.
                preexec_fn=make_death_watch(stop_signal),
            )
        self.pid = self._process.pid

    def fetch_exit_code(self) -> int | None:
        """Return the exit code, negative for a signal, or None while it runs."""
        return self._process.poll()

    def read_last_lines(self, count: int = 15) -> list[str]:
        """Return the end of what it wrote."""
        return self.log.read_text("utf-8", "replace").splitlines()[-count:]

    def send_stop(self) -> None:
        """Ask the process itself to end; it takes its own children along."""
        if self._process.poll() is None:
            self._process.send_signal(self._stop_signal)

    def wait(self, deadline: float) -> bool:
        """Wait for its end until `deadline` (monotonic seconds); return whether it has ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(max(0.0, deadline - time.monotonic()))
        return self._process.returncode is not None

    def kill_group(self) -> None:
        """Kill whatever is left of the process and its offspring."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()


def make_death_watch(sent: signal.Signals) -> Callable[[], None] | None:
    """Return what a child runs before its program: die with the parent, even if that is killed outright.

    Returns:
        None where the system has no such call; the process group is all there is then.
    """
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def watch() -> None:
        prctl(PR_SET_PDEATHSIG, int(sent))
        if os.getppid() != parent:
            os._exit(1)

    return watch


class Janitor:
    """A helper process that ends the groups it was told of and removes the folder if we are killed outright."""

    def __init__(self, folder: Path) -> None:
        """Start it; it notices our end by the end of its input."""
        command = [sys.executable, "-I", str(Path(__file__).with_name("janitor.py"))]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True, text=True)
        self._tell(str(folder))

    def watch(self, child: Child) -> None:
        """Have the group of `child` ended with us."""
        self._tell(str(child.pid))

    def dismiss(self) -> None:
        """End it; what it was told of has to be over already."""
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait()

    def _tell(self, line: str) -> None:
        assert self._process.stdin
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()


def stop_all(children: Sequence[Child], patience: float) -> None:
    """Stop `children` together: ask, wait `patience` seconds in all, then kill what remains."""
    for child in children:
        child.send_stop()
    deadline = time.monotonic() + patience
    for child in children:
        child.wait(deadline)
    for child in children:
        child.kill_group()
