"""Brings a file's schema up to date, run from code: users never call it.

A new file gets its tables as `store.schema` describes them, an older one by Alembic, which is imported only then: it
costs 0.2 s of each process at its first start. `tests/contract/test_store_schema.py` proves that both make the same.
"""

import logging
from dataclasses import dataclass

import sqlalchemy as sa

from umbel.errors import StoreRefused

logger = logging.getLogger(__name__)

_READ_VERSION = sa.text("SELECT version_num FROM alembic_version")
#: As Alembic makes it.
_VERSIONS = sa.Table(
    "alembic_version",
    sa.MetaData(),
    sa.Column("version_num", sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


@dataclass(frozen=True, slots=True)
class Schema:
    """The tables of one kind of file, the name of their newest migration, and the package with all of them."""

    tables: sa.MetaData
    version: str
    scripts: str


def fetch_version(connection: sa.Connection) -> str | None:
    """The schema version of an open file; None for an empty one."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.execute(_READ_VERSION).scalar()
    return version


def migrate(connection: sa.Connection, where: str, schema: Schema) -> None:
    """Bring a file to `schema` inside the connection's transaction, whatever its version, or if it is empty.

    Raises:
        StoreRefused: The file is of a newer version; `where` names it.
    """
    version = fetch_version(connection)
    if version == schema.version:
        return
    check_version(version, where, schema.version)
    if version is None:
        create(connection, schema)
    else:
        logger.info(
            "The file %s is brought from schema %s to %s; a million tasks may take 20 s",
            where, version, schema.version,
        )  # fmt: skip
        upgrade(connection, schema)
    logger.info("The file %s now has schema %s (before: %s)", where, schema.version, version or "none")


def create(connection: sa.Connection, schema: Schema) -> None:
    """Make all tables of an empty file, and note their version where Alembic looks for it."""
    schema.tables.create_all(connection, checkfirst=False)
    _VERSIONS.create(connection)
    connection.execute(_VERSIONS.insert().values(version_num=schema.version))


def upgrade(connection: sa.Connection, schema: Schema) -> None:
    """Run the migrations that an older file, or an empty one, has not seen."""
    # it tells of each plugin that it loads
    logging.getLogger("alembic").setLevel(logging.WARNING)
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", schema.scripts)
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, schema.version)


def check_version(version: str | None, where: str, newest: str) -> None:
    """Raises StoreRefused for a schema that this version of Umbel does not know."""
    if version is not None and version > newest:
        raise StoreRefused(
            f"{where} has schema {version}, but this version of Umbel knows only up to {newest}; "
            "it was left alone: use a newer Umbel or another --db"
        )
