"""The allow-list: differences from Flower that are meant, each tied to the very cases in which it shows.

`cases` are those that always differ so, `sometimes` those where it depends on the moment. Both are case names in which
only `*` is special, and `<name>` stands for every member of that set of `allowed.toml`.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import cache
from pathlib import Path
from re import Pattern, compile, search

from tests.compat.cases import Case
from tests.compat.compare import Difference

ALLOWED = Path(__file__).with_name("allowed.toml")


@dataclass(frozen=True, slots=True)
class Allowance:
    """A difference that is meant: which cases, which fields (globs), what Umbel does instead, and why."""

    id: str
    cases: tuple[str, ...]
    fields: tuple[str, ...]
    flower: str
    umbel: str
    reason: str
    sometimes: tuple[str, ...] = ()
    #: Glob over what Flower answered (its `repr`); nothing else is excused.
    flower_value: str = "*"
    #: Of nearly every answer, so that the table only mentions it once.
    everywhere: bool = False

    def applies_to(self, case: Case) -> bool:
        """Tell whether answers to `case` may differ so."""
        return self.always_applies_to(case) or any(is_like(case.name, glob) for glob in self.sometimes)

    def always_applies_to(self, case: Case) -> bool:
        """Tell whether answers to `case` differ so each time."""
        return any(is_like(case.name, glob) for glob in self.cases)

    def covers(self, case: Case, difference: Difference) -> bool:
        """Tell whether this difference of this case is meant."""
        return (
            any(is_like(difference.field, glob) for glob in self.fields)
            and is_like(difference.flower, self.flower_value)
            and self.applies_to(case)
        )

    def find_idle_globs(self, cases: Sequence[Case]) -> list[str]:
        """Return the globs that fit none of `cases`."""
        return [
            glob
            for glob in (*self.cases, *self.sometimes)
            if not any(is_like(case.name, glob) for case in cases)
        ]


def is_like(text: str, glob: str) -> bool:
    """Tell whether `text` fits `glob`."""
    return make_glob(glob).match(text) is not None


@cache
def make_glob(glob: str) -> Pattern[str]:
    """Return a glob in which only `*` is special: targets and fields are full of `?` and `[`."""
    return compile(translate(glob.replace("[", "[[]").replace("?", "[?]")))


def read_allowances(path: Path = ALLOWED) -> tuple[Allowance, ...]:
    """Return the allow-list.

    Raises:
        KeyError: An entry misses something, or names a set that is not there.
    """
    document = tomllib.loads(path.read_text())
    sets: Mapping[str, Sequence[str]] = document.get("sets", {})
    return tuple(
        Allowance(
            id=entry["id"],
            cases=tuple(walk_globs(entry.get("cases", ()), sets)),
            sometimes=tuple(walk_globs(entry.get("sometimes", ()), sets)),
            fields=tuple(entry["fields"]),
            flower_value=entry.get("flower_value", "*"),
            flower=entry["flower"],
            umbel=entry["umbel"],
            reason=entry["reason"],
            everywhere=entry.get("everywhere", False),
        )
        for entry in document["difference"]
    )


def walk_globs(globs: Sequence[str], sets: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield `globs`, those with a `<name>` once for each member of that set."""
    for glob in globs:
        named = search("<([a-z_]+)>", glob)
        if named is None:
            yield glob
        else:
            yield from walk_globs([glob.replace(named[0], member, 1) for member in sets[named[1]]], sets)
