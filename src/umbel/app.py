"""The composition root of the server: the only module that names its concrete classes.

`start` calls `serve`, `collect` and `prune` with the finished configuration and the Celery app (the user's own, or
a bare one for `umbel serve`); each returns the process's exit code. The collector's own root is `ingest.collector`.
"""

import logging
import os
import platform
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from celery import Celery

import umbel
from umbel import banner
from umbel.auth.basic import BasicAuthenticator
from umbel.brokers.management import ApiTls
from umbel.brokers.registry import driver_of, make_inspector
from umbel.collecting import collector_settings, finite, limits
from umbel.config import Config
from umbel.control.calling import Calling
from umbel.control.commander import Commander
from umbel.control.consumers import consumed_by
from umbel.control.doctor import examine, report
from umbel.control.examine import gather
from umbel.control.inspect import RETRY_AFTER, Inspector
from umbel.control.queues import Queues
from umbel.control.revocation_jobs import RevocationJobs
from umbel.control.roster import grace_of
from umbel.control.sampler import Sampler
from umbel.control.stalls import StallWatch
from umbel.control.switchboard import Switchboard
from umbel.errors import ConfigError, InspectError, StoreError, StoreLocked, StoreUnavailable
from umbel.ingest.supervise import CollectorProcess
from umbel.model.redact import Redactor
from umbel.store.audit import AuditLog
from umbel.store.base import TaskQuery
from umbel.store.control_file import FILE_NAME, ControlFile
from umbel.store.place import Place, broker_identity, history_place, remove_place
from umbel.store.revocation_jobs import JobStore
from umbel.store.sqlite_file import FileLock, check_engine
from umbel.store.sqlite_reader import SQLiteReader
from umbel.store.status import CollectorStatus
from umbel.web.application import build
from umbel.web.deps import Deps
from umbel.web.server import listening, port_of, run

logger = logging.getLogger(__name__)

#: Seconds that the first request waits for the history at most; a store in trouble is told on the page.
HISTORY_PATIENCE = 5.0

#: The page, built into the package by `hatch_build.py`.
UI_FOLDER = Path(umbel.__file__).parent / "ui_dist"


def serve(config: Config, app: Celery) -> int:
    """Bind, start the collector and serve until SIGINT or SIGTERM; raises UmbelError when it can't start."""
    with ExitStack() as stack:
        sockets = stack.enter_context(listening(config))
        place = stack.enter_context(history(config, app))
        collector = CollectorProcess(collector_settings(config, app, place))
        reader = SQLiteReader(
            place.path,
            buckets=finite(config.task_runtime_metric_buckets),
            search_index=config.search_index,
        )
        stack.callback(reader.close)
        refuse_another_broker(place, reader, broker_url(app))
        control_file = control_of(place)
        number = stack.enter_context(server_number(control_file))
        switchboard = Switchboard(app, name=reply_name(control_file, number))
        inspector = inspector_of(config, switchboard, reader, collector)
        collector.on_rows = inspector.note_change
        audit = audit_of(app, control_file, number)
        commander = commander_of(config, switchboard, audit, inspector, reader)
        job_store = JobStore(control_file, broker_identity(broker_url(app)), server=number)
        revocation_jobs = RevocationJobs(job_store, audit, reader, commander)
        calling, queues = Calling(app), queues_of(config, app, reader, collector, inspector)
        for helper in (calling, queues):
            stack.callback(helper.stop)
        sampler = sampler_of(config, reader, collector, inspector, queues)
        deps = deps_of(
            config, app, reader, collector, inspector, queues, sampler, commander, calling, audit,
            job_store, revocation_jobs,
        )  # fmt: skip
        web = build(deps)
        for service in (collector, switchboard, inspector, sampler, revocation_jobs):
            service.start()
            stack.callback(service.stop)
        for line in banner.lines(config, port_of(sockets), banner.masked(broker_url(app)), app.tasks):
            logger.info("%s", line)
        wait_for_history(reader)
        run(web, config, sockets, on_stop=web.close_streams)
    leave_waiting_threads()
    return 0


def wait_for_history(reader: SQLiteReader) -> None:
    """Let the collector make the history before the first request is answered, unless that takes long."""
    until = time.monotonic() + HISTORY_PATIENCE
    while time.monotonic() < until:
        try:
            reader.open()
        except StoreError:
            time.sleep(0.05)
        else:
            warm_up(reader)
            return


def warm_up(reader: SQLiteReader) -> None:
    """Ask what pages ask, so that the first of them does not wait for statements to be made and pages to be read."""
    try:
        for query in (TaskQuery(), TaskQuery(states=("FAILURE",))):
            reader.fetch_tasks(query, limit=50)
            reader.count_tasks(query, limit=1)
        reader.fetch_workers()
    except StoreError as exc:
        logger.debug("The history could not be warmed up: %s", exc)


def leave_waiting_threads() -> None:
    """End the process now if a thread still waits for a broker or a backend: a stop must not wait with it."""
    if any(not thread.daemon for thread in threading.enumerate() if thread is not threading.current_thread()):
        logging.shutdown()
        os._exit(0)


def inspector_of(
    config: Config, switchboard: Switchboard, reader: SQLiteReader, collector: CollectorProcess
) -> Inspector:
    """What asks workers about themselves."""

    def tell(hostnames: Collection[str]) -> None:
        """These workers have just answered: they live, and so do the queues that they consume from."""
        collector.send_evidence(hostnames)
        collector.send_queues(consumed_by(inspector.get_workers(), hostnames))

    inspector = Inspector(
        switchboard,
        timeout=config.inspect_timeout,
        fetch_workers=reader.fetch_workers,
        on_evidence=tell,
        grace=grace_of(config),
        follow_every=RETRY_AFTER,
        max_workers=config.max_workers,
    )
    return inspector


def queues_of(
    config: Config, app: Celery, reader: SQLiteReader, collector: CollectorProcess, inspector: Inspector
) -> Queues:
    """What reads the broker's queues."""
    tls = ApiTls(
        ca_certs=config.broker_api_ca_certs,
        certfile=config.broker_api_certfile,
        keyfile=config.broker_api_keyfile,
        verify=config.broker_api_ssl_verify,
    )
    return Queues(
        app,
        make_inspector(app, config.broker_api, tls),
        inspector,
        reader,
        remember=collector.send_queues,
        redactor=Redactor(config.redact_patterns) if config.redact else None,
    )


def sampler_of(
    config: Config, reader: SQLiteReader, collector: CollectorProcess, inspector: Inspector, queues: Queues
) -> Sampler:
    """What keeps the queues' figures, and finds workers that are stalled."""
    stalls = StallWatch(
        reader, inspector.get_workers, after=config.stalled_after, ask=inspector.request_brief
    )
    return Sampler(
        queues, stalls, get_status=collector.status, send=collector.send_samples,
        send_stalls=collector.send_stalls,
    )  # fmt: skip


def control_of(place: Place) -> ControlFile:
    """Where commands are written down. It is made or checked now, so that a foreign one is told at the start; raises
    StoreRefused. A disk in trouble is told and tried again by each command."""
    file = ControlFile(place.path.with_name(FILE_NAME))
    try:
        file.open()
    except StoreUnavailable as exc:
        logger.warning("No command can be sent as long as it can't be written down: %s", exc)
    return file


@contextmanager
def server_number(file: ControlFile) -> Iterator[int | None]:
    """A number that no other server with this file has now; None while the disk refuses."""
    with ExitStack() as stack:
        try:
            number = stack.enter_context(file.slot())
        except StoreUnavailable:
            yield None
        else:
            yield number


def reply_name(file: ControlFile, number: int | None) -> str | None:
    """A name for this server's replies that no other has now, and that it has again after a restart."""
    return None if number is None else f"{platform.node()}:{file.path}:{number}"


def audit_of(app: Celery, file: ControlFile, number: int | None) -> AuditLog:
    """The audit, in which no command of an ended server is left without a word of what came of it."""
    audit = AuditLog(file, broker_identity(broker_url(app)), server=number)
    try:
        if orphans := audit.give_up_orphans():
            logger.warning("What came of %d commands is not known: their server ended too early.", orphans)
    except StoreError as exc:
        logger.warning("The commands of earlier servers can't be looked through: %s", exc)
    return audit


def commander_of(
    config: Config, switchboard: Switchboard, audit: AuditLog, inspector: Inspector, reader: SQLiteReader
) -> Commander:
    """What sends commands."""
    return Commander(
        switchboard, audit, inspector, reader.fetch_workers, timeout=config.inspect_timeout, grace=grace_of(config),
        redactor=Redactor(config.redact_patterns),
    )  # fmt: skip


def deps_of(
    config: Config, app: Celery, reader: SQLiteReader, collector: CollectorProcess, inspector: Inspector,
    queues: Queues, sampler: Sampler, commander: Commander, calling: Calling, audit: AuditLog,
    job_store: JobStore, revocation_jobs: RevocationJobs,
) -> Deps:  # fmt: skip
    """What the web side is given."""
    return Deps(
        config=config,
        reader=reader,
        status=collector.status,
        inspector=inspector,
        queues=queues,
        sampler=sampler,
        commander=commander,
        calling=calling,
        audit=audit,
        job_store=job_store,
        revocation_jobs=revocation_jobs,
        redactor=Redactor(config.redact_patterns) if config.redact else None,
        authenticator=BasicAuthenticator(config.basic_auth) if config.basic_auth else None,
        app=app,
        broker=banner.masked(broker_url(app)),
        driver=driver_of(app),
        format_task=config.format_task,
        timezone=str(app.timezone),
        now=time.time,
        environ=os.environ,
        ui_folder=UI_FOLDER,
    )


def refuse_another_broker(place: Place, reader: SQLiteReader, url: str) -> None:
    """A second server on a history serves from it, but not for another broker: raises ConfigError."""
    lock = FileLock(place.path)
    try:
        lock.acquire()
    except StoreLocked as exc:
        status = reader.fetch_status()
        if status is not None and broker_identity(status.broker) != broker_identity(url):
            raise ConfigError(
                f"db: {exc}, which watches {status.broker}; give each broker a history of its own"
            ) from exc
        logger.warning("%s; this server only serves from it until that one ends.", exc)
    else:
        lock.release()


def collect(config: Config, app: Celery) -> int:
    """Collect events in this process, without pages, until SIGINT or SIGTERM."""
    # here, as below: the server needs none of it, and starts sooner and smaller without
    from umbel.ingest.collector import run as run_collector

    with history(config, app) as place:
        logger.info("Collecting into %s", place.path)
        return run_collector(collector_settings(config, app, place))


def prune(config: Config, app: Celery, dry_run: bool) -> int:
    """Apply the limits of the history once, or say what that would remove."""
    from umbel.store.sqlite_writer import SQLiteWriter

    with history(config, app) as place:
        writer = SQLiteWriter(
            place.path, limits=limits(config), buckets=finite(config.task_runtime_metric_buckets)
        )
        writer.open()
        try:
            pruned = writer.prune(now=time.time(), dry_run=dry_run)
        finally:
            writer.close()
    verb = "would remove" if dry_run else "removed"
    print(f"umbel prune: {verb} {pruned.tasks:,} finished tasks, {pruned.bytes:,} bytes, from {place.path}")  # noqa: T201
    return 0


def doctor(config: Config, app: Celery) -> int:
    """Ask the broker and the workers, look into the history where there is one, and print what is found."""
    switchboard = Switchboard(app)
    inspector = Inspector(
        switchboard, timeout=config.inspect_timeout, fetch_workers=lambda: [], on_evidence=lambda _: None
    )
    switchboard.start()
    try:
        inspector.refresh()
    except InspectError as error:
        logger.debug("Nobody could be asked: %s", error)
    finally:
        inspector.stop()
        switchboard.stop()
    confs = inspector.get_confs()
    with ExitStack() as stack:
        place = stack.enter_context(history(config, app))
        reader = status = None
        if place.path.exists():
            reader = SQLiteReader(place.path, buckets=finite(config.task_runtime_metric_buckets))
            stack.callback(reader.close)
            status = _status_in(reader)
        facts = gather(app, now=time.time(), reader=reader, status=status, confs=confs)
    findings = examine(facts)
    for line in report(findings, workers=len(confs)):
        print(line)  # noqa: T201
    return 1 if any(finding.severity != "info" for finding in findings) else 0


def _status_in(reader: SQLiteReader) -> CollectorStatus | None:
    try:
        return reader.fetch_status()
    except StoreError as error:
        logger.warning("The history cannot be read: %s", error)
        return None


@contextmanager
def history(config: Config, app: Celery) -> Iterator[Place]:
    """Where this run's history lies; a temporary one is removed at the end. Raises StoreError."""
    check_engine()
    place = history_place(config.db, broker_url(app), state_environ(config), temporary=not config.persistent)
    for notice in place.notices:
        logger.warning("%s", notice)
    try:
        yield place
    finally:
        remove_place(place)


def broker_url(app: Celery) -> str:
    """The broker's URL with its password: never shown."""
    return str(app.connection_for_read().as_uri(include_password=True))


def state_environ(config: Config) -> Mapping[str, str]:
    """The environment as `history_place` reads it: a `data_dir` of the user's own beats systemd's folder."""
    if config.data_dir is None or config.data_dir == os.environ.get("FLOWER_DATA_DIR"):
        return os.environ
    return {**os.environ, "STATE_DIRECTORY": "", "FLOWER_DATA_DIR": config.data_dir}
