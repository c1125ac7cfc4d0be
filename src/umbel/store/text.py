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
#: Where a number begins that is not written in decimal digits alone.
ODD_NUMBER = r"0[xob]|[0-9]+_"
#: The same as patterns of SQL's GLOB.
ODD_NUMBER_GLOBS = ("*0[xXoObB]*", "*[0-9]_*")
#: The same in any case, each beginning with a character that is found quickly.
_ODD_NUMBERS = re.compile("0[xXoObB]"), re.compile("_(?<=[0-9]_)")
#: Texts that a literal can evaluate to without holding them (1e999 is inf).
_COMPUTED = frozenset(("inf", "nan", "ellipsis"))


def sort_key(text: str | None) -> str | None:
    """What texts are sorted by, regardless of case."""
    return None if text is None else text.casefold()[:KEY_LENGTH]


def contains(needle: str, *texts: str | None) -> bool:
    """One of `texts` contains the case-folded `needle`."""
    return any(text is not None and needle in text.casefold() for text in texts)


def has_odd_number(text: str) -> bool:
    """`ODD_NUMBER` is found in the text, regardless of case."""
    return any(odd.search(text) is not None for odd in _ODD_NUMBERS)


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


def pair_words(key: str, value: str) -> tuple[str, str] | None:
    """What stands in every ASCII literal, without escapes, of a dict with this pair: the key, and the value where it is
    plain ("" otherwise; numbers may be written in other ways). None where even the key may be written otherwise."""
    if not _PLAIN_KEY.fullmatch(key) or key in _COMPUTED:
        return None
    plain = _PLAIN_VALUE.fullmatch(value) and value not in _COMPUTED
    return key, value.lstrip("-") if plain else ""


def pair_hint(key: str, value: str) -> str:
    """A regular expression that is found in every ASCII literal, without escapes, of a dict with this pair;
    "" where there is none. (Joined string literals, which nothing prints, are not thought of.)"""
    words = pair_words(key, value)
    if words is None:
        return ""
    value = words[1]
    quote = """(?:'''|\"\"\"|['"])"""
    number = ODD_NUMBER if value.isdigit() else ""
    whole = value + r"(?![a-z0-9_.])" if value else ""
    value = "|".join(filter(None, (whole, number)))
    return rf"{quote}\s*{key}\s*{quote}\s*:[\s(+-]*(?:[bru]{{0,2}}{quote}[\s+-]*)?(?:{value})"


def _printed(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip()
    return str(value).strip()
