"""`umbel demo`: broker, two workers, beat, customers and the monitor, together until Ctrl-C.

Owns the temporary folder and every process in it; leaves neither behind. `cli` calls `main`.
"""

import contextlib
import ipaddress
import os
import selectors
import shutil
import signal
import socket
import sys
import tempfile
import time
import urllib.error
import urllib.request
import webbrowser
from pathlib import Path
from types import FrameType
from typing import Self

from umbel.demo.broker import SETTINGS_MODULE, start_broker
from umbel.demo.process import Child, Janitor, stop_all
from umbel.errors import UmbelError

#: Seconds until the monitor hears events; a cold start on a small machine takes about 5.
START_PATIENCE = 60.0
#: Seconds that children have to end by themselves.
STOP_PATIENCE = 6.0
#: How many ports after a taken one are tried.
PORT_TRIES = 50
#: Variables of these families would change what the demo shows.
FOREIGN_PREFIXES = ("CELERY_", "FLOWER_", "UMBEL_")
WORKERS = {"checkout": "orders,payments", "warehouse": "warehouse,mail,reports"}


def main(port: int = 5555, address: str = "127.0.0.1", open_browser: bool = False) -> int:
    """Run the demo until it is told to stop.

    Args:
        port: Where the page is served; the next free one if it is taken, 0 for any.
        address: Address to listen on.
        open_browser: Also open the page.
    Returns:
        The exit code: 0 when stopped by Ctrl-C, SIGTERM or the end of the terminal, 1 when something failed.
    """
    with StopSignals() as signals:
        folder = Path(tempfile.mkdtemp(prefix="umbel-demo-"))
        janitor = Janitor(folder)
        demo = Demo(folder, signals, janitor)
        try:
            return demo.run(port, address, open_browser)
        except (UmbelError, OSError) as error:
            say(f"The demo cannot start: {error}")
            return 1
        finally:
            demo.stop()
            shutil.rmtree(folder, ignore_errors=True)
            janitor.dismiss()


class StopSignals:
    """Collects SIGINT, SIGTERM and SIGHUP while in use; a wait ends at once when one comes or a child dies."""

    def __init__(self) -> None:
        #: Signals that asked for the end so far.
        self.count = 0
        self._selector = selectors.DefaultSelector()
        self._reader, self._writer = socket.socketpair()
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Self:
        for end in (self._reader, self._writer):
            end.setblocking(False)
        self._selector.register(self._reader, selectors.EVENT_READ)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            if sign is signal.SIGHUP and signal.getsignal(sign) is signal.SIG_IGN:
                continue  # started with nohup: the terminal's end is no reason
            self._before[sign] = signal.signal(sign, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for sign, handler in self._before.items():
            signal.signal(sign, handler)  # type: ignore[arg-type]
        signal.set_wakeup_fd(-1)
        self._selector.close()
        self._reader.close()
        self._writer.close()

    def _note(self, sign: int, _: FrameType | None) -> None:
        if sign != signal.SIGCHLD:
            self.count += 1

    def wait(self, seconds: float) -> None:
        """Return after `seconds`, or as soon as a signal arrives."""
        self._selector.select(seconds)
        with contextlib.suppress(BlockingIOError):
            self._reader.recv(4096)


class Demo:
    """The processes of one demo, in the order in which they were started."""

    def __init__(self, folder: Path, signals: StopSignals, janitor: Janitor) -> None:
        self._folder = folder
        self._janitor = janitor
        self._signals = signals
        self._environment = make_environment(folder)
        self._broker: Child | None = None
        self._children: list[Child] = []
        self._expected: list[Child] = []

    def run(self, port: int, address: str, open_browser: bool) -> int:
        """Start everything, say where it is, and watch it until a signal or a failure; return the exit code."""
        chosen = find_port(address, port)
        if port not in (chosen, 0):
            say(f"Port {port} is taken, so the page will be on port {chosen}.")
        if is_loopback(address):
            # the shop is there to be played with, and nobody else reaches it
            self._environment["FLOWER_UNAUTHENTICATED_API"] = "true"
        broker = start_broker(self._folder, self._environment)
        self._broker = broker.child
        if broker.child:
            self._janitor.watch(broker.child)
        say(f"Broker: {broker.label}.")
        self._start_cluster(chosen, address)
        url = f"http://{show_host(address)}:{chosen}/"
        if not self._wait_for_page(url):
            return 0 if self._signals.count else 1
        self._start_load()
        say(f"\n    Umbel is watching a small web shop:  {url}\n")
        say(f"Logs: {self._folder}. Stop with Ctrl-C; nothing stays behind.")
        if open_browser:
            webbrowser.open(url)
        return self._watch()

    def _start_cluster(self, port: int, address: str) -> None:
        self._start(
            "monitor", "umbel", f"--port={port}", f"--address={address}", f"--db={self._folder / 'history'}"
        )
        for name, queues in WORKERS.items():
            self._start(
                name,
                *("worker", "-n", f"{name}@%h", "-Q", queues, "-c", "3", "-E", "-l", "WARNING"),
                stop_signal=signal.SIGQUIT,  # cold: nobody waits for a slow task when the demo ends
            )

    def _start_load(self) -> None:
        """Let orders come in, once the monitor hears of each from its beginning."""
        self._start("beat", "beat", "-s", str(self._folder / "schedule"), "--pidfile=", "-l", "WARNING")
        load = [sys.executable, "-m", "umbel.demo.load"]
        self._add(Child("customers", load, folder=self._folder, environment=self._environment))

    def _start(self, name: str, *arguments: str, stop_signal: signal.Signals = signal.SIGTERM) -> None:
        command = [sys.executable, "-m", "celery", "-q", "-A", "umbel.demo.shop", *arguments]
        child = Child(
            name, command, folder=self._folder, environment=self._environment, stop_signal=stop_signal
        )
        self._add(child)

    def _add(self, child: Child) -> None:
        self._children.append(child)
        self._janitor.watch(child)

    def _wait_for_page(self, url: str) -> bool:
        """Wait until the monitor hears events; False when told to stop, when a process died or time is up."""
        deadline = time.monotonic() + START_PATIENCE
        while time.monotonic() < deadline:
            if self._signals.count or self._report_dead(must_live=True):
                return False
            if answers(f"{url}health/ready"):
                return True
            self._signals.wait(0.2)
        say(f"The monitor was not ready within {START_PATIENCE:.0f} s. The end of its log:")
        say("\n".join(f"    {line}" for line in self._children[0].read_last_lines()))
        return False

    def _watch(self) -> int:
        """Wait for the end; a dead worker is something to see, any other dead process ends the demo."""
        while not self._signals.count:
            self._signals.wait(5.0)
            if self._report_dead(must_live=False):
                return 1
        return 0

    def _report_dead(self, *, must_live: bool) -> bool:
        """Say which processes have ended, with their last words; return whether the demo has to end with them."""
        fatal = False
        watched = [*self._children, *([self._broker] if self._broker else [])]
        for child in watched:
            code = child.fetch_exit_code()
            if code is None or child in self._expected:
                continue
            self._expected.append(child)
            say(f"{child.name} has ended with exit code {code}. The end of its log:")
            say("\n".join(f"    {line}" for line in child.read_last_lines()) or "    (empty)")
            if child.name in WORKERS and not must_live:
                say("The demo goes on without it: see how the page shows it.")
            else:
                fatal = True
        return fatal

    def stop(self) -> None:
        """Stop all processes, the broker last; a second Ctrl-C kills them at once."""
        asked = self._signals.count
        if asked:
            say("\nStopping …")
        for child in self._children:
            child.send_stop()
        deadline = time.monotonic() + STOP_PATIENCE
        while time.monotonic() < deadline and self._signals.count <= max(asked, 1):
            if all(child.fetch_exit_code() is not None for child in self._children):
                break
            self._signals.wait(0.2)
        for child in self._children:
            child.kill_group()
        if self._broker:
            stop_all([self._broker], patience=2.0)
        say("Stopped; nothing is left running.")


def make_environment(folder: Path) -> dict[str, str]:
    """Return the children's environment: ours without other clusters' settings, with the shop's."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN_PREFIXES)}
    path = os.pathsep.join(filter(None, (str(folder), own.get("PYTHONPATH"))))
    shop = {"PYTHONPATH": path, "UMBEL_DEMO_SETTINGS": SETTINGS_MODULE, "PYTHONUNBUFFERED": "1"}
    return {**own, **shop, "TMPDIR": str(folder)}  # a killed worker leaves its temporary files behind


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches what listens on `address`."""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(address).is_loopback
    return address == "localhost"


def find_port(address: str, wanted: int) -> int:
    """Return `wanted`, or the first free port after it.

    Raises:
        UmbelError: None of the next 50 is free, or the address is not one of this machine's.
    """
    places = socket.getaddrinfo(address or None, wanted, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, host = places[0][0], places[0][4][0]
    refusal: OSError | None = None
    for port in range(wanted, min(wanted + PORT_TRIES, 65536)):
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
                probe.listen(1)
            except OSError as error:
                refusal = error
                continue
            return int(probe.getsockname()[1])
    raise UmbelError(
        f"no port from {wanted} to {wanted + PORT_TRIES - 1} can be used on {address!r}: {refusal}"
    )


def show_host(address: str) -> str:
    """Return the host for a URL that reaches a server bound to `address`."""
    if address in ("", "0.0.0.0", "::"):
        return "127.0.0.1"
    return f"[{address}]" if ":" in address else address


def answers(url: str) -> bool:
    """Tell whether `url` gives a success."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=2.0) as response:
            return bool(response.status == 200)
    except urllib.error.HTTPError as refusal:
        refusal.close()
        return False
    except OSError:
        return False


def say(text: str) -> None:
    """Print at once; a terminal that is gone is no reason to leave processes behind."""
    try:
        print(text, flush=True)
    except OSError:
        # or what is left would be written at the exit, and fail again
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
