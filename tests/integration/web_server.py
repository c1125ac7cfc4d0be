"""The web side alone behind a real uvicorn in a thread: what its tests send requests to."""

import math
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal

import uvicorn
from celery import Celery

from tests.integration.told_history import BUCKETS
from tests.servers import Answer, free_port, send_request, wait_for
from umbel.auth.basic import BasicAuthenticator
from umbel.brokers.registry import driver_of, make_inspector
from umbel.config import Config
from umbel.control.calling import Calling
from umbel.control.commander import Commander
from umbel.control.inspect import Inspector
from umbel.control.queues import Queues
from umbel.control.revocation_jobs import RevocationJobs
from umbel.control.sampler import Sampler
from umbel.control.stalls import StallWatch
from umbel.control.switchboard import Switchboard
from umbel.errors import StoreError
from umbel.model.redact import Redactor
from umbel.store.audit import AuditLog
from umbel.store.base import HistoryReader
from umbel.store.control_file import FILE_NAME, ControlFile
from umbel.store.revocation_jobs import JobStore
from umbel.store.status import CollectorStatus
from umbel.web.application import WebApplication, build
from umbel.web.deps import Deps


def ignore_evidence(_: Collection[object]) -> None:
    """Nobody counts it here."""


def fetch_told_status(reader: HistoryReader) -> CollectorStatus | None:
    """What a test told as the collector: the live status of its one process."""
    try:
        return reader.fetch_status()
    except StoreError:
        return None


def make_deps(
    reader: HistoryReader, ui_folder: Path, *, app: Celery | None = None, environ: dict[str, str] | None = None,
    status: Callable[[], Any] | None = None, format_task: Any = None, inspector: Inspector | None = None,
    queues: Queues | None = None,
    switchboard: Switchboard | None = None,
    **settings: Any,
) -> Deps:  # fmt: skip
    """What the composition root would hand over; `settings` are options of `Config`."""
    config = Config(**{"task_runtime_metric_buckets": (*BUCKETS, math.inf), **settings})
    redactor = Redactor(config.redact_patterns) if config.redact else None
    app = app or Celery("test", broker="memory://", set_as_current=False)
    switchboard = switchboard or Switchboard(app)
    inspector = inspector or Inspector(
        switchboard, timeout=1.0, fetch_workers=reader.fetch_workers, on_evidence=ignore_evidence
    )
    file = ControlFile(ui_folder / FILE_NAME)
    audit, job_store = AuditLog(file, "test"), JobStore(file, "test")
    commander = Commander(
        switchboard, audit, inspector, reader.fetch_workers, timeout=config.inspect_timeout,
        grace=3600.0, redactor=Redactor(),
    )  # fmt: skip
    queues = queues or Queues(
        app, make_inspector(app, config.broker_api), inspector, reader, remember=ignore_evidence, redactor=redactor
    )  # fmt: skip
    stalls = StallWatch(reader, inspector.get_workers, after=config.stalled_after)
    return Deps(
        config=config,
        reader=reader,
        status=status or partial(fetch_told_status, reader),
        inspector=inspector,
        queues=queues,
        sampler=Sampler(queues, stalls, get_status=lambda: None, send=ignore_evidence),
        commander=commander,
        calling=Calling(app),
        audit=audit,
        job_store=job_store,
        revocation_jobs=RevocationJobs(job_store, audit, reader, commander),
        redactor=redactor,
        authenticator=BasicAuthenticator(config.basic_auth) if config.basic_auth else None,
        app=app,
        broker="redis://:**@localhost:6379/0",
        driver=driver_of(app),
        format_task=format_task,
        timezone="UTC",
        now=time.time,
        environ={} if environ is None else environ,
        ui_folder=ui_folder,
    )


class WebServer:
    """A served application."""

    def __init__(self, url: str, port: int, web: WebApplication, server: uvicorn.Server) -> None:
        self.url = url
        self.port = port
        self.web = web
        self.server = server

    def get(self, path: str, **options: Any) -> Answer:
        """GET of a path."""
        return send_request(self.url + path, **options)

    def send(self, method: str, path: str, **options: Any) -> Answer:
        """Any method."""
        return send_request(self.url + path, method, **options)

    def post_form(self, path: str, form: str) -> Answer:
        """POST of an urlencoded form."""
        headers = {"content-type": "application/x-www-form-urlencoded"}
        return self.send("POST", path, body=form, headers=headers)


class _Server(uvicorn.Server):
    """Ends the streams when told to stop, as `umbel.web.server` does."""

    def __init__(self, config: uvicorn.Config, web: WebApplication) -> None:
        super().__init__(config)
        self._web = web

    async def shutdown(self, sockets: Any = None) -> None:
        self._web.close_streams()
        await super().shutdown(sockets)


@contextmanager
def serving(deps: Deps, *, http: Literal["auto", "h11"] = "auto") -> Iterator[WebServer]:
    """Serve `build(deps)` on a free port until the block ends, with the parser that is installed or uvicorn's own."""
    web = build(deps)
    port = free_port()
    config = uvicorn.Config(
        web, host="127.0.0.1", port=port, log_config=None, server_header=False, lifespan="on", http=http
    )
    server = _Server(config, web)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_for(lambda: server.started, 20.0, message=lambda: "uvicorn did not start")
    try:
        yield WebServer(f"http://127.0.0.1:{port}", port, web, server)
    finally:
        server.should_exit = True
        thread.join(10.0)
