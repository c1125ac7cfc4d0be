"""Judges two answers to one case: status, headers that clients see, order and content of the body.

What can't be equal (clocks, receive times, memory) is compared by a rule of its own; nothing is left out.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from tests.compat.cases import Case
from tests.compat.client import Answer
from tests.compat.exposition import compare_metrics

#: Headers of every answer that carry no meaning of Flower's, or follow from the body.
INCIDENTAL = frozenset({"server", "date", "content-length", "connection", "transfer-encoding", "keep-alive"})
MAX_SHOWN = 160
#: Judges Flower's value and the candidate's.
Rule = Callable[[Any, Any], bool]
Rules = tuple[tuple[str, Rule], ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """One way in which the candidate's answer is not Flower's; `field` is a path like `body/data/0/clock`."""

    field: str
    flower: str
    candidate: str

    def __str__(self) -> str:
        return f"{self.field}: Flower {self.flower[:MAX_SHOWN]}, candidate {self.candidate[:MAX_SHOWN]}"


def near(seconds: float) -> Rule:
    """Make a rule: numbers (or texts of numbers) at most `seconds` apart."""

    def judge(ours: Any, theirs: Any) -> bool:
        try:
            return abs(float(ours) - float(theirs)) <= seconds
        except (TypeError, ValueError):
            return bool(ours == theirs)

    return judge


def same_type(ours: Any, theirs: Any) -> bool:
    """Rule for what a process says of itself at that moment."""
    return type(ours) is type(theirs) or (isinstance(ours, int | float) and isinstance(theirs, int | float))


def near_times(ours: Any, theirs: Any) -> bool:
    """Rule for a worker's last heartbeats, 2 s apart: as many, each received within 1.5 s of the other's."""
    return len(ours) == len(theirs) and all(abs(a - b) <= 1.5 for a, b in zip(ours, theirs, strict=True))


def same_value(ours: Any, theirs: Any) -> bool:
    """Rule for everything that has no other."""
    return bool(ours == theirs)


def same_members(ours: Any, theirs: Any) -> bool:
    """Rule for what comes in the order in which workers happen to answer."""
    return sorted(ours) == sorted(theirs)


#: (path pattern, rule): the first that fits judges a value; all others must be equal, floats to 1 ms.
RULES: Rules = (
    ("body/*children", same_members),  # a WeakSet in Flower: its order is arbitrary
    ("body/*/heartbeats", near_times),
    ("body/task-id", same_type),  # of a call that each of them made
    ("body/*/timestamp", near(0.001)),
    ("body/timestamp", near(0.001)),
    ("body/*/stats/clock", same_type),
    ("body/*/stats/rusage/*", same_type),
    ("body/*/stats/uptime", near(60)),
    ("body/*/stats/pool/writes/*", same_type),
)
#: Of the inspection cache: when each monitor asked, and who answered first, is its own affair.
INSPECTED: Rules = (
    ("body#order", same_members),
    ("body/*@compat#order", same_members),
    ("body/*@compat/timestamp", near(120)),
    *RULES,
)


def compare(case: Case, flower: Answer, candidate: Answer) -> list[Difference]:
    """Return every difference between the two answers, most important first."""
    return list(walk_differences(case, flower, candidate))


def walk_differences(case: Case, flower: Answer, candidate: Answer) -> Iterator[Difference]:
    """Yield status, headers, then the body by the kind of what Flower sent."""
    if flower.status != candidate.status:
        yield Difference("status", str(flower.status), str(candidate.status))
    yield from walk_headers(flower, candidate)
    if case.is_file:
        return
    if flower.text.startswith("# HELP") and flower.status == candidate.status:
        yield from (Difference(*parts) for parts in compare_metrics(flower.text, candidate.text))
        return
    yield from walk_body(case, flower, candidate)


def walk_headers(flower: Answer, candidate: Answer) -> Iterator[Difference]:
    """Yield differing headers; of entity tags and cookies only what can be the same on two servers."""
    for name in sorted((flower.headers.keys() | candidate.headers.keys()) - INCIDENTAL):
        ours, theirs = flower.headers.get(name), candidate.headers.get(name)
        if name == "etag" and ours and theirs:
            continue
        if name == "set-cookie" and strip_cookie(ours) == strip_cookie(theirs):
            continue
        if ours != theirs:
            yield Difference(f"header/{name}", repr(ours), repr(theirs))


def strip_cookie(cookie: str | None) -> str | None:
    """Return a cookie without its value and the clock of its expiry."""
    return cookie and re.sub(r"=[^;]*\|[^;]*|(?<=expires=)[^;]*", "", cookie)


def walk_body(case: Case, flower: Answer, candidate: Answer) -> Iterator[Difference]:
    """Yield how the bodies differ: as JSON, as pages or as text."""
    if is_page(flower):
        if not is_page(candidate):
            yield Difference("body", "a page", repr(candidate.text))
        for side, answer in (("Flower", flower), ("candidate", candidate)):
            if case.text and case.text not in answer.text:
                yield Difference("body/text", case.text, f"not said by {side}")
    elif flower.headers.get("content-type", "").startswith("application/json") and flower.body:
        try:
            ours, theirs = json.loads(flower.text), json.loads(candidate.text)
        except ValueError:
            yield Difference("body", repr(flower.text), repr(candidate.text))
            return
        rules = INSPECTED if case.endpoint == "/api/workers" or "/api/workers" in case.target else RULES
        yield from walk_values("body", ours, theirs, rules)
    elif flower.body != candidate.body:
        yield Difference("body", repr(flower.text), repr(candidate.text))


def is_page(answer: Answer) -> bool:
    """Tell whether this is a whole HTML page."""
    return bool(re.search(r"<html", answer.text[:500], re.IGNORECASE))


def find_rule(path: str, rules: Rules) -> Rule | None:
    """Return the rule for the value at `path`, None where it has to be equal."""
    return next((judge for pattern, judge in rules if fnmatchcase(path, pattern)), None)


def walk_values(path: str, ours: Any, theirs: Any, rules: Rules) -> Iterator[Difference]:
    """Yield differing values below `path`, with the order of object keys as `<path>#order`."""
    rule = find_rule(path, rules)
    if rule is not None:
        if not rule(ours, theirs):
            yield Difference(path, repr(ours), repr(theirs))
    elif isinstance(ours, dict) and isinstance(theirs, dict):
        yield from walk_objects(path, ours, theirs, rules)
    elif are_rows(ours) and are_rows(theirs):
        ours_by_name, theirs_by_name = ({row["hostname"]: row for row in rows} for rows in (ours, theirs))
        yield from walk_objects(path, ours_by_name, theirs_by_name, rules)
    elif isinstance(ours, list) and isinstance(theirs, list):
        if len(ours) != len(theirs):
            yield Difference(f"{path}#length", str(len(ours)), str(len(theirs)))
        for number, (one, other) in enumerate(zip(ours, theirs, strict=False)):
            yield from walk_values(f"{path}/{number}", one, other, rules)
    elif type(ours) is type(theirs) is float:
        if abs(ours - theirs) > 0.001:
            yield Difference(path, repr(ours), repr(theirs))
    elif type(ours) is not type(theirs) or ours != theirs:
        yield Difference(path, repr(ours), repr(theirs))


def are_rows(value: Any) -> bool:
    """Tell whether this is a list of workers, whose rows are then told apart by their names."""
    return isinstance(value, list) and all(isinstance(row, dict) and "hostname" in row for row in value)


def walk_objects(
    path: str, ours: dict[str, Any], theirs: dict[str, Any], rules: Rules
) -> Iterator[Difference]:
    """Yield missing and added keys, their order, then the values of those that both have."""
    for key in ours.keys() - theirs.keys():
        yield Difference(f"{path}/{key}", repr(ours[key]), "absent")
    for key in theirs.keys() - ours.keys():
        yield Difference(f"{path}/{key}", "absent", repr(theirs[key]))
    common = [key for key in ours if key in theirs]
    other = [key for key in theirs if key in ours]
    judge = find_rule(f"{path}#order", rules) or same_value
    if not judge(common, other):
        yield Difference(f"{path}#order", repr(common), repr(other))
    for key in common:
        if key == "clock" and ours.get("state") == "PENDING" and same_type(ours[key], theirs[key]):
            continue  # of a client's event Celery's receiver overwrites the clock with its own
        yield from walk_values(f"{path}/{key}", ours[key], theirs[key], rules)
