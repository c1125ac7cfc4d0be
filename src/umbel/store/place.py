"""Where a history lives: one file per broker, in the first folder that is meant for such things.

Decides and explains; opens nothing. Called by the composition root, which shows `Place.notices` and removes a
temporary place at exit.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec
import platformdirs

from umbel.errors import ConfigError, NotBuilt, StoreRefused
from umbel.store.sqlite_file import Content, inspect

#: Flower's default of `--db`: whoever did not choose a file gets the automatic one.
FLOWER_DEFAULT = "flower"

_ALIASES = {"pyamqp": "amqp", "librabbitmq": "amqp", "": "amqp"}
_PORTS = {"amqp": 5672, "amqps": 5671, "redis": 6379, "rediss": 6379, "sentinel": 26379}
_DEFAULT_PATHS = {"amqp": "/", "amqps": "/", "redis": "0", "rediss": "0", "sentinel": "0"}


class Place(msgspec.Struct, frozen=True):
    """The file of a history."""

    path: Path
    #: In a folder of its own that is to be removed at exit: the history does not outlive this run.
    temporary: bool
    #: What the user should know of it, each a sentence.
    notices: tuple[str, ...] = ()


def history_place(
    db: str | None, broker_url: str, environ: Mapping[str, str], *, temporary: bool = False
) -> Place:
    """The place of the history of this broker.

    Args:
        db: The option: a path, `sqlite:///path`, or None or "flower" for the automatic place.
        temporary: A folder that is removed at exit, whatever the other arguments say.
    Raises:
        ConfigError: `db` is a URL of something else. NotBuilt: of PostgreSQL.
        StoreRefused: `db` is a directory.
    """
    if temporary:
        return _temporary_place(broker_url)
    if db and db != FLOWER_DEFAULT:
        path = _path_of(db)
        if path.is_dir():
            raise StoreRefused(f"--db: {path} is a directory; give the path of a file")
    else:
        path = _default_folder(environ) / _file_name(broker_url)
    reason = _why_not_usable(path)
    if reason is not None:
        return _in_place_of(path, reason, broker_url)
    return _beside(path) if inspect(path) is Content.FOREIGN else Place(path, False)


def remove_place(place: Place) -> None:
    """Remove the folder of a temporary place; leave any other alone."""
    if place.temporary:
        shutil.rmtree(place.path.parent, ignore_errors=True)


def broker_identity(broker_url: str) -> str:
    """What tells brokers apart: scheme, hosts, ports and virtual host or database. Never user or password.

    `redis://:pw@cache/1` gives "redis://cache:6379/1".
    """
    parts = [_identity_of(url) for url in broker_url.split(";") if url]
    return ";".join(sorted(parts))


def _identity_of(url: str) -> str:
    split = urlsplit(url if "://" in url else f"{url}://")
    scheme = _ALIASES.get(split.scheme.lower(), split.scheme.lower())
    hosts = []
    for host in split.netloc.rpartition("@")[2].split(","):
        name, port = _host_and_port(host)
        hosts.append(f"{name}:{port or _PORTS.get(scheme, '')}")
    path = unquote(split.path[1:]) if split.netloc else split.path
    return f"{scheme}://{','.join(sorted(hosts))}/{path or _DEFAULT_PATHS.get(scheme, '')}"


def _host_and_port(host: str) -> tuple[str, str]:
    name, colon, port = host.rpartition(":")
    if not colon or "]" in port:
        name, port = host, ""
    return name.lower() or "localhost", port


def _file_name(broker_url: str) -> str:
    digest = hashlib.sha256(broker_identity(broker_url).encode()).hexdigest()[:12]
    return f"history-{digest}.sqlite3"


def _path_of(db: str) -> Path:
    scheme, separator, rest = db.partition("://")
    if not separator:
        return Path(db).expanduser().absolute()
    if scheme in ("postgres", "postgresql"):
        raise NotBuilt("--db: a history in PostgreSQL is not built yet; give a path")
    if scheme != "sqlite" or not rest.startswith("/") or len(rest) < 2:
        raise ConfigError(f"--db: {scheme}:// is not understood; give a path or sqlite:///path")
    return Path(rest[1:]).expanduser().absolute()


def _default_folder(environ: Mapping[str, str]) -> Path:
    # systemd gives several folders in one value, separated by colons
    state = environ.get("STATE_DIRECTORY", "").split(":")[0]
    chosen = state or environ.get("FLOWER_DATA_DIR", "")
    return Path(chosen).expanduser().absolute() if chosen else platformdirs.user_state_path("umbel")


def _beside(path: Path) -> Place:
    """The file that stands in for a foreign one, which is left untouched."""
    ours = Path(f"{path}.umbel.sqlite3")
    return Place(ours, False, (f"{path} is not a history of Umbel and was left alone; using {ours}",))


def _in_place_of(path: Path, reason: str, broker_url: str) -> Place:
    """A temporary place, for the file system will not let us use `path`."""
    warning = (
        f"{path} cannot be written ({reason}): the history is kept in a temporary file and lost at exit; "
        "give a writable path with --db"
    )
    return Place(_temporary_place(broker_url).path, True, (warning,))


def _why_not_usable(path: Path) -> str | None:
    """Why the folder cannot be written, or the file there neither read nor written; None when all is well."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
        if path.exists():
            path.open("rb").close()
    except OSError as exc:
        return exc.strerror or str(exc)
    if path.exists() and inspect(path) is not Content.FOREIGN and not os.access(path, os.W_OK):
        return "permission denied"
    return None


def _temporary_place(broker_url: str) -> Place:
    return Place(Path(tempfile.mkdtemp(prefix="umbel-")) / _file_name(broker_url), True)
