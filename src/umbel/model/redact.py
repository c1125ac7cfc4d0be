"""Redaction: what looks like a secret is masked before an event is folded or stored.

Pure: an event in, an event out. Events carry printed forms (argsrepr, tracebacks), so secrets are found by the name
before them or by their own shape. Called by `ingest.pipeline`.
"""

import re
from collections.abc import Iterable

from umbel.model.event import REDACTED, Event

#: What a masked value is shown as.
MASK = "[redacted]"

#: Parts of names whose values are secret, as regular expressions; case does not matter.
SECRET_NAMES = (
    "passw(?:or)?d", "passphrase", "pwd", "secret", "token", "api[_-]?key", "access[_-]?key", "private[_-]?key",
    "authorization", "credential", "session[_-]?id", "cookie", "card[_-]?number", "cvv", "cvc", "ssn",
)  # fmt: skip

#: Values that are secret by their own shape.
SECRET_SHAPES = (
    r"(?<=://)[^/\s:@'\"]*:[^/\s@'\"]+(?=@)",  # user:password in a URL
    r"\beyJ[\w-]{8,}\.[\w-]{4,}\.[\w-]*",  # JSON web token
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",  # AWS key id
    r"\bgh[pousr]_[A-Za-z0-9]{30,}",  # GitHub token
    r"\bxox[abprs]-[\w-]{10,}",  # Slack token
    r"\bsk_(?:live|test)_\w{10,}",  # Stripe key
    r"(?<=[Bb]earer )[\w.~+/=-]{8,}",
    r"(?<=[Bb]asic )[\w+/=-]{8,}",
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
)

_FIELDS = ("args", "kwargs", "result", "exception", "traceback")


class Redactor:
    """Masks the values of secret names, and secrets by shape. `names` are more regular expressions for names."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        words = "|".join((*SECRET_NAMES, *(f"(?:{name})" for name in names)))
        # name, an end quote, a separator; then the value as repr prints it, quoted or bare
        self._named = re.compile(
            rf"(?P<name>(?:{words})[\w-]*\\?['\"]?\s*(?::|=>?|,(?=\s*\\?['\"]))\s*)"
            r"(?P<value>[bruBRU]{0,2}\\?'(?:\\.|[^'\\])*'?|[bruBRU]{0,2}\\?\"(?:\\.|[^\"\\])*\"?|[^\s,'\")}\]]+)",
            re.IGNORECASE,
        )
        self._shapes = re.compile("|".join(SECRET_SHAPES), re.DOTALL)
        # most texts hold none of these and need no second look
        self._hint = re.compile(
            rf"{words}|://|eyJ|AKIA|ASIA|gh[pousr]_|xox|sk_|bearer|basic |PRIVATE KEY",
            re.IGNORECASE,
        )

    def redact(self, event: Event) -> Event:
        """The event with secrets masked and then flagged REDACTED; the same event where there are none."""
        for field in _FIELDS:
            text = getattr(event, field)
            if text is None or self._hint.search(text) is None:
                continue
            clean = self.redact_text(text)
            if clean != text:
                setattr(event, field, clean)
                event.origin |= REDACTED
        return event

    def redact_text(self, text: str) -> str:
        """`text` with every secret in it masked; masking twice changes nothing more."""
        return self._named.sub(_mask, self._shapes.sub(MASK, text))


def _mask(match: re.Match[str]) -> str:
    value = match["value"]
    if MASK[:-1] in value or value in ("None", "True", "False", "''", '""'):
        return match[0]
    for quote in ("\\'", '\\"', "'", '"'):
        if value.lstrip("bruBRU").startswith(quote):
            return match["name"] + quote + MASK + quote
    return match["name"] + MASK
