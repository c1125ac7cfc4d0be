"""OPTIONS: the one table behind command line, `--help`, environment, config files and reference page."""

import difflib
from collections.abc import Iterable

from umbel.config.cluster_options import CLUSTER, CONFIG, HISTORY, PRIVACY, TLS
from umbel.config.option import Option
from umbel.config.web_options import ACCESS, LOGGING, PAGES, WEB

OPTIONS: dict[str, Option] = {
    option.name: option
    for option in (*WEB, *ACCESS, *CLUSTER, *TLS, *HISTORY, *PRIVACY, *PAGES, *LOGGING, *CONFIG)
}

#: What people type for an option of ours, from other tools.
_HABITS = {
    "bind": "address", "broker_url": "broker", "h": "address", "host": "address", "l": "logging",
    "log_level": "logging", "logfile": "log_file_prefix", "loglevel": "logging", "f": "log_file_prefix",
    "p": "port", "backend": "result_backend",
}  # fmt: skip


def canonical(name: str) -> str:
    """An option's name as the table has it, from `--url-prefix`, `url_prefix` and the like."""
    return name.lstrip("-").replace("-", "_")


def nearest(name: str, known: Iterable[str] = OPTIONS) -> str | None:
    """The known name most like `name`; None when nothing is like it."""
    if name in _HABITS:
        return _HABITS[name]
    return next(iter(difflib.get_close_matches(name.lower(), list(known), n=1, cutoff=0.6)), None)
