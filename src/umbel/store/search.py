"""Flower's search grammar: a query text becomes an expression, or a `SearchError` with Flower's words.

Knows nothing of databases: `store.condition` turns an expression into SQL. The grammar and its limits are
written down in `docs/reference/search.md`. Called by the web layer; `store.base` only names `Expression`.
"""

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Literal, TypeAlias, cast

import msgspec

from umbel.errors import SearchError

MAX_LENGTH = 2048
MAX_TOKENS = 128
MAX_DEPTH = 5
#: Fewest characters of a substring term, surrounding spaces not counted.
MIN_SUBSTRING = 3

Field = Literal["name", "state", "worker", "args", "kwargs", "result"]
FIELDS: tuple[Field, ...] = ("name", "state", "worker", "args", "kwargs", "result")


class Term(msgspec.Struct, frozen=True, gc=False):
    """One thing to look for, case-folded.

    `field` None: a substring of uuid or of any of `FIELDS`. "state": equal. Otherwise a substring of that field.
    """

    field: Field | None
    text: str


class Pair(msgspec.Struct, frozen=True, gc=False):
    """`kwargs:key=value`: a keyword argument with exactly this printed value. Case-folded and trimmed."""

    key: str
    value: str


class And(msgspec.Struct, frozen=True):
    """Every child matches; at least two, none of them an `And`."""

    children: tuple["Expression", ...]


class Or(msgspec.Struct, frozen=True):
    """Any child matches; at least two, none of them an `Or`."""

    children: tuple["Expression", ...]


Expression: TypeAlias = Term | Pair | And | Or


def parse_search(query: str) -> Expression | None:
    """The expression that `query` stands for; None for an empty query, which is every task.

    Raises:
        SearchError: With Flower's text and the 0-based position in the trimmed query.
    """
    text = query.strip()
    if not text:
        return None
    if len(text) > MAX_LENGTH:
        raise SearchError(f"Query exceeds {MAX_LENGTH} characters")
    return _Parser(_tokens(text), len(text)).parse()


class _Kind(Enum):
    OPEN = "("
    CLOSE = ")"
    AND = "AND"
    OR = "OR"
    TERM = "term"


class _Token(msgspec.Struct, frozen=True):
    kind: _Kind
    text: str
    position: int


def _tokens(text: str) -> list[_Token]:
    """Split at spaces and parentheses that no quote protects."""
    tokens: list[_Token] = []
    at = 0
    while at < len(text):
        char = text[at]
        if char.isspace():
            at += 1
            continue
        if char in "()":
            token, at = _Token(_Kind(char), char, at), at + 1
        else:
            token, at = _word(text, at)
        tokens.append(token)
        if len(tokens) > MAX_TOKENS:
            raise SearchError(f"Query exceeds {MAX_TOKENS} tokens")
    return tokens


def _word(text: str, start: int) -> tuple[_Token, int]:
    """The term or operator that begins at `start`, and where the text goes on after it."""
    chars: list[str] = []
    quoted = protected = False
    at = start
    while at < len(text):
        char = text[at]
        if char == "\\" and text[at + 1 : at + 2] in ('"', "\\"):
            chars.append(text[at + 1])
            protected = True
            at += 2
            continue
        if char == '"':
            quoted = not quoted
            protected = True
        elif not quoted and (char.isspace() or char in "()"):
            break
        else:
            chars.append(char)
        at += 1
    if quoted:
        raise SearchError("Unterminated quoted phrase", start)
    word = "".join(chars)
    if not word:
        raise SearchError("Empty search term", start)
    if not protected and word == "NOT":
        raise SearchError("NOT is not supported", start)
    operator = not protected and word in ("AND", "OR")
    return _Token(_Kind(word) if operator else _Kind.TERM, word, start), at


class _Parser:
    """Recursive descent over the tokens: OR of ANDs of terms and groups."""

    def __init__(self, tokens: Sequence[_Token], end: int) -> None:
        self._tokens = tokens
        self._end = end
        self._at = 0

    def parse(self) -> Expression:
        expression = self._or(0)
        rest = self._peek()
        if rest is not None:
            raise SearchError("Unexpected ')'", rest.position)
        return expression

    def _peek(self) -> _Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _or(self, depth: int) -> Expression:
        children = [self._and(depth)]
        while (token := self._peek()) is not None and token.kind is _Kind.OR:
            self._at += 1
            self._require_operand(token)
            children.append(self._and(depth))
        return _combined(Or, children)

    def _and(self, depth: int) -> Expression:
        children = [self._primary(depth)]
        while (token := self._peek()) is not None and token.kind not in (_Kind.OR, _Kind.CLOSE):
            if token.kind is _Kind.AND:
                self._at += 1
                self._require_operand(token)
            children.append(self._primary(depth))
        return _combined(And, children)

    def _require_operand(self, operator: _Token) -> None:
        token = self._peek()
        if token is None or token.kind in (_Kind.AND, _Kind.OR, _Kind.CLOSE):
            raise SearchError(f"{operator.text} must be followed by a search term", operator.position)

    def _primary(self, depth: int) -> Expression:
        token = self._peek()
        if token is None or token.kind in (_Kind.AND, _Kind.OR, _Kind.CLOSE):
            raise SearchError("Expected a search term", self._end if token is None else token.position)
        self._at += 1
        if token.kind is _Kind.TERM:
            return _term(token)
        return self._group(token, depth + 1)

    def _group(self, opening: _Token, depth: int) -> Expression:
        if depth > MAX_DEPTH:
            raise SearchError(f"Query nesting exceeds {MAX_DEPTH} levels", opening.position)
        token = self._peek()
        if token is not None and token.kind is _Kind.CLOSE:
            raise SearchError("Empty group", opening.position)
        expression = self._or(depth)
        if self._peek() is None:
            raise SearchError("Missing closing parenthesis", opening.position)
        self._at += 1
        return expression


def _term(token: _Token) -> Expression:
    word = token.text
    qualifier, colon, rest = word.partition(":")
    name = qualifier.casefold()
    if not colon or name not in FIELDS:
        if word.startswith("-"):
            raise SearchError("Negation with '-' is not supported", token.position)
        return _substring(None, word, token.position)
    if not rest:
        raise SearchError("Search qualifier requires a value", token.position)
    if name == "state":
        return Term("state", rest.casefold())
    if name == "kwargs" and "=" in rest:
        key, _, value = rest.casefold().partition("=")
        return Pair(key.strip(), value.strip())
    return _substring(cast(Field, name), rest, token.position)


def _substring(field: Field | None, text: str, position: int) -> Term:
    if len(text.strip()) < MIN_SUBSTRING:
        raise SearchError(
            f"Substring search terms must contain at least {MIN_SUBSTRING} characters", position
        )
    return Term(field, text.casefold())


def _combined(kind: type[And] | type[Or], children: Iterable[Expression]) -> Expression:
    """`children` under one node: nested nodes of the same kind flattened, repeated ones dropped."""
    flat: dict[Expression, None] = {}
    for child in children:
        for part in child.children if isinstance(child, kind) else (child,):
            flat[part] = None
    if len(flat) == 1:
        return next(iter(flat))
    return kind(tuple(flat))
