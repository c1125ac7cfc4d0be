"""The reference lists every difference from Flower that the comparison allows, and no other."""

from tests.compat.differences import DOCUMENT, put_table


def test_the_table_of_differences_is_that_of_the_allow_list() -> None:
    text = DOCUMENT.read_text()
    assert put_table(text) == text, "run python -m tests.compat.differences"
