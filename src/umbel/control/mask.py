"""Takes secrets out of what workers tell about themselves, before it is cached, shown or sent anywhere."""

import re
from typing import Any

MASK = "********"

#: Keys whose values are secrets, in settings and connection info.
_SECRET_KEY = re.compile(
    r"passw|passphrase|secret|token|credential|(?:api|access|account|private|shared).?key", re.IGNORECASE
)
#: The password part of a URL's user info, which may hold anything but the beginning of another URL.
_URL_PASSWORD = re.compile(r"(?P<head>[a-zA-Z][\w+.-]*://[^\s/@:]*):(?:(?!://)\S)+@")
#: `password=…` in query strings and connection strings.
_ASSIGNED = re.compile(
    r"(?P<name>[\w-]*(?:passw(?:or)?d|pwd|secret|token|(?:api|access|account|private|shared)[_-]?(?:access)?[_-]?key))"
    r"=[^;&\s'\"]+",
    re.IGNORECASE,
)


def mask_secrets(value: Any) -> Any:
    """A copy of a JSON value in which passwords, tokens and the passwords of URLs read `********`."""
    if isinstance(value, str):
        return mask_url(value)
    if isinstance(value, list | tuple):
        return [mask_secrets(item) for item in value]
    if isinstance(value, dict):
        return {key: _mask_item(key, item) for key, item in value.items()}
    return value


def mask_url(text: str) -> str:
    """`text` with the password of every URL and connection string in it masked."""
    if "://" in text:
        text = _URL_PASSWORD.sub(rf"\g<head>:{MASK}@", text)
    return _ASSIGNED.sub(rf"\g<name>={MASK}", text) if "=" in text else text


def _mask_item(key: Any, value: Any) -> Any:
    if isinstance(key, str) and _SECRET_KEY.search(key):
        return _mask_all(value)
    return mask_secrets(value)


def _mask_all(value: Any) -> Any:
    """Everything that stands under a secret's name, but for what says nothing: null, true, false, empty."""
    if isinstance(value, dict):
        return {key: _mask_all(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_mask_all(item) for item in value]
    return value if value is None or isinstance(value, bool) or value == "" else MASK
