"""The search grammar, with the answers that Flower 2.2.0 gives (see `docs/reference/search.md`)."""

import pytest

from umbel.errors import SearchError
from umbel.store.search import And, Expression, Or, Pair, Term, parse_search

FOO, BAR, BAZ = Term(None, "foo"), Term(None, "bar"), Term(None, "baz")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", None),
        (" \t ", None),
        ("foo", FOO),
        ("  FOO  ", FOO),
        ("foo bar", And((FOO, BAR))),
        ("foo AND bar", And((FOO, BAR))),
        ("foo OR bar baz", Or((FOO, And((BAR, BAZ))))),
        ("(foo OR bar) baz", And((Or((FOO, BAR)), BAZ))),
        ("foo OR (bar OR baz)", Or((FOO, BAR, BAZ))),
        ("foo(bar)", And((FOO, BAR))),
        ("foo FOO", FOO),
        ("foo and", And((FOO, Term(None, "and")))),
        ('"AND"', Term(None, "and")),
        ('"foo bar"', Term(None, "foo bar")),
        ('foo"bar baz"qux', Term(None, "foobar bazqux")),
        ('"a\\"b\\\\c"', Term(None, 'a"b\\c')),
        ("a\\nbc", Term(None, "a\\nbc")),
        ("NAME:Shop", Term("name", "shop")),
        ('"name:foo"', Term("name", "foo")),
        ("name:-foo", Term("name", "-foo")),
        ("name:a:b", Term("name", "a:b")),
        ("state:S", Term("state", "s")),
        ("uuid:abc", Term(None, "uuid:abc")),
        ("stateSTARTED", Term(None, "statestarted")),
        ("kwargs:a=B", Pair("a", "b")),
        ("kwargs:a=b=c", Pair("a", "b=c")),
        ('kwargs:" a = b "', Pair("a", "b")),
        ("kwargs:abc", Term("kwargs", "abc")),
        ("Straße", Term(None, "strasse")),
    ],
)
def test_queries_become_expressions(query: str, expected: Expression | None) -> None:
    assert parse_search(query) == expected


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("ab", "Substring search terms must contain at least 3 characters at position 0."),
        ("  foo  ab", "Substring search terms must contain at least 3 characters at position 5."),
        ('" ab "', "Substring search terms must contain at least 3 characters at position 0."),
        ("result:3", "Substring search terms must contain at least 3 characters at position 0."),
        ("name:", "Search qualifier requires a value at position 0."),
        ("args:(1,", "Search qualifier requires a value at position 0."),
        ("foo NOT bar", "NOT is not supported at position 4."),
        ("foo -bar", "Negation with '-' is not supported at position 4."),
        ("foo ()", "Empty group at position 4."),
        ("(foo", "Missing closing parenthesis at position 0."),
        ("(", "Expected a search term at position 1."),
        ("foo)", "Unexpected ')' at position 3."),
        (")", "Expected a search term at position 0."),
        ("AND foo", "Expected a search term at position 0."),
        ("foo AND", "AND must be followed by a search term at position 4."),
        ("foo OR OR bar", "OR must be followed by a search term at position 4."),
        ('foo "bar', "Unterminated quoted phrase at position 4."),
        ('foo ""', "Empty search term at position 4."),
        ("x" * 2049, "Query exceeds 2048 characters."),
        ("foo " * 129, "Query exceeds 128 tokens."),
        ("((((((foo))))))", "Query nesting exceeds 5 levels at position 5."),
    ],
)
def test_errors_name_the_place_in_the_trimmed_query(query: str, error: str) -> None:
    with pytest.raises(SearchError) as caught:
        parse_search(query)
    assert str(caught.value) == error


def test_the_limits_themselves_are_allowed() -> None:
    assert parse_search("x" * 2048) is not None
    assert parse_search(" " * 99 + "x" * 2048) is not None
    assert parse_search("foo " * 128) == FOO
    assert parse_search("(((((foo)))))") == FOO
