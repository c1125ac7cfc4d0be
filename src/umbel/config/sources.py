"""Reads the two places besides the command line where options are set: variables and config files.

Gives raw values with their origin; `resolve` checks and converts them.
"""

import re
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import msgspec

from umbel import flower_shim
from umbel.config.cluster_options import DEFAULT_CONF
from umbel.config.table import OPTIONS, nearest
from umbel.errors import ConfigError

OWN_CONF = "umbelconfig.py"
#: Variables that are read elsewhere, on each request.
_OTHER_VARIABLES = frozenset({"UMBEL_UNAUTHENTICATED_API"})
#: What Kubernetes puts into every container for a service called "umbel" or "flower".
_KUBERNETES_NAME = re.compile(r"UMBEL_(SERVICE_(HOST|PORT).*|PORT_\d+_(TCP|UDP|SCTP).*)")
_KUBERNETES_LINK = re.compile(r"(tcp|udp|sctp)://.*")


class Raw(msgspec.Struct, frozen=True):
    """A value as found. `text` values are parsed, other objects checked."""

    value: Any
    #: Completes "from …", such as "environment variable UMBEL_PORT".
    origin: str


def read_environment(environ: Mapping[str, str]) -> tuple[dict[str, Raw], list[str]]:
    """Options set by variables, and a warning for each UMBEL_ variable that sets nothing."""
    values: dict[str, Raw] = {}
    warnings: list[str] = []
    for name, option in OPTIONS.items():
        for variable in option.environment:
            text = environ.get(variable)
            if text is None:
                continue
            if name == "port" and _KUBERNETES_LINK.fullmatch(text):
                warnings.append(
                    f"{variable}={text} is ignored: Kubernetes set it for a service of that name."
                )
                continue
            if variable == "STATE_DIRECTORY":  # systemd separates several by colons
                text = text.partition(":")[0]
            values[name] = Raw(text, f"environment variable {variable}")
            break
    for variable in sorted(environ):
        name = variable.removeprefix("UMBEL_").lower()
        if name == variable.lower() or name in OPTIONS or variable in _OTHER_VARIABLES:
            continue
        if not _KUBERNETES_NAME.fullmatch(variable):
            guess = nearest(name)
            hint = f"; did you mean UMBEL_{guess.upper()}?" if guess else "."
            warnings.append(f"Unknown environment variable {variable} is ignored{hint}")
    return values, warnings


def find_config_files(conf: str, folder: Path) -> list[Path]:
    """The config files to read, in order.

    Raises:
        ConfigError: A file that was asked for by name is not there.
    """
    if conf == DEFAULT_CONF:
        return [path for path in (folder / DEFAULT_CONF, folder / OWN_CONF) if path.is_file()]
    path = Path(folder, Path(conf).expanduser())
    if not path.exists() or path.is_dir():
        raise ConfigError(f"--conf: there is no file {path}; allowed: the path of a Python file")
    return [path]


def read_config_file(path: Path) -> tuple[dict[str, Raw], list[str]]:
    """Execute a config file; its top-level names that equal options.

    Names bound to modules, classes and functions are imports, not settings (but `format_task` is a function).

    Raises:
        ConfigError: It cannot be read, or raised something.
    """
    namespace: dict[str, Any] = {"__file__": str(path), "__name__": path.stem}
    try:
        code = compile(path.read_bytes(), str(path), "exec")
        with flower_shim.installed():
            exec(code, namespace)  # the config file is the user's own program
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error
    except SyntaxError as error:
        raise ConfigError(f"{path}, line {error.lineno}: {error.msg}") from error
    except Exception as error:  # whatever the user's code raises is told in one line
        raise ConfigError(f"{_place(path, error)}: {type(error).__name__}: {error}") from error
    values: dict[str, Raw] = {}
    warnings: list[str] = []
    for name, value in namespace.items():
        if name not in OPTIONS or (
            name != "format_task" and isinstance(value, ModuleType | type | FunctionType)
        ):
            continue
        if name == "conf":
            warnings.append(f"conf has no effect inside {path.name}.")
        elif value is not None:
            values[name] = Raw(value, str(path))
    return values, warnings


def _place(path: Path, error: Exception) -> str:
    """The file and the line of it at which `error` came about."""
    lines = [
        frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)
    ]
    return f"{path}, line {lines[-1]}" if lines else str(path)
