"""From the words of a command line to a running command: arguments, application, configuration, logging, checks.

The body behind `command` (Celery's entry points) and `cli` (the `umbel` script); both import it lazily.
"""

import logging
import sys
from collections.abc import Callable, Sequence

import msgspec
from celery import Celery

from umbel import celery_app, logs
from umbel.command import load_module
from umbel.config import Config, load
from umbel.config.arguments import parse
from umbel.errors import ConfigError, UmbelError

logger = logging.getLogger(__name__)

#: What a command does once everything is known; returns the exit code.
Verb = Callable[[Config, Celery], int]


def run(
    words: Sequence[str],
    verb: Verb,
    *,
    given: Celery | None = None,
    quiet: bool = False,
    colour: bool = True,
    notices: Sequence[str] = (),
) -> int:
    """Prepare and run one command; whatever is wrong becomes one line on standard error.

    Args:
        words: The command line after the command.
        verb: The command's body.
        given: The application that `celery` loaded already.
        quiet: `celery -q` was given before the command.
        colour: Coloured log lines are wanted.
        notices: Further warnings for the log.
    Returns:
        The exit code: the body's, 1, or a shell's 130 after a Ctrl-C that nothing else took.
    """
    try:
        config, app = prepare(words, given=given, quiet=quiet, colour=colour, notices=notices)
        return verb(config, app)
    except KeyboardInterrupt:
        return 130
    except UmbelError as error:
        logger.debug("The start failed.", exc_info=True)
        sys.stderr.write(f"umbel: {error}\n")
        return 1


def prepare(
    words: Sequence[str],
    *,
    given: Celery | None = None,
    quiet: bool = False,
    colour: bool = True,
    notices: Sequence[str] = (),
) -> tuple[Config, Celery]:
    """The configuration and the application of a command line; logging is set up on the way.

    Raises:
        UmbelError: Something is wrong; the message is one line for the user.
    """
    parsed = parse(words)
    parsed.celery.quiet |= quiet
    celery_app.enter(
        parsed.celery,
        broker=parsed.options.get("broker"),
        result_backend=parsed.options.get("result_backend"),
    )
    # the application first: a config file may import what it sets up
    app = celery_app.find(parsed.celery, given)
    loaded = load(parsed)
    config = loaded.config
    _configure_logging(config, colour=colour and not parsed.celery.no_color)
    celery_app.apply(config, app)
    driver_type = celery_app.fetch_driver_type(app)
    api, warnings = celery_app.check_broker_api(config, str(app.conf.broker_read_url), driver_type)
    for warning in (*loaded.warnings, *warnings, *notices):
        logger.warning("%s", warning)
    return msgspec.structs.replace(config, broker_api=api), app


def serve(config: Config, app: Celery) -> int:
    """The server: pages, API and collector."""
    load_module("umbel.app")
    from umbel.app import serve as body

    celery_app.import_tasks(app)
    return body(config, app)


def collect(config: Config, app: Celery) -> int:
    """The collector alone."""
    load_module("umbel.app")
    from umbel.app import collect as body

    return body(config, app)


def pruner(*, dry_run: bool) -> Verb:
    """The command that applies the limits of the history once."""

    def prune(config: Config, app: Celery) -> int:
        load_module("umbel.app")
        from umbel.app import prune as body

        return body(config, app, dry_run)

    return prune


def doctor(config: Config, app: Celery) -> int:
    """The command that says what is wrong."""
    load_module("umbel.app")
    from umbel.app import doctor as body

    celery_app.import_tasks(app)
    return body(config, app)


def flower_notice() -> list[str]:
    """A warning when Flower is installed too: which of the two answers to `celery flower` is a matter of luck."""
    from umbel.control.examine import is_flower_beside

    if not is_flower_beside():
        return []
    return ["Flower is installed beside Umbel, and either may answer to `celery flower`; use `celery umbel`."]


def _configure_logging(config: Config, *, colour: bool) -> None:
    try:
        logs.configure(config, colour=colour)
    except OSError as error:
        raise ConfigError(
            f"log_file_prefix: cannot write {config.log_file_prefix}: {error.strerror}"
        ) from error
