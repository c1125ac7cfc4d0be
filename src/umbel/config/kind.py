"""The kinds of value an option can have: how each is read from text, checked as an object, and described.

Knows nothing of single options, sources or precedence; `table` names the kinds, `resolve` calls them.
"""

import json
import math
import re
from collections.abc import Callable
from datetime import timedelta
from types import FunctionType
from typing import Any

import msgspec

_TRUE = frozenset({"y", "yes", "t", "true", "on", "1"})
_FALSE = frozenset({"n", "no", "f", "false", "off", "0"})
BOOLEAN_WORDS = _TRUE | _FALSE
#: Words for "no limit".
_UNLIMITED = frozenset({"none", "unlimited", "off"})
_SECONDS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_BYTES = {"": 1, "b": 1} | {
    f"{letter}{middle}b": base**power
    for power, letter in enumerate("kmgt", start=1)
    for middle, base in (("", 1000), ("i", 1024))
}
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([a-z]*)")


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of value. Both readers raise ValueError or TypeError for what is not allowed."""

    #: Placeholder in `--help`.
    metavar: str
    #: Completes the sentence "allowed: …".
    allowed: str
    #: From the command line, the environment, or a string in the config file.
    from_text: Callable[[str], Any]
    #: From any other object in the config file.
    from_object: Callable[[Any], Any]
    #: An empty text means "as if it were not set".
    empty_is_unset: bool = False


def _refuse(value: object) -> Any:
    raise TypeError(type(value).__name__)


def _boolean(text: str) -> bool:
    word = text.strip().lower()
    if word not in BOOLEAN_WORDS:
        raise ValueError(text)
    return word in _TRUE


def _boolean_object(value: object) -> bool:
    # 0 and 1 are what people write in config files; any other number is a mistake
    if isinstance(value, int) and value in (0, 1):
        return bool(value)
    return bool(_refuse(value))


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return float(_refuse(value))
    return float(value)


def _whole(value: object) -> int:
    number = _number(value)
    if not number.is_integer():
        raise ValueError(value)
    return int(number)


def _checked(number: float, low: float, high: float) -> float:
    if not low <= number <= high:  # also refuses NaN
        raise ValueError(number)
    return number


def _range(low: float, high: float) -> str:
    if high == math.inf:
        return "" if low == -math.inf else f" from {low:g} up"
    return f" from {low:g} to {high:g}"


def integer(low: int, high: float = math.inf) -> Kind:
    """A whole number within bounds."""
    return Kind(
        metavar="INTEGER",
        allowed=f"a whole number{_range(low, high)}",
        from_text=lambda text: int(_checked(int(text), low, high)),
        from_object=lambda value: int(_checked(_whole(value), low, high)),
    )


def number(low: float = -math.inf, high: float = math.inf) -> Kind:
    """A number within bounds; `inf` is one."""
    return Kind(
        metavar="NUMBER",
        allowed=f"a number{_range(low, high)}",
        from_text=lambda text: _checked(float(text), low, high),
        from_object=lambda value: _checked(_number(value), low, high),
    )


def choice(*words: str) -> Kind:
    """One of a few words, in any case."""

    def read(text: str) -> str:
        word = text.strip().lower()
        if word not in words:
            raise ValueError(text)
        return word

    return Kind(metavar="|".join(words), allowed=", ".join(words), from_text=read, from_object=_refuse)


def text(metavar: str = "TEXT", allowed: str = "text") -> Kind:
    """Any text; empty means not set."""
    return Kind(metavar=metavar, allowed=allowed, from_text=str, from_object=_refuse, empty_is_unset=True)


def _quantity(text: str, units: dict[str, float] | dict[str, int]) -> float | None:
    word = text.strip().lower()
    if word in _UNLIMITED:
        return None
    match = _QUANTITY.fullmatch(word)
    if match is None or match[2] not in units:
        raise ValueError(text)
    return float(match[1]) * units[match[2]] or None


def _duration_object(value: object) -> float | None:
    seconds = value.total_seconds() if isinstance(value, timedelta) else _number(value)
    return _checked(seconds, 0, 1e12) or None


def duration(*, unlimited: bool = False, least: float = 0.0) -> Kind:
    """A span of time, in seconds and at least so many; None for unlimited where that is allowed."""
    extra = ", or 'none' for no limit" if unlimited else f"; at least {least:g} s" if least else ""

    def bounded(seconds: float | None) -> float | None:
        return None if seconds is None else _checked(seconds, least, math.inf)

    return _amount(
        "DURATION",
        f"seconds, or a number with ms, s, m, h, d or w, such as 90, 12h or 30d{extra}",
        lambda text: bounded(_quantity(text, _SECONDS)),
        lambda value: bounded(_duration_object(value)),
        unlimited,
    )


def size(*, unlimited: bool = False) -> Kind:
    """A number of bytes; None for unlimited where that is allowed."""
    extra = ", or 'none' for no limit" if unlimited else ""

    def read(text: str) -> int | None:
        amount = _quantity(text, _BYTES)
        return None if amount is None else int(amount)

    return _amount(
        "SIZE",
        f"bytes, or a number with KB, MB, GB, TB (powers of 1000) or KiB, MiB, GiB, TiB{extra}",
        read,
        lambda value: int(_checked(_whole(value), 0, 1e18)) or None,
        unlimited,
    )


def _amount(
    metavar: str,
    allowed: str,
    from_text: Callable[[str], Any],
    from_object: Callable[[Any], Any],
    unlimited: bool,
) -> Kind:
    def guarded(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def guard(value: object) -> Any:
            amount = read(value)
            if amount is None and not unlimited:
                raise ValueError(value)
            return amount

        return guard

    return Kind(
        metavar=metavar, allowed=allowed, from_text=guarded(from_text), from_object=guarded(from_object)
    )


def _json_object(text: str) -> dict[str, Any]:
    value = json.loads(text)
    return dict(value) if isinstance(value, dict) else dict(_refuse(value))


def _mapping(value: object) -> dict[str, Any]:
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return dict(value)
    return dict(_refuse(value))


def _boolean_or_mapping(value: object) -> bool | dict[str, Any]:
    return _mapping(value) if isinstance(value, dict) else _boolean_object(value)


def _function(value: object) -> FunctionType:
    if not isinstance(value, FunctionType):
        raise TypeError(type(value).__name__)
    return value


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(str(error)) from error
    return text


def _credentials(text: str) -> str:
    user, colon, password = text.partition(":")
    if not (user and colon and password):
        raise ValueError("not user:password")
    return text


def _zone(text: str) -> str:
    from zoneinfo import ZoneInfo

    if text:
        # ZoneInfoNotFoundError is a KeyError; a directory's name gives an OSError
        try:
            ZoneInfo(text)
        except (KeyError, OSError) as error:
            raise ValueError(text) from error
    return text


BOOLEAN = Kind(
    metavar="BOOLEAN",
    allowed="true, false, yes, no, on, off, 1, 0",
    from_text=_boolean,
    from_object=_boolean_object,
)
TEXT = text()
PATH = text("PATH", "a path")
URL = text("URL", "a URL")
ZONE = Kind(
    metavar="ZONE",
    allowed="a name from the IANA time zone database, such as UTC or Europe/Berlin",
    from_text=_zone,
    from_object=_refuse,
    empty_is_unset=True,
)
CREDENTIALS = Kind(
    metavar="USER:PASSWORD",
    allowed="user:password, several separated by commas",
    from_text=_credentials,
    from_object=_refuse,
)
PATTERN = Kind(
    metavar="REGEX", allowed="a Python regular expression", from_text=_pattern, from_object=_refuse
)
JSON_OBJECT = Kind(
    metavar="JSON",
    allowed='a JSON object such as {"visibility_timeout": 3600}; in a config file a dict',
    from_text=_json_object,
    from_object=_mapping,
    empty_is_unset=True,
)
TLS = Kind(
    metavar="BOOLEAN",
    allowed="true or false; in a config file also a dict as Celery's broker_use_ssl takes it",
    from_text=_boolean,
    from_object=_boolean_or_mapping,
)
FUNCTION = Kind(
    metavar="FUNCTION",
    allowed="a function, in a config file only",
    from_text=lambda text: _refuse(text),
    from_object=_function,
)
