"""What an entry of the search index holds: the same words whether its texts are plain ASCII or not."""

import re
import string

from hypothesis import given
from hypothesis import strategies as st

from umbel.store.text import ODD_NUMBER, has_odd_number
from umbel.store.trigram import MARK_ODD_NUMBER, MARK_UNCLEAR, entry, split, whole

_ascii_texts = st.text(st.characters(max_codepoint=127), max_size=60)
_number_texts = st.text(st.sampled_from("0129_xXoObBaé. '"), max_size=12)


def _words(texts: str, kwargs: str | None = None) -> set[str]:
    return set(entry(texts, kwargs).split("\n"))


@given(_ascii_texts)
def test_ascii_texts_have_the_words_of_any_text(text: str) -> None:
    # the added letter is not ASCII: the other way is taken
    assert _words(text) - {""} | {"ß".casefold()} == _words(f"{text} ß") - {""}


def test_every_ascii_character_separates_or_not_as_in_any_text() -> None:
    for code in range(128):
        text = f"Ab{chr(code)}cD"
        assert _words(text) == set(split(text.casefold()))


@given(_number_texts)
def test_an_odd_number_is_found_as_its_pattern_finds_it(text: str) -> None:
    assert has_odd_number(text) == (re.search(ODD_NUMBER, text.casefold()) is not None)


def test_kwargs_are_marked_where_a_pair_cannot_be_looked_for_in_them() -> None:
    plain = _words("id", "{'a': 12, 'b': 'x_y'}")
    assert plain == {"id", "a", "12", "b", "x_y"}
    assert MARK_ODD_NUMBER in _words("id", "{'a': 0X1F}") and MARK_ODD_NUMBER in _words("id", "{'a': 1_000}")
    assert MARK_UNCLEAR not in _words("a\\b #", "{}")
    for kwargs in ("{'a': '\\n'}", "{} # no", "{'ä': 1}"):
        assert MARK_UNCLEAR in _words("id", kwargs), kwargs


def test_digits_and_letters_of_words_alone_are_no_odd_number() -> None:
    assert not has_odd_number(string.ascii_letters + " 12 0.5 a_b _1")


def test_a_text_is_whole_without_nul() -> None:
    assert (whole("a\0b\0"), whole("ab"), whole(""), whole(None)) == ("a b ", "ab", "", None)
