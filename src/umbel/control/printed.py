"""Arguments in their printed form, as events carry them, read as JSON for a form that a person edits and checks.

The printed form is the sender's: it may be cut, redacted, or say something else than what was sent. So nothing here is
ever sent as it is, and nothing is evaluated: the text is parsed, and what is no plain JSON value is refused.
"""

import ast
import json
import math
from typing import Any

from umbel.errors import NotReadable
from umbel.model.redact import MASK

#: Characters of a text that is read.
LONGEST = 100_000
#: What a sender's print puts for what it leaves out.
_CUT = "..."


def read_printed(text: str | None, kind: type[Any]) -> str:
    """JSON of the printed positional (`list`) or keyword (`dict`) arguments. Raises NotReadable."""
    if text is None:
        raise NotReadable("no event told them")
    if MASK in text:
        raise NotReadable("secrets in them were redacted")
    if _CUT in text or len(text) > LONGEST:
        raise NotReadable("they were cut off when they were printed, or hold '...', which looks like it")
    try:
        value = _value(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as exc:
        raise NotReadable("their printed form can't be read") from exc
    if not isinstance(value, kind):
        raise NotReadable("their printed form is not one of arguments")
    return json.dumps(value, ensure_ascii=False)


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=None | bool() | int() | str() as value):
            return value
        case ast.Constant(value=float() as value) if math.isfinite(value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_value(item) for item in items]
        case ast.Dict(keys=keys, values=values) if all(_is_text(key) for key in keys):
            return {
                key.value: _value(item)
                for key, item in zip(keys, values, strict=True)
                if isinstance(key, ast.Constant)
            }
    raise NotReadable("they hold something that JSON has no form for")


def _is_text(key: ast.expr | None) -> bool:
    return isinstance(key, ast.Constant) and isinstance(key.value, str)
