"""Lets Flower config files load without Flower: `flower.utils.template.humanize`, importable only while one runs.

Never a package on disk, and never in the way of a real Flower. `config.sources` calls `installed`.
"""

import importlib.util
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

_UPPER = re.compile("ssl|uri|url|uuid|eta")
_UNTOUCHED = frozenset({"args", "kwargs"})
_UUID = re.compile(r"\w{8}(-\w{4}){3}-\w{12}")
_DAY = 86400.0


@contextmanager
def installed() -> Iterator[None]:
    """Make `from flower.utils.template import humanize` work inside the block, unless Flower is really there."""
    if _flower_is_there():
        yield
        return
    names = ("flower", "flower.utils", "flower.utils.template")
    modules = [ModuleType(name) for name in names]
    package, utils, template = modules
    for module, child in ((package, utils), (utils, template)):
        setattr(module, child.__name__.rpartition(".")[2], child)
        module.__path__ = []
    template.humanize = humanize  # type: ignore[attr-defined]
    sys.modules.update(zip(names, modules, strict=True))
    try:
        yield
    finally:
        for name in names:
            sys.modules.pop(name, None)


def _flower_is_there() -> bool:
    if "flower" in sys.modules:
        return True
    found = importlib.util.find_spec("flower")
    # a folder that happens to be called flower is a namespace package without an origin
    return found is not None and found.origin is not None


def humanize(obj: Any, type: str | None = None, length: int | None = None) -> Any:
    """A value as Flower's labels show it.

    Args:
        obj: None gives ''; lists of plain values are joined; names lose `_` and `-`; other objects pass.
        type: 'duration' (of seconds), 'time' or 'natural-time' (of epoch seconds), the last two with '-<zone>' for a
            time zone.
        length: Cut longer text to this many characters, ending in ' ...'.
    """
    shown = _humanize(obj, type)
    if length is not None and isinstance(shown, str) and len(shown) > length:
        return f"{shown[: length - 4]} ..."
    return shown


def _humanize(obj: Any, type: str | None) -> Any:
    if obj is None:
        return ""
    if type == "duration":
        return _duration(float(obj))
    for prefix, show in (("natural-time", _natural_time), ("time", _time)):
        if type and type.startswith(prefix):
            return show(float(obj), _zone(type.removeprefix(prefix).lstrip("-"))) if obj else ""
    if isinstance(obj, str):
        return _label(obj)
    if isinstance(obj, list) and all(isinstance(item, int | float | str) for item in obj):
        return ", ".join(map(str, obj))
    return obj


def _label(text: str) -> str:
    if _UUID.fullmatch(text):
        return text
    words = _UPPER.sub(lambda match: match[0].upper(), re.sub("[-_]", " ", text))
    return words if words in _UNTOUCHED else words[:1].upper() + words[1:]


def _zone(name: str) -> tzinfo:
    return ZoneInfo(name) if name else UTC


def _time(seconds: float, zone: tzinfo) -> str:
    return datetime.fromtimestamp(seconds, zone).strftime("%Y-%m-%d %H:%M:%S.%f %Z")


def _natural_time(seconds: float, zone: tzinfo) -> str:
    """How long ago, for the last day; else the time."""
    age = datetime.now(UTC).timestamp() - seconds
    if not 0 <= age < _DAY:
        return _time(seconds, zone)
    for unit, span in (("hour", 3600), ("minute", 60), ("second", 1)):
        count = int(age // span)
        if count:
            article = "an" if unit == "hour" else "a"
            return f"{article} {unit} ago" if count == 1 else f"{count} {unit}s ago"
    return "now"


def _duration(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.2f} ms"
    if seconds < 60:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02d}m {rest:02d}s" if hours else f"{minutes}m {rest:02d}s"
