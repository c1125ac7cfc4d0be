"""The audit: every command with who asked, what, of whom, with what parameters, when, from where, and what came of it.

A row is written before its command is sent, and completed once. Called by `control.commander` and the web side.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from umbel.errors import CursorError
from umbel.store.control_file import ControlFile
from umbel.store.control_schema import NOBODY, audit, under_way

#: Rows are kept for 400 days, and no more than a million of them.
KEEP_SECONDS = 400 * 86400.0
KEEP_ROWS = 1_000_000
#: Characters of a target: names and ids are shorter, a URL is not.
LONGEST_TARGET = 1_000
#: Old rows are looked for once in so many commands.
PRUNE_EVERY = 500


class Asker(msgspec.Struct, frozen=True):
    """Who asks for a command, and from where."""

    #: None where nobody had to log in.
    name: str | None
    #: How they logged in: "none", "basic".
    login: str
    #: Network address; "" where there is none.
    address: str


class AuditRow(msgspec.Struct, frozen=True, kw_only=True):
    """One command."""

    id: int
    time: float
    #: When the outcome was known; None until then.
    ended: float | None
    who: str | None
    login: str
    address: str
    action: str
    target: str
    parameters: dict[str, Any]
    #: "requested" until it is known; "unknown" where the server ended before that.
    outcome: str
    #: As `AuditLog.complete` was told; empty until then.
    answers: dict[str, Any]


REQUESTED = "requested"
#: Nobody is left to learn what came of it.
UNKNOWN = "unknown"
ENDED_EARLY = "the server ended before the answers came"
#: Seconds after which a command of a server without a number is taken for one that nobody waits for any more.
LONGEST_WAIT = 3600.0


class AuditLog:
    """The audit of one broker's commands. Methods block, and may be called from any thread."""

    def __init__(
        self,
        file: ControlFile,
        broker: str,
        now: Callable[[], float] = time.time,
        *,
        server: int | None = None,
    ) -> None:
        """`broker` is what tells it from others (`store.place.broker_identity`); `server` is this process's number, by
        `ControlFile.slot`."""
        self._file = file
        self._broker = broker
        self._now = now
        self._server = NOBODY if server is None else server

    def begin(self, asker: Asker, *, action: str, target: str, parameters: Mapping[str, Any]) -> int:
        """Write a command down before it is sent; return its id. Raises StoreError: then it must not be sent."""
        row = {
            "time": self._now(), "broker": self._broker, "who": clean_text(asker.name), "login": asker.login,
            "address": asker.address, "action": action, "target": clean_text(target)[:LONGEST_TARGET],
            "parameters": json_text(parameters), "outcome": REQUESTED,
        }  # fmt: skip
        with self._file.transaction() as connection:
            number: int = connection.execute(audit.insert().values(row)).lastrowid
            connection.execute(under_way.insert().values(command=number, server=self._server))
            if number % PRUNE_EVERY == 0:
                old = audit.c.time < self._now() - KEEP_SECONDS
                connection.execute(audit.delete().where(old | (audit.c.id <= number - KEEP_ROWS)))
                connection.execute(
                    under_way.delete().where(under_way.c.command.not_in(sa.select(audit.c.id)))
                )
        return number

    def complete(self, number: int, *, outcome: str, answers: Mapping[str, Any]) -> None:
        """Write down what came of a command. Raises StoreError."""
        values = {"outcome": outcome, "answers": json_text(answers), "ended": self._now()}
        with self._file.transaction() as connection:
            connection.execute(audit.update().where(audit.c.id == number).values(values))
            connection.execute(under_way.delete().where(under_way.c.command == number))

    def give_up_orphans(self) -> int:
        """Say of the commands of servers that ended without completing them that nobody knows what came of them; return
        how many those were. To be called at the start, before the first command. Raises StoreError."""
        with self._file.transaction() as connection:
            rows = connection.execute(
                sa.select(under_way.c.command, under_way.c.server, audit.c.time).join_from(
                    under_way, audit, audit.c.id == under_way.c.command
                )
            ).all()
            servers = {row.server for row in rows} - {NOBODY}
            dead = {server for server in servers if self._file.has_ended(server, self._server)}
            early = self._now() - LONGEST_WAIT
            orphans = [
                row.command
                for row in rows
                if (row.time < early if row.server == NOBODY else row.server in dead)
            ]
            for number in orphans:
                values = {"outcome": UNKNOWN, "answers": json_text({"detail": ENDED_EARLY})}
                connection.execute(audit.update().where(audit.c.id == number).values(values))
                connection.execute(under_way.delete().where(under_way.c.command == number))
        return len(orphans)

    def fetch(
        self,
        *,
        limit: int,
        cursor: str | None = None,
        action: str | None = None,
        target: str | None = None,
        who: str | None = None,
    ) -> tuple[list[AuditRow], str | None]:
        """A page of commands, newest first, and the cursor of the next page. Filters are exact.

        Raises:
            CursorError: The cursor is not one of ours.
            StoreError: The file can't be read now.
        """
        query = sa.select(audit).where(audit.c.broker == self._broker).order_by(audit.c.id.desc())
        for column, value in ((audit.c.action, action), (audit.c.target, target), (audit.c.who, who)):
            if value is not None:
                query = query.where(column == clean_text(value))
        if cursor is not None:
            if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
                raise CursorError(f"The cursor {cursor!r} is not one of this list")
            query = query.where(audit.c.id < int(cursor))
        with self._file.transaction() as connection:
            rows = connection.execute(query.limit(limit + 1)).all()
        items = [_row(row) for row in rows[:limit]]
        return items, str(items[-1].id) if len(rows) > limit else None


def _row(row: sa.Row[Any]) -> AuditRow:
    values = dict(row._mapping)
    del values["broker"]
    values["parameters"] = msgspec.json.decode(values["parameters"])
    values["answers"] = msgspec.json.decode(values["answers"]) if values["answers"] else {}
    return AuditRow(**values)


def json_text(value: Any) -> str:
    """A value as JSON that can be written whatever texts are in it."""
    return msgspec.json.encode(_clean(value)).decode()


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, Mapping):
        return {clean_text(str(key)): _clean(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [_clean(item) for item in value]
    # JSON's writer knows no whole numbers beyond 64 bits
    return str(value) if isinstance(value, int) and not -(2**63) <= value < 2**63 else value


def clean_text(value: str | None) -> Any:
    """A text without lone surrogates, which neither JSON nor SQLite take."""
    return value if value is None else value.encode("utf-8", "backslashreplace").decode()
