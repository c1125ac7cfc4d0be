"""Sets up Python's logging from the configuration, with Flower's line format and Tornado's option names.

Every process that serves or collects calls `configure` once at its start.
"""

import copy
import logging
import logging.handlers
import sys
from typing import TextIO

from umbel.config import Config

_COLOURS = {
    logging.DEBUG: "34",
    logging.INFO: "32",
    logging.WARNING: "33",
    logging.ERROR: "31",
    logging.CRITICAL: "35",
}
#: uvicorn's logger of requests.
_ACCESS = "uvicorn.access"
#: Prints the source of every task's signature at debug level, which drowns everything else.
_CHATTY = "celery.utils.functional"


class LineFormatter(logging.Formatter):
    """`[I yymmdd HH:MM:SS module:line] text`; further lines of a message are indented."""

    def __init__(self, *, colour: bool) -> None:
        super().__init__("%(message)s", "%y%m%d %H:%M:%S")
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        # a copy: exc_text that super() caches must not leak into other handlers' lines
        text = super().format(copy.copy(record))
        head = (
            f"[{record.levelname[0]} {self.formatTime(record, self.datefmt)} {record.module}:{record.lineno}]"
        )
        colour = _COLOURS.get(record.levelno)
        if self._colour and colour:
            head = f"\x1b[{colour}m{head}\x1b[0m"
        return f"{head} {text}".replace("\n", "\n    ")


class _Ours:
    """Marks the handlers that `configure` made, so that calling it again replaces them."""


class _Stream(_Ours, logging.StreamHandler[TextIO]):
    pass


class _BySize(_Ours, logging.handlers.RotatingFileHandler):
    pass


class _ByTime(_Ours, logging.handlers.TimedRotatingFileHandler):
    pass


def configure(
    config: Config, *, colour: bool = True, files: bool = True, root: logging.Logger | None = None
) -> None:
    """Give the root logger its level and handlers. `logging=none` leaves everything as it is.

    Args:
        colour: Colour lines that go to a terminal.
        root: The logger to set up, Python's root logger if not given.
        files: Also log to `log_file_prefix`. Only one process may: two would rotate the file under each other.
    Raises:
        OSError: The log file cannot be opened.
    """
    access = logging.getLogger(_ACCESS)
    access.disabled = not config.debug
    if config.logging == "none":
        return
    root = root or logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, _Ours)]:
        root.removeHandler(handler)
        handler.close()
    level = "debug" if config.debug and config.logging == "info" else config.logging
    root.setLevel(level.upper())
    logging.getLogger(_CHATTY).setLevel("INFO")
    has_file = config.log_file_prefix is not None
    if has_file and files:
        root.addHandler(_file_handler(config))
    # with somebody else's handler in place (an app that set logging up), ours would print every line twice
    to_stderr = config.log_to_stderr
    if to_stderr or (to_stderr is None and not has_file and not root.handlers):
        stream = _Stream(sys.stderr)
        stream.setFormatter(LineFormatter(colour=colour and sys.stderr.isatty()))
        root.addHandler(stream)


def _file_handler(config: Config) -> logging.Handler:
    path = str(config.log_file_prefix)
    handler: logging.Handler
    if config.log_rotate_mode == "size":
        handler = _BySize(
            path,
            maxBytes=config.log_file_max_size,
            backupCount=config.log_file_num_backups,
            encoding="utf-8",
        )
    else:
        handler = _ByTime(
            path,
            when=config.log_rotate_when,
            interval=config.log_rotate_interval,
            backupCount=config.log_file_num_backups,
            encoding="utf-8",
        )
    handler.setFormatter(LineFormatter(colour=False))
    return handler
