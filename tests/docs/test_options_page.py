"""The reference page of options is what the table makes, and names every option."""

from pathlib import Path

import pytest

from umbel.cli import main
from umbel.config import OPTIONS
from umbel.config.manual import CELERY_ROWS, reference_page

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "options.md"


def test_the_page_is_what_the_table_makes() -> None:
    hint = "run `python -m umbel.config.reference docs/reference/options.md`"
    assert PAGE.read_text(encoding="utf-8") == reference_page(), hint


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_has_its_entry(name: str) -> None:
    assert f"### `{name}`\n" in PAGE.read_text(encoding="utf-8")


def test_every_command_of_the_script_is_described() -> None:
    page = (PAGE.parent / "command-line.md").read_text(encoding="utf-8")
    assert [name for name in main.commands if f"`umbel {name}" not in page] == []


def test_every_argument_of_celerys_is_described() -> None:
    page = (PAGE.parent / "command-line.md").read_text(encoding="utf-8")
    names = [word.rstrip(",") for spelling, _ in CELERY_ROWS for word in spelling.split() if word[0] == "-"]
    assert [name for name in names if f"`{name}`" not in page] == []
