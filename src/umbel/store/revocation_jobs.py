"""Bulk revocations, kept in `control.sqlite3`: what was previewed, what was done, and what came of each task.

Written by `control.revocation_jobs` before and after each step, so that a restart can tell what a killed server had
done. Knows no rule: outcomes are words that it keeps.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from umbel.store.audit import LONGEST_WAIT, Asker, clean_text, json_text
from umbel.store.control_file import ControlFile
from umbel.store.control_schema import NOBODY, revocation_items, revocation_jobs

#: Previews that were not started are kept so long, and so many jobs with their tasks.
KEEP_PREVIEWS = 3600.0
KEEP_JOBS = 100


class Pinned(msgspec.Struct, frozen=True):
    """A task as the preview found it; None where the history does not know it."""

    uuid: str
    name: str | None
    state: str | None
    #: When its latest run had begun.
    began: float | None


class JobItem(msgspec.Struct, frozen=True, kw_only=True):
    """A previewed task and what came of it."""

    n: int
    uuid: str
    name: str | None
    state: str | None
    began: float | None
    outcome: str
    detail: str


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One bulk revocation."""

    id: int
    created: float
    started: float | None
    ended: float | None
    who: str | None
    address: str
    state: str
    asked: dict[str, Any]
    total: int
    left_out: dict[str, int]
    terminate: bool
    signal: str
    command: int | None
    silent: list[str]
    detail: str
    #: State at the preview ("" where the history does not know the task) -> tasks.
    states: dict[str, int]
    #: Outcome -> tasks; their sum is `total`.
    outcomes: dict[str, int]


class Change(msgspec.Struct, frozen=True):
    """A task's new outcome."""

    n: int
    outcome: str
    detail: str = ""


class JobStore:
    """The jobs of one broker. Methods block, and may be called from any thread; each raises StoreError."""

    def __init__(
        self,
        file: ControlFile,
        broker: str,
        now: Callable[[], float] = time.time,
        *,
        server: int | None = None,
    ) -> None:
        """As of `store.audit.AuditLog`."""
        self._file = file
        self._broker = broker
        self._now = now
        self._server = NOBODY if server is None else server

    def create(
        self, asker: Asker, asked: Mapping[str, Any], items: Sequence[Pinned], left_out: Mapping[str, int],
        outcome: str,
    ) -> int:  # fmt: skip
        """Pin a preview, each task with this outcome; return its id."""
        row = {
            "broker": self._broker, "server": self._server, "created": self._now(), "who": clean_text(asker.name),
            "address": asker.address, "state": "preview", "asked": json_text(asked), "total": len(items),
            "left_out": json_text(left_out), "terminate": 0, "signal": "", "silent": "[]", "detail": "",
        }  # fmt: skip
        with self._file.transaction() as connection:
            job: int = connection.execute(revocation_jobs.insert().values(row)).lastrowid
            rows = [
                {
                    "job": job, "n": n, "uuid": clean_text(item.uuid), "name": clean_text(item.name),
                    "state": item.state, "began": item.began, "outcome": outcome, "detail": "",
                }
                for n, item in enumerate(items)
            ]  # fmt: skip
            if rows:
                connection.execute(revocation_items.insert(), rows)
            self._prune(connection)
        return job

    def begin(self, job: int, *, command: int, terminate: bool, signal: str) -> bool:
        """A preview becomes a running job; False where it is none any more."""
        values = {
            "state": "running", "started": self._now(), "command": command, "terminate": int(terminate),
            "signal": signal, "server": self._server,
        }  # fmt: skip
        with self._file.transaction() as connection:
            done = connection.execute(
                revocation_jobs.update()
                .where(revocation_jobs.c.id == job, revocation_jobs.c.state == "preview")
                .values(values)
            )
            return done.rowcount == 1

    def change(self, job: int, changes: Iterable[Change]) -> None:
        """Tasks have other outcomes now."""
        rows = [{"i": change.n, "o": change.outcome, "d": clean_text(change.detail)} for change in changes]
        if not rows:
            return
        statement = (
            revocation_items.update()
            .where(revocation_items.c.job == job, revocation_items.c.n == sa.bindparam("i"))
            .values(outcome=sa.bindparam("o"), detail=sa.bindparam("d"))
        )
        with self._file.transaction() as connection:
            connection.execute(statement, rows)

    def end(self, job: int, state: str, *, silent: Sequence[str] = (), detail: str = "") -> None:
        """Nothing more is sent, and every task has an outcome."""
        values = {"state": state, "ended": self._now(), "silent": json_text(list(silent)), "detail": detail}
        with self._file.transaction() as connection:
            connection.execute(revocation_jobs.update().where(revocation_jobs.c.id == job).values(values))

    def interrupt(self, unfinished: Mapping[str, Change]) -> list[int]:
        """Running jobs of servers that have ended, and of this one, are ended: their tasks with an outcome of
        `unfinished` get the one beside it. To be called before the first job and after the last; returns their ids."""
        jobs, items = revocation_jobs, revocation_items
        with self._file.transaction() as connection:
            running = connection.execute(
                sa.select(jobs.c.id, jobs.c.server, jobs.c.started).where(jobs.c.state == "running")
            ).all()
            ended = [row.id for row in running if self._has_ended(row.server, row.started)]
            for number in ended:
                for outcome, change in unfinished.items():
                    connection.execute(
                        items.update()
                        .where(items.c.job == number, items.c.outcome == outcome)
                        .values(outcome=change.outcome, detail=change.detail)
                    )
                values = {"state": "interrupted", "ended": self._now()}
                connection.execute(jobs.update().where(jobs.c.id == number).values(values))
        return ended

    def _has_ended(self, server: int, started: float) -> bool:
        if server == NOBODY and self._server != NOBODY:
            return started < self._now() - LONGEST_WAIT
        return self._file.has_ended(server, self._server)

    def fetch(self, job: int) -> Job | None:
        """One job."""
        found = self._fetch(revocation_jobs.c.id == job, limit=1)
        return found[0] if found else None

    def fetch_page(self, *, limit: int, before: int | None = None) -> list[Job]:
        """Started jobs, newest first, with ids below `before`."""
        wanted = revocation_jobs.c.state != "preview"
        return self._fetch(
            wanted if before is None else wanted & (revocation_jobs.c.id < before), limit=limit
        )

    def fetch_recent(self, since: float) -> int:
        """How many tasks jobs have told workers about since then."""
        query = sa.select(sa.func.coalesce(sa.func.sum(revocation_jobs.c.total), 0)).where(
            revocation_jobs.c.broker == self._broker, revocation_jobs.c.started >= since
        )
        with self._file.transaction() as connection:
            return int(connection.execute(query).scalar_one())

    def fetch_items(
        self, job: int, *, outcome: str | None = None, start: int = 0, limit: int | None = None
    ) -> list[JobItem]:
        """Tasks of a job from number `start` on, in their order."""
        items = revocation_items
        query = sa.select(items).where(items.c.job == job, items.c.n >= start).order_by(items.c.n)
        if outcome is not None:
            query = query.where(items.c.outcome == outcome)
        with self._file.transaction() as connection:
            rows = connection.execute(query.limit(limit)).all()
        return [
            JobItem(**{name: value for name, value in row._mapping.items() if name != "job"}) for row in rows
        ]

    def _fetch(self, wanted: sa.ColumnElement[bool], *, limit: int) -> list[Job]:
        query = (
            sa.select(revocation_jobs)
            .where(revocation_jobs.c.broker == self._broker, wanted)
            .order_by(revocation_jobs.c.id.desc())
            .limit(limit)
        )
        with self._file.transaction() as connection:
            return [_job_of(row, connection) for row in connection.execute(query).all()]

    def _prune(self, connection: sa.Connection) -> None:
        """Old previews and the oldest jobs go, with their tasks."""
        jobs = revocation_jobs
        old = (jobs.c.state == "preview") & (jobs.c.created < self._now() - KEEP_PREVIEWS)
        newest = sa.select(jobs.c.id).where(jobs.c.state != "preview").order_by(jobs.c.id.desc())
        beyond = connection.execute(newest.offset(KEEP_JOBS).limit(1)).scalar()
        if beyond is not None:
            old |= (jobs.c.id <= beyond) & (jobs.c.state != "running")
        gone = connection.execute(sa.select(jobs.c.id).where(old)).scalars().all()
        if gone:
            connection.execute(jobs.delete().where(jobs.c.id.in_(gone)))
            connection.execute(revocation_items.delete().where(revocation_items.c.job.in_(gone)))


def _job_of(row: sa.Row[Any], connection: sa.Connection) -> Job:
    values = dict(row._mapping)
    for name in ("broker", "server"):
        del values[name]
    for name in ("asked", "left_out", "silent"):
        values[name] = msgspec.json.decode(values[name])
    values["terminate"] = bool(values["terminate"])
    items = revocation_items
    for name, column in (("states", items.c.state), ("outcomes", items.c.outcome)):
        counts = sa.select(sa.func.coalesce(column, ""), sa.func.count()).where(items.c.job == row.id)
        values[name] = {row[0]: row[1] for row in connection.execute(counts.group_by(column)).all()}
    return Job(**values)
