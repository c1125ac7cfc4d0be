"""Takes secrets out of what workers tell about themselves, before it is cached, shown or sent anywhere."""

import re
from typing import Any

MASK = "********"

#: Keys whose values are secrets, in settings and connection info.
_SECRET_KEY = re.compile(r"passw|passphrase|secret|token|credential|api_?key|private_?key", re.IGNORECASE)
#: The password part of a URL's user info.
_URL_PASSWORD = re.compile(r"(?P<head>[a-zA-Z][\w+.-]*://[^\s/@:]*):(?P<password>[^\s@/]+)@")


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
    """`text` with the password of every URL in it masked."""
    return _URL_PASSWORD.sub(rf"\g<head>:{MASK}@", text) if "://" in text else text


def _mask_item(key: Any, value: Any) -> Any:
    if isinstance(key, str) and isinstance(value, str) and value and _SECRET_KEY.search(key):
        return MASK
    return mask_secrets(value)
