"""Turns raw values into the attributes of `Config`: parses, checks alone and together, converts units.

Every refusal is one line that says what is wrong, where it came from and what is allowed. `load` calls it.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from umbel.config.cluster_options import DEFAULT_RETENTION
from umbel.config.kind import PATH
from umbel.config.option import Option, Status
from umbel.config.sources import Raw
from umbel.config.table import OPTIONS, nearest
from umbel.config.web_options import TASK_COLUMNS
from umbel.errors import ConfigError, NotBuilt

#: Options naming files that must be there.
_INPUT_FILES = ("certfile", "keyfile", "ca_certs", "broker_ca_certs", "broker_certfile", "broker_keyfile",
                "broker_api_ca_certs", "broker_api_certfile", "broker_api_keyfile")  # fmt: skip
#: PATH options that are not resolved: `conf` is looked up by itself.
_AS_GIVEN = frozenset({"conf"})

#: Flower's default of `db`: whoever names it wants the automatic place.
_FLOWER_DB = "flower"


def read_value(option: Option, raw: Raw) -> Any:
    """One option's value, checked alone; None when it was given as empty and that means 'not set'.

    Raises:
        ConfigError: It is not what the option allows.
    """
    kind = option.kind
    try:
        if option.multi:
            return _read_several(option, raw.value)
        if isinstance(raw.value, str):
            text = raw.value.strip()
            return None if not text and kind.empty_is_unset else kind.from_text(text)
        return kind.from_object(raw.value)
    except (ValueError, TypeError) as error:
        shown = "that value" if option.secret else repr(raw.value)
        raise ConfigError(
            f"{option.name}: {shown} from {raw.origin} is not allowed; allowed: {kind.allowed}"
        ) from error


def _read_several(option: Option, value: Any) -> tuple[Any, ...]:
    kind = option.kind
    if isinstance(value, str):
        items: list[Any] = _split(value, escapes=not option.flower)
    elif isinstance(value, list | tuple | set | frozenset):
        items = list(value)
    else:
        items = [value]
    return tuple(
        kind.from_text(item.strip()) if isinstance(item, str) else kind.from_object(item) for item in items
    )


def _split(text: str, *, escapes: bool) -> list[str]:
    """Items between commas; where `escapes`, a backslash before a comma keeps it."""
    if not escapes:
        return text.split(",")
    items = [""]
    for piece in text.split(","):
        if items[-1].endswith("\\"):
            items[-1] = f"{items[-1][:-1]},{piece}"
        else:
            items.append(piece)
    return items[1:]


def check_status(option: Option, value: Any, raw: Raw) -> str | None:
    """A warning for an obsolete option; raises NotBuilt for one that this version cannot honour."""
    if option.status is Status.NOT_BUILT and value not in (None, ""):
        raise NotBuilt(
            f"{option.name} (from {raw.origin}) is not built yet in this version of Umbel. It will not start "
            "without what was asked for: remove the option, or use basic_auth"
        )
    if option.status is Status.OBSOLETE:
        return f"{option.name} (from {raw.origin}) has no meaning in Umbel. {option.help}"
    return None


def resolve(given: Mapping[str, Any], folder: Path) -> tuple[dict[str, Any], list[str]]:
    """Attributes of `Config` from the checked values that were set, and warnings.

    Args:
        given: Option name -> value, only what was set anywhere.
        folder: What relative paths are relative to.
    Raises:
        ConfigError: Two options do not fit together, or a file is missing.
    """
    values = {name: option.default for name, option in OPTIONS.items() if option.status is Status.BUILT}
    values |= {name: value for name, value in given.items() if name in values and value is not None}
    # None is a real answer where it means 'no limit'
    values |= {name: None for name in ("max_bytes", "retention") if name in given and given[name] is None}
    for name, option in OPTIONS.items():
        if option.kind is PATH and name not in _AS_GIVEN and values.get(name) and "://" not in values[name]:
            values[name] = str(Path(folder, Path(values[name]).expanduser()).resolve())
    if given.get("db") == _FLOWER_DB:
        values["db"] = None
    values["inspect_timeout"] /= 1000
    values["url_prefix"] = values["url_prefix"].strip("/")
    warnings = _resolve_columns(values)
    _resolve_buckets(values)
    _check_tls(values, warnings)
    warnings += _resolve_retention(values, given)
    return values, warnings


def _resolve_columns(values: dict[str, Any]) -> list[str]:
    """Keep known columns, in order, once each; Flower ignores unknown ones too."""
    wanted: list[str] = []
    warnings: list[str] = []
    for column in values["tasks_columns"]:
        if column == "all":
            wanted += TASK_COLUMNS
        elif column in TASK_COLUMNS:
            wanted.append(column)
        elif column:
            guess = nearest(column, TASK_COLUMNS)
            hint = f"; did you mean {guess}?" if guess else f"; there are {', '.join(TASK_COLUMNS)}."
            warnings.append(f"tasks_columns: unknown column {column!r} is ignored{hint}")
    if not wanted:
        raise ConfigError(f"tasks_columns: no column is left; allowed: all, {', '.join(TASK_COLUMNS)}")
    values["tasks_columns"] = tuple(dict.fromkeys(wanted))
    return warnings


def _resolve_buckets(values: dict[str, Any]) -> None:
    bounds = values["task_runtime_metric_buckets"]
    if any(math.isnan(bound) for bound in bounds) or list(bounds) != sorted(set(bounds)):
        raise ConfigError(
            "task_runtime_metric_buckets: not in ascending order; allowed: such as 0.1,1,10,inf"
        )
    if not [bound for bound in bounds if bound != math.inf]:
        raise ConfigError(
            "task_runtime_metric_buckets: needs at least one finite bound; allowed: such as 1,10,inf"
        )
    values["task_runtime_metric_buckets"] = (*(bound for bound in bounds if bound != math.inf), math.inf)


def _check_tls(values: dict[str, Any], warnings: list[str]) -> None:
    for name in _INPUT_FILES:
        if values[name] and not Path(values[name]).is_file():
            raise ConfigError(f"{name}: there is no file {values[name]}; allowed: the path of a PEM file")
    if bool(values["certfile"]) != bool(values["keyfile"]):
        given, missing = ("certfile", "keyfile") if values["certfile"] else ("keyfile", "certfile")
        raise ConfigError(f"{given}: HTTPS needs {missing} as well; allowed: both or none")
    for prefix in ("broker", "broker_api"):
        if values[f"{prefix}_keyfile"] and not values[f"{prefix}_certfile"]:
            raise ConfigError(
                f"{prefix}_keyfile: needs {prefix}_certfile as well; allowed: both, or the certificate alone"
            )
    if values["ca_certs"] and not values["certfile"]:
        warnings.append(
            "ca_certs has no effect without certfile and keyfile: pages are served over plain HTTP."
        )
    if values["unix_socket"] and (values["certfile"] or values["xheaders"]):
        warnings.append("certfile, keyfile and xheaders do not apply to unix_socket.")


def _resolve_retention(values: dict[str, Any], given: Mapping[str, Any]) -> list[str]:
    """Unset, history is bounded by age; with `max_tasks` it is bounded by count, as a Flower user expects."""
    if "retention" not in given and values["max_tasks"] is None:
        values["retention"] = DEFAULT_RETENTION
    if values["max_tasks"] is None:
        return []
    told = f"max_tasks={values['max_tasks']} is honoured: beyond it the oldest finished tasks are removed. "
    return [f"{told}Leave it unset to keep tasks by age and size (retention, max_bytes)."]
