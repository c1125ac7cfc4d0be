"""Arguments as Flower takes them: query string and form body merged, the last value wins, typed with its errors.

Unlike Flower, nothing is HTML-escaped on the way in: escaping belongs to whoever writes HTML.
"""

import math

from starlette.requests import Request

from umbel.web.problem import Refused

_ON = frozenset({"y", "yes", "t", "true", "on", "1"})
_OFF = frozenset({"n", "no", "f", "false", "off", "0"})
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


class Arguments:
    """The arguments of one request; values are stripped."""

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values

    @classmethod
    async def read(cls, request: Request) -> "Arguments":
        """Query first, form body after it."""
        values = {name: value.strip() for name, value in request.query_params.multi_items()}
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() in _FORMS:
            form = await request.form(max_files=0)
            values.update(
                {name: value.strip() for name, value in form.multi_items() if isinstance(value, str)}
            )
        return cls(values)

    def get_text(self, name: str, default: str = "") -> str:
        """A text; `default` when absent."""
        return self._values.get(name, default)

    def get_int(self, name: str, default: int | None = None) -> int | None:
        """A whole number; `default` when absent. Raises Refused (400)."""
        value = self._values.get(name)
        if value is None:
            return default
        try:
            return int(value)
        except ValueError as exc:
            raise _invalid(value, "int") from exc

    def need_int(self, name: str) -> int:
        """A whole number that must be there. Raises Refused (400)."""
        value = self.get_int(name)
        if value is None:
            raise Refused(400, f"Missing argument {name}")
        return value

    def get_float(self, name: str) -> float | None:
        """A number; None when absent. Raises Refused (400)."""
        value = self._values.get(name)
        if value is None:
            return None
        try:
            number = float(value)
        except ValueError as exc:
            raise _invalid(value, "float") from exc
        if math.isnan(number):
            raise _invalid(value, "float")
        return number

    def get_bool(self, name: str) -> bool:
        """On or off; off when absent. Raises Refused (400)."""
        value = self._values.get(name)
        if value is None:
            return False
        word = value.lower()
        if word in _ON or word in _OFF:
            return word in _ON
        raise _invalid(value, "bool")


def _invalid(value: str, kind: str) -> Refused:
    return Refused(400, f"Invalid argument '{value}' of type '{kind}'")
