"""Builds the one `Config` of a run: default < environment < config file < command line, as in Flower.

`start`, behind every command, calls `load`; nothing else decides precedence.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from umbel.config.arguments import Arguments, parse
from umbel.config.cluster_options import DEFAULT_CONF
from umbel.config.record import Config
from umbel.config.resolve import check_status, read_value, resolve
from umbel.config.sources import Raw, find_config_files, read_config_file, read_environment
from umbel.config.table import OPTIONS


class Loaded(msgspec.Struct, frozen=True):
    """A configuration, and what its user should hear about it."""

    config: Config
    #: One sentence each; to be logged as warnings once logging is set up.
    warnings: list[str]


def load(
    arguments: Sequence[str] | Arguments = (),
    environ: Mapping[str, str] | None = None,
    *,
    folder: Path | None = None,
) -> Loaded:
    """Read every source and build the configuration.

    Args:
        arguments: The words after the command, or what `arguments.parse` made of them.
        environ: The process environment if not given.
        folder: Where config files and relative paths are looked up; the current one if not given.
    Raises:
        ConfigError: A setting is wrong; the message is one line for the user.
        NotBuilt: A setting is real but this version cannot honour it.
    """
    parsed = arguments if isinstance(arguments, Arguments) else parse(arguments)
    place = folder or Path.cwd()
    raw, noticed = read_environment(os.environ if environ is None else environ)
    warnings = [*parsed.warnings, *noticed]
    command_line = {name: Raw(text, "the command line") for name, text in parsed.options.items()}
    conf = (raw | command_line).get("conf")
    files = find_config_files(conf.value if conf and conf.value else DEFAULT_CONF, place)
    for path in files:
        found, noticed = read_config_file(path)
        raw |= found
        warnings += noticed
    raw |= command_line
    given: dict[str, Any] = {}
    for name, value in raw.items():
        given[name] = read_value(OPTIONS[name], value)
        warning = check_status(OPTIONS[name], given[name], value)
        if warning:
            warnings.append(warning)
    values, noticed = resolve(given, place)
    values |= {"config_files": tuple(map(str, files)), "quiet": parsed.celery.quiet}
    return Loaded(msgspec.convert(values, Config), [*warnings, *noticed])
