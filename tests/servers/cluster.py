"""A Celery worker and the monitor itself, each started as a user would: by its command line.

Leaves brokers to `brokers.py` and the tasks to `tests/apps`. Used through `conftest.py` or directly.
"""

import re
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

from celery import Celery

from tests.servers.process import Server, port_answers, wait_for
from tests.servers.request import Answer, send_request

Pool = Literal["prefork", "threads", "gevent", "solo"]

ROOT = Path(__file__).resolve().parents[2]
#: The app of most tests; see there for its tasks.
APP = "tests.apps.tasks"


class CeleryWorker(Server):
    """A `celery worker` process, ready when it consumes.

    Args:
        broker: Its URL.
        app: The module with the app, importable from the root of the repository.
        pool, concurrency: As Celery's options.
        hostname: `name@host`; made up unless given.
        events: Send task events from the start (`-E`).
        backend: URL of a result backend, none unless given.
        arguments: More of the worker's options.
    """

    name = "worker"

    def __init__(
        self,
        broker: str,
        *,
        app: str = APP,
        pool: Pool = "prefork",
        concurrency: int = 1,
        hostname: str | None = None,
        events: bool = True,
        backend: str | None = None,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        super().__init__(folder=folder, environment=environment)
        self.broker = broker
        self.app = app
        self.pool = pool
        self.concurrency = concurrency
        self.hostname = hostname or f"w{secrets.token_hex(3)}@test"
        self.events = events
        self.backend = backend
        self.arguments = list(arguments)

    def command(self) -> Sequence[str]:
        """Return the command line."""
        command = [sys.executable, "-m", "celery", "-A", self.app, "-b", self.broker]
        command += ["--result-backend", self.backend] if self.backend else []
        command += ["worker", "-n", self.hostname, "-P", self.pool, "-c", str(self.concurrency), "-l", "INFO"]
        command += ["-E"] if self.events else []
        return [*command, *self.arguments]

    def environment(self) -> dict[str, str]:
        """Return the environment with the tests' apps on the path."""
        return {"PYTHONPATH": str(ROOT), **super().environment()}

    def is_ready(self) -> bool:
        """Tell whether it has said so since its start."""
        return " ready." in self.log_now()

    def wait_until_answering(self, timeout: float = 30.0) -> Self:
        """Return when it hears control commands, which on Redis is a moment after it says that it is ready."""
        with Celery("caller", broker=self.broker, set_as_current=False) as app:
            wait_for(
                lambda: app.control.ping([self.hostname], timeout=1.0),
                timeout,
                message=lambda: f"no answer:\n{self.log()[-4000:]}",
            )
        return self


class UmbelServer(Server):
    """The monitor, by its real command line; ready when its port answers.

    Args:
        broker: Its URL, given as Celery's own `-b`; None leaves it to `arguments` or the app.
        arguments: The monitor's options. A free port is taken unless they say `--port`.
        whole: Replaces all that stands before the arguments: `umbel serve`, for example.
        working_folder: Where it runs; its own folder unless given. History is always in its own folder.
    """

    name = "umbel"

    def __init__(
        self,
        broker: str | None = None,
        *,
        app: str = APP,
        arguments: Sequence[str] = (),
        whole: Sequence[str] | None = None,
        environment: Mapping[str, str] | None = None,
        working_folder: Path | None = None,
        folder: Path | None = None,
    ) -> None:
        super().__init__(folder=folder, environment=environment)
        self.broker = broker
        self.app = app
        self.arguments = list(arguments)
        self.whole = None if whole is None else list(whole)
        self._working_folder = working_folder

    @property
    def working_folder(self) -> Path:
        """The folder it runs in: a `flowerconfig.py` there is read."""
        return self._working_folder or self.folder

    def command(self) -> Sequence[str]:
        """Return the command line."""
        if self.whole is not None:
            words = self.whole
        else:
            words = [sys.executable, "-m", "celery", "-A", self.app]
            words += ["-b", self.broker] if self.broker else []
            words.append("flower")
        chosen = any(word == "--port" or word.startswith("--port=") for word in self.arguments)
        return [*words, *self.arguments, *([] if chosen else ["--port=0"])]

    def environment(self) -> dict[str, str]:
        """Return the environment: history in our folder, the tests' apps on the path."""
        own = {"XDG_STATE_HOME": str(self.folder / "state"), "PYTHONPATH": str(ROOT)}
        return own | super().environment()

    @property
    def url(self) -> str:
        """The address it printed at its latest start, without a slash at its end."""
        address = wait_for(self._find_address, self.patience, message=lambda: f"no address:\n{self.log()}")
        return address.rstrip("/")

    @property
    def port(self) -> int:
        """The port of `url`."""
        return int(self.url.rsplit(":", 1)[1].split("/")[0])

    def _find_address(self) -> str:
        found = re.search(r"Visit me at (https?://[^\s,]+)", self.log_now())
        return found[1] if found else ""

    def is_ready(self) -> bool:
        """Tell whether it has printed its address and accepts connections."""
        return bool(self._find_address()) and port_answers(self.port)

    def get(self, path: str = "/", **options: Any) -> Answer:
        """Send a GET; options as in `send_request`."""
        return self.send("GET", path, **options)

    def send(self, method: str, path: str, **options: Any) -> Answer:
        """Send a request; options as in `send_request`."""
        return send_request(self.url + path, method, **options)

    def wait_until_collecting(self, timeout: float = 30.0, **options: Any) -> None:
        """Return when `/health/ready` is 200: events are being stored."""
        wait_for(
            lambda: self.get("/health/ready", **options).status == 200,
            timeout,
            message=lambda: f"not collecting:\n{self.log()[-4000:]}",
            retry=(OSError,),
        )
