"""Text rules that SQL alone cannot keep: Unicode case folding, sort keys, pairs of printed keyword arguments.

Pure functions. Engines without them register these (see `store.sqlite_reader`); `store.queries` names them.
"""

import ast
import re

#: A sort key looks at this many characters: cursors carry it.
KEY_LENGTH = 200
#: Longer printed kwargs are not parsed as Python: workers cut theirs at about 1 kB.
MAX_LITERAL = 100_000

_PLAIN_KEY = re.compile(r"[a-z_][a-z0-9_]*")
_PLAIN_VALUE = re.compile(r"[a-z_][a-z0-9_]*|-?[0-9]+")
#: Texts that a literal can evaluate to without holding them (1e999 is inf).
_COMPUTED = frozenset(("inf", "nan", "ellipsis"))


def sort_key(text: str | None) -> str | None:
    """What texts are sorted by, regardless of case."""
    return None if text is None else text.casefold()[:KEY_LENGTH]


def contains(needle: str, *texts: str | None) -> bool:
    """One of `texts` contains the case-folded `needle`."""
    return any(text is not None and needle in text.casefold() for text in texts)


def has_pair(kwargs: str | None, pair: str, hint: str) -> bool:
    """`kwargs`, the printed form of a dict, holds the case-folded pair `key=value`.

    Values are compared by their text: strings as they are, None as nothing, anything else as Python prints it.
    `hint` is `pair_hint` of the same pair. Source: Flower 2.2.0, probed from outside.
    """
    if not kwargs or len(kwargs) > MAX_LITERAL:
        return False
    # parsing takes 50 times as long as a look; escapes, comments and other alphabets are not for a quick look
    quick = hint and kwargs.isascii() and "\\" not in kwargs and "#" not in kwargs
    if quick and not re.search(hint, kwargs, re.IGNORECASE):
        return False
    try:
        # evaluates literals only, never names or calls
        value = ast.literal_eval(kwargs)
        if not isinstance(value, dict):
            return False
        return any(f"{_printed(key)}={_printed(item)}".casefold() == pair for key, item in value.items())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return False


def pair_hint(key: str, value: str) -> str:
    """A regular expression that is found in every ASCII literal, without escapes, of a dict with this pair;
    "" where there is none. (Joined string literals, which nothing prints, are not thought of.)"""
    if not _PLAIN_KEY.fullmatch(key) or key in _COMPUTED:
        return ""
    if not _PLAIN_VALUE.fullmatch(value) or value in _COMPUTED:
        value = ""
    quote = """(?:'''|\"\"\"|['"])"""
    number = r"0[xob]|[0-9]+_" if value.lstrip("-").isdigit() else ""
    whole = value.lstrip("-") + r"(?![a-z0-9_.])" if value else ""
    value = "|".join(filter(None, (whole, number)))
    return rf"{quote}\s*{key}\s*{quote}\s*:[\s(+-]*(?:[bru]{{0,2}}{quote}[\s+-]*)?(?:{value})"


def _printed(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip()
    return str(value).strip()
