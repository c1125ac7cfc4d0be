"""Splits a command line into our options, Celery's own arguments, and what is neither. Values stay text.

Celery's arguments are honoured after the command too. `load` reads the result; `cli` uses `split_command`.
"""

from collections.abc import Collection, Sequence

import msgspec

from umbel.config.kind import BOOLEAN, BOOLEAN_WORDS, TLS
from umbel.config.table import OPTIONS, canonical, nearest
from umbel.errors import ConfigError

#: Celery's global arguments: spelling -> name; those in `_FLAGS` take no value. (-b and --result-backend are
#: options of ours too.)
_CELERY = {
    "-A": "app", "--app": "app", "-b": "broker", "--loader": "loader", "--config": "config",
    "--workdir": "workdir", "-C": "no_color", "--no-color": "no_color", "-q": "quiet", "--quiet": "quiet",
    "--skip-checks": "skip_checks",
}  # fmt: skip
_FLAGS = frozenset({"no_color", "quiet", "skip_checks"})


class CeleryArguments(msgspec.Struct, kw_only=True):
    """Celery's global arguments as found after the command."""

    app: str | None = None
    loader: str | None = None
    config: str | None = None
    workdir: str | None = None
    no_color: bool = False
    quiet: bool = False
    skip_checks: bool = False


class Arguments(msgspec.Struct, frozen=True, kw_only=True):
    """A command line, sorted. A repeated option keeps its last value, as in Flower."""

    #: Option name -> text; "true" for a bare boolean.
    options: dict[str, str]
    celery: CeleryArguments
    #: One sentence for each thing that was not understood.
    warnings: list[str]


def parse(words: Sequence[str]) -> Arguments:
    """Sort the words after the command.

    Raises:
        ConfigError: An option lacks its value, or a flag was given one.
    """
    options: dict[str, str] = {}
    celery = CeleryArguments()
    warnings: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, value = _recognise(word)
        if name is None:
            warnings.append(_not_understood(word))
            if word.startswith("-") and "=" not in word and rest and not _is_option(rest[0]):
                rest.pop(0)  # the unknown option's value
        elif name in _FLAGS:
            if value is not None:
                raise ConfigError(f"{word}: takes no value")
            setattr(celery, name, True)
        else:
            if value is None:
                value = _take_value(name, word, rest)
            if name in OPTIONS:
                options[name] = value
            else:
                setattr(celery, name, value)
    return Arguments(options=options, celery=celery, warnings=warnings)


def split_command(words: Sequence[str], commands: Collection[str]) -> tuple[list[str], str | None, list[str]]:
    """Find the command: `(words before it, command, words after it)`; None when there is none.

    Raises:
        ConfigError: An option before the command lacks its value.
    """
    rest = list(words)
    head: list[str] = []
    while rest:
        if not rest[0].startswith("-") and "=" not in rest[0]:
            return head, rest[0], rest[1:]
        word = rest.pop(0)
        head.append(word)
        name, value = _recognise(word)
        if name is None or name in _FLAGS or value is not None:
            continue
        if _is_boolean(name) and rest and rest[0] in commands:
            continue
        before = len(rest)
        taken = _take_value(name, word, rest)
        if len(rest) < before:
            head.append(taken)
    return head, None, []


def _recognise(word: str) -> tuple[str | None, str | None]:
    """`(name, value)` of an option or Celery argument; the name is None when it is neither."""
    if not word.startswith("-"):
        return None, None
    spelling, equals, value = word.partition("=")
    if spelling in _CELERY:
        return _CELERY[spelling], value if equals else None
    if word[:2] in _CELERY and word[:2] in {"-A", "-b"}:  # -Aproj
        return _CELERY[word[:2]], word[2:]
    name = canonical(spelling)
    if spelling.startswith("--") and name in OPTIONS:
        return name, value if equals else None
    return None, None


def _is_option(word: str) -> bool:
    return word.startswith("--") or _recognise(word)[0] is not None


def _is_boolean(name: str) -> bool:
    return name in OPTIONS and OPTIONS[name].kind in (BOOLEAN, TLS)


def _take_value(name: str, word: str, rest: list[str]) -> str:
    """The value of an option written without `=`, taken off `rest`; a boolean needs none."""
    if _is_boolean(name):
        return rest.pop(0) if rest and rest[0].lower() in BOOLEAN_WORDS else "true"
    if not rest or _is_option(rest[0]):
        allowed = f"; allowed: {OPTIONS[name].kind.allowed}" if name in OPTIONS else ""
        raise ConfigError(f"{word}: needs a value{allowed}")
    return rest.pop(0)


def _not_understood(word: str) -> str:
    spelling, _, value = word.partition("=")
    name = canonical(spelling)
    if not word.startswith("-"):
        if value and name in OPTIONS:
            return f"Argument {spelling}=… is ignored: options begin with two dashes, --{name}=…"
        return f"Argument {word!r} is ignored: no such command or option."
    guess = nearest(name)
    hint = f"; did you mean --{guess}?" if guess else "; --help lists them all."
    return f"Unknown option {spelling} is ignored{hint}"
