"""Brings a file's schema up to date by Alembic, run from code: users never call it.

Alembic is imported only when there is something to do: it costs 0.15 s.
"""

import logging

import sqlalchemy as sa

from umbel.errors import StoreRefused
from umbel.store.schema import SCHEMA_VERSION

logger = logging.getLogger(__name__)

#: Where the migrations of a history are.
HISTORY_SCRIPTS = "umbel.store:migrations"

_READ_VERSION = sa.text("SELECT version_num FROM alembic_version")


def fetch_version(connection: sa.Connection) -> str | None:
    """The schema version of an open file; None for an empty one."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.execute(_READ_VERSION).scalar()
    return version


def migrate(
    connection: sa.Connection, where: str, *, newest: str = SCHEMA_VERSION, scripts: str = HISTORY_SCRIPTS
) -> None:
    """Upgrade to `newest`, the last migration of `scripts`, inside the connection's transaction.

    Raises:
        StoreRefused: The file is of a newer version; `where` names it.
    """
    version = fetch_version(connection)
    if version == newest:
        return
    check_version(version, where, newest)
    # it tells of each plugin that it loads
    logging.getLogger("alembic").setLevel(logging.WARNING)
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", scripts)
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, newest)
    logger.info("The file %s now has schema %s (before: %s)", where, newest, version or "none")


def check_version(version: str | None, where: str, newest: str = SCHEMA_VERSION) -> None:
    """Raises StoreRefused for a schema that this version of Umbel does not know."""
    if version is not None and version > newest:
        raise StoreRefused(
            f"{where} has schema {version}, but this version of Umbel knows only up to {newest}; "
            "it was left alone: use a newer Umbel or another --db"
        )
