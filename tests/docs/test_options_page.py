"""The reference page of options is what the table makes, and names every option."""

from pathlib import Path

import pytest

from umbel.config import OPTIONS
from umbel.config.manual import reference_page

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "options.md"


def test_the_page_is_what_the_table_makes() -> None:
    hint = "run `python -m umbel.config.reference docs/reference/options.md`"
    assert PAGE.read_text(encoding="utf-8") == reference_page(), hint


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_has_its_entry(name: str) -> None:
    assert f"### `{name}`\n" in PAGE.read_text(encoding="utf-8")
