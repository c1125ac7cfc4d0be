"""Whether arguments are those that a task received: what each serializer keeps, and whether two values are the same.

Pure but for kombu's registry of serializers. Called by `control.retry`.
"""

import math
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from kombu.exceptions import KombuError
from kombu.serialization import dumps, loads, registry

#: The serializer of results -> those of messages whose values it keeps as they are: what JSON gave is what JSON keeps,
#: but a tuple that came by pickle would come back as a list. Pickle keeps all.
_KEEPS = {
    "json": ("json",), "yaml": ("yaml", "json"), "msgpack": ("msgpack", "json"),
    "pickle": ("pickle", "json", "yaml", "msgpack"),
}  # fmt: skip
PICKLE = "pickle"
_ERRORS = (
    KombuError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError, ImportError, RecursionError,
    EOFError, MemoryError, NotImplementedError,
)  # fmt: skip


def accepted_by(accept: Iterable[Any], confs: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """The serializers of messages that the app takes, or any worker that told its settings."""
    names = {_name_of(kind) for kind in accept}
    for conf in confs:
        told = conf.get("accept_content")
        names |= {_name_of(kind) for kind in told} if isinstance(told, list | tuple | set) else {"json"}
    return frozenset(names)


def why_not_exact(kept_by: str, accepted: Collection[str]) -> str:
    """Why arguments that a result kept need not be those that the task received; "" where they are."""
    kept = _KEEPS.get(kept_by, (kept_by,))
    richer = sorted(name for name in accepted if name not in kept)
    if not richer:
        return ""
    return (
        f"results are kept as {kept_by}, which does not keep everything that a message in {' or '.join(richer)} may"
        " hold (a tuple, say), and workers take such messages"
    )


def choose_serializer(value: Any, wanted: Iterable[str], accepted: Collection[str]) -> str | None:
    """The first serializer that workers take and that gives `value` back the same; None where there is none."""
    for name in dict.fromkeys([*wanted, *sorted(accepted)]):
        if name in accepted and (name == PICKLE or comes_back(value, name)):
            return name
    return None


def comes_back(value: Any, serializer: str) -> bool:
    """Whether `serializer` gives back just this value."""
    try:
        content_type, encoding, data = dumps(value, serializer=serializer)
        return same(loads(data, content_type, encoding, accept={content_type}), value)
    except _ERRORS:
        return False


def same(one: Any, other: Any) -> bool:
    """Equal in value and in type, all the way down. NaN is the same as NaN."""
    if type(one) is not type(other):
        return False
    if isinstance(one, Mapping):
        keys = {key: type(key) for key in other}
        return {key: type(key) for key in one} == keys and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(same(mine, its) for mine, its in zip(one, other, strict=True))
    if isinstance(one, float) and math.isnan(one):
        return math.isnan(other)
    return bool(one == other)


def _name_of(kind: Any) -> str:
    """A serializer's name, also of a content type."""
    text = str(kind)
    return str(registry.type_to_name.get(text, text))
