"""What the search index holds of tasks, and which of its entries a search can match. Pure.

An entry is the words of uuid, args, kwargs and result, case-folded, each once, of up to `SHARED` tasks whose ids follow
each other: most words of a task are those of its neighbours, and FTS5 looks at every letter. State, name and worker are
not in it: they have few values, which are known. A plan finds too much rather than too little: every candidate is
compared with its row.
"""

from umbel.store.condition import FACET_FIELDS, Known, matching
from umbel.store.search import And, Expression, Pair, Term
from umbel.store.text import has_odd_number, pair_words

#: Fewest characters that are found.
SIZE = 3
#: More parts of one text than this are not asked for: a few say nearly as much as all.
MOST_PARTS = 12
#: Tasks that share an entry: those whose ids are the same without these bits.
SHARED_BITS = 3
SHARED = 1 << SHARED_BITS
#: In entries of kwargs that a pair cannot be looked for in as text, and of kwargs with numbers like 0x1f or 1_000.
MARK_UNCLEAR, MARK_ODD_NUMBER = "\x01" * SIZE, "\x02" * SIZE

#: Between words, beside white space. (NUL would end a text.)
_SEPARATORS = "\0()[]{},;:='\""
_BETWEEN = str.maketrans(dict.fromkeys(_SEPARATORS, " "))
#: `str.casefold` and `_BETWEEN` for ASCII in one step, and what `bytes.split` does not take for white space.
_ASCII = (
    bytes(range(256))
    .lower()
    .translate(
        bytes.maketrans(separators := f"{_SEPARATORS}\x1c\x1d\x1e\x1f".encode(), b" " * len(separators))
    )
)


def split(text: str) -> list[str]:
    """The words of a case-folded text. Those of a part of it are parts of these."""
    return text.translate(_BETWEEN).split()


def whole(text: str | None) -> str | None:
    """The text with a space for each NUL, which is between words as well."""
    return text and text.replace("\0", " ")


def entry(texts: str, kwargs: str | None) -> str:
    """The entry of tasks: their kwargs, and their other texts, between any that are no words."""
    every = f"{texts} {kwargs}" if kwargs else texts
    # nearly all are ASCII, which is a fifth quicker as bytes
    words = _join_ascii(every) if every.isascii() else "\n".join(set(split(every.casefold())))
    if kwargs and (not kwargs.isascii() or "\\" in kwargs or "#" in kwargs):
        words += f"\n{MARK_UNCLEAR}"
    if kwargs and has_odd_number(kwargs):
        words += f"\n{MARK_ODD_NUMBER}"
    return words


def _join_ascii(text: str) -> str:
    return b"\n".join(set(text.encode().translate(_ASCII).split())).decode()


class Plan:
    """Which entries can match: all, none, or those that the FTS5 expression `match` finds."""

    __slots__ = ("match",)

    def __init__(self, match: str) -> None:
        self.match = match


EVERY = Plan("")
NONE = Plan("")


def plan(expression: Expression, known: Known) -> Plan:
    """The plan of a search. `known` holds all of `FACET_FIELDS`."""
    if isinstance(expression, Term):
        return _plan_term(expression, known)
    if isinstance(expression, Pair):
        return _plan_pair(expression)
    plans = [plan(child, known) for child in expression.children]
    return _both(plans) if isinstance(expression, And) else _either(plans)


def _plan_term(term: Term, known: Known) -> Plan:
    if term.field in FACET_FIELDS:
        return EVERY if matching(term, known[term.field]) else NONE
    if term.field is None and any(matching(Term("name", term.text), known[field]) for field in FACET_FIELDS):
        return EVERY
    return _holding(term.text)


def _plan_pair(pair: Pair) -> Plan:
    words = pair_words(pair.key, pair.value)
    if words is None:
        return EVERY
    key, value = words
    held = _holding(value)
    if value.isdigit():
        held = _either([held, Plan(_quoted(MARK_ODD_NUMBER))])
    return _either([_both([_holding(key), held]), Plan(_quoted(MARK_UNCLEAR))])


def _holding(text: str) -> Plan:
    """Entries that hold `text`, nearly: all parts of its words, in any order."""
    windows = (word[start : start + SIZE] for word in split(text) for start in range(len(word) - SIZE + 1))
    parts = list(dict.fromkeys(windows))
    if len(parts) > MOST_PARTS:
        parts = [parts[number * (len(parts) - 1) // (MOST_PARTS - 1)] for number in range(MOST_PARTS)]
    return Plan(" AND ".join(map(_quoted, parts))) if parts else EVERY


def _both(plans: list[Plan]) -> Plan:
    if any(plan is NONE for plan in plans):
        return NONE
    matches = [plan.match for plan in plans if plan is not EVERY]
    return Plan(" AND ".join(f"({match})" for match in matches)) if matches else EVERY


def _either(plans: list[Plan]) -> Plan:
    if any(plan is EVERY for plan in plans):
        return EVERY
    matches = [plan.match for plan in plans if plan is not NONE]
    return Plan(" OR ".join(f"({match})" for match in matches)) if matches else NONE


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
