"""Makes the table of differences in the reference from `allowed.toml`: `python -m tests.compat.differences`."""

from pathlib import Path

from tests.compat.allowances import read_allowances

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "flower-differences.md"
BEGIN, END = "<!-- made from tests/compat/allowed.toml: begin -->", "<!-- end -->"


def make_table() -> str:
    """Return the table, one row per entry of the allow-list."""
    lines = ["| name | Flower 2.2.0 | Umbel | why |", "| --- | --- | --- | --- |"]
    for entry in read_allowances():
        cells = (f"`{entry.id}`", entry.flower, entry.umbel, entry.reason)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def put_table(text: str) -> str:
    """Return the document `text` with the table between its markers.

    Raises:
        ValueError: The markers are not there.
    """
    before, found, rest = text.partition(BEGIN)
    _, closed, after = rest.partition(END)
    if not found or not closed:
        raise ValueError(f"{DOCUMENT.name} has no lines {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n{make_table()}\n{END}{after}"


if __name__ == "__main__":
    DOCUMENT.write_text(put_table(DOCUMENT.read_text()))
