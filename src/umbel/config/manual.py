"""Turns OPTIONS into text for users: the rows of `--help` and the reference page.

`command` and `cli` print the first, `reference` writes the second, and a test compares it.
"""

from collections.abc import Iterator

from umbel.config.option import Group, Option, Status
from umbel.config.table import OPTIONS

#: Celery's arguments, as `--help` shows them.
CELERY_ROWS = [
    ("-A, --app APP", "The Celery application: module or module:attribute. Without it a plain one is used."),
    ("-b, --broker URL", "URL of the broker."),
    ("--result-backend URL", "URL of the result backend."),
    ("--loader LOADER", "Celery loader of an application that has none."),
    ("--config MODULE", "Celery configuration module."),
    ("--workdir PATH", "Change to this folder first."),
    ("-C, --no-color", "No colours."),
    ("-q, --quiet", "No banner."),
    ("--skip-checks", "Skip Django's checks."),
]

_STATUS = {
    Status.NOT_BUILT: "Not built yet: setting it stops the start.",
    Status.OBSOLETE: "Has no meaning any more: setting it earns one warning.",
}

_HEAD = """\
# Options

<!-- Made from umbel.config.OPTIONS by `python -m umbel.config.reference`; a test keeps it true. -->

Every option can be set in four places. The later one wins:

1. its default;
2. an environment variable: `UMBEL_<NAME>`, and for options that Flower has too `FLOWER_<NAME>`, over which
   `UMBEL_<NAME>` wins;
3. a config file, executed as Python: `flowerconfig.py` and then `umbelconfig.py` in the current folder, or
   the one file that `--conf` names;
4. the command line: `--name=value` or `--name value`, with `-` and `_` alike; a bare boolean means true.

Booleans are `true`, `yes`, `on`, `1` or `false`, `no`, `off`, `0`, in any case. Durations are seconds or a
number with `ms`, `s`, `m`, `h`, `d`, `w`. Sizes are bytes or a number with `KB`, `MB`, `GB`, `TB` (powers of
1000) or `KiB`, `MiB`, `GiB`, `TiB`. Options that take several values take them separated by commas, or as a
list in a config file.

One variable is read on each request and has no option: `UMBEL_UNAUTHENTICATED_API`, else
`FLOWER_UNAUTHENTICATED_API`, opens Flower's API (`/api/…`) where no login is configured.
"""


def help_sections() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """`(heading, [(option, text)])` for `--help`, in order."""
    yield "Celery arguments (before or after the command)", CELERY_ROWS
    for group, options in _groups():
        yield (
            group.value,
            [(f"--{option.name} {option.kind.metavar}", _summary(option)) for option in options],
        )


def _groups() -> Iterator[tuple[Group, list[Option]]]:
    for group in Group:
        yield group, [option for option in OPTIONS.values() if option.group is group]


def _summary(option: Option) -> str:
    status = _STATUS.get(option.status)
    if status:
        return f"{option.help} {status}"
    return f"{option.help} [default: {option.shown_default}]"


def reference_page() -> str:
    """The whole of `docs/reference/options.md`."""
    parts = [_HEAD]
    for group, options in _groups():
        parts.append(f"## {group.value}\n")
        parts += [_entry(option) for option in options]
    return "\n".join(parts)


def _entry(option: Option) -> str:
    value = f"several of: {option.kind.allowed}" if option.multi else option.kind.allowed
    unit = f" ({option.unit})" if option.unit else ""
    lines = [f"### `{option.name}`\n", f"{option.help}\n"]
    status = _STATUS.get(option.status)
    if status:
        lines.append(f"**{status}**\n")
    lines.append(f"- Value: {value}{unit}")
    if option.status is Status.BUILT:
        lines.append(f"- Default: {option.shown_default}")
    lines.append(f"- Environment: {', '.join(f'`{name}`' for name in option.environment)}")
    origin = "Flower has it too" if option.flower else "Umbel's own"
    lines.append(f"- {origin}; since {option.since}\n")
    return "\n".join(lines)
