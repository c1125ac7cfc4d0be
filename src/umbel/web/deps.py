"""What the web side is given by the composition root: one frozen bundle, handed to every group of handlers."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from celery import Celery

from umbel.auth.base import Authenticator
from umbel.config import Config
from umbel.control.calling import Calling
from umbel.control.commander import Commander
from umbel.control.inspect import Inspector
from umbel.control.queues import Queues
from umbel.control.revocation_jobs import RevocationJobs
from umbel.control.sampler import Sampler
from umbel.model.redact import Redactor
from umbel.store.audit import AuditLog
from umbel.store.base import HistoryReader
from umbel.store.revocation_jobs import JobStore
from umbel.store.status import CollectorStatus


class Deps(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that handlers need from outside."""

    config: Config
    reader: HistoryReader
    #: The collector's live status; None until it has said anything.
    status: Callable[[], CollectorStatus | None]
    inspector: Inspector
    queues: Queues
    sampler: Sampler
    commander: Commander
    calling: Calling
    audit: AuditLog
    job_store: JobStore
    revocation_jobs: RevocationJobs
    #: Masks secrets in what is shown of tasks; None where `redact` is off.
    redactor: Redactor | None
    #: None: no login is configured.
    authenticator: Authenticator | None
    #: For result backends and names; None when Umbel runs from a broker URL alone.
    app: Celery | None
    #: Broker URL without password.
    broker: str
    #: "redis", "amqp", …: kombu's driver type.
    driver: str
    #: The user's `format_task`, called with a copy of the task as pages show it.
    format_task: Callable[[Any], Any] | None
    #: Celery's `timezone`, an IANA name.
    timezone: str
    #: Epoch seconds UTC.
    now: Callable[[], float]
    #: The process environment; only the two variables of `auth.base.unauthenticated_api` are read, on each request.
    environ: Mapping[str, str]
    #: Folder of the built page (`index.html`, `assets/`).
    ui_folder: Path
