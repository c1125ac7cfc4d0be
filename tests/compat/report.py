"""Writes the outcome as a page of the reference: endpoint × parameter, alike or better on purpose."""

from collections.abc import Sequence
from pathlib import Path

from tests.compat.verdict import Outcome

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "flower-compat-table.md"
HEAD = """# Flower 2.2.0 and Umbel, request by request

Made by `python -m tests.compat --write`, which starts one Redis, two workers, Flower 2.2.0 and Umbel and asks
both the same. Status, headers, order and content of the body must be alike, except for what is listed in
[differences from Flower](flower-differences.md); the names in the last column are its rows. The tests fail when
this page is not what the comparison finds. Headers that nearly every answer of Umbel has beyond Flower's
(`security-headers`, `no-store` there) are not repeated in the rows.

| endpoint | parameter | requests | outcome |
| --- | --- | ---: | --- |
"""


def make_document(outcomes: Sequence[Outcome]) -> str:
    """Return the page for `outcomes`, one row per endpoint and parameter in the order of the cases."""
    rows: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in outcomes:
        rows.setdefault((outcome.case.endpoint, outcome.case.parameter), []).append(outcome)
    lines = [make_row(endpoint, parameter, group) for (endpoint, parameter), group in rows.items()]
    total = f"\n{len(outcomes)} requests in all.\n"
    return HEAD + "\n".join(lines) + "\n" + total


def make_row(endpoint: str, parameter: str, group: Sequence[Outcome]) -> str:
    """Return one row of the table."""
    if any(outcome.deviations for outcome in group):
        verdict = "**deviates**"
    else:
        used = sorted(
            {allowance.id for outcome in group for allowance in outcome.used if not allowance.everywhere}
        )
        verdict = f"better on purpose: {', '.join(used)}" if used else "alike"
    return f"| `{escape(endpoint)}` | `{escape(parameter)}` | {len(group)} | {verdict} |"


def escape(text: str) -> str:
    """Return `text` for a table cell."""
    return text.replace("|", "\\|")


def write_document(outcomes: Sequence[Outcome]) -> None:
    """Write the page."""
    DOCUMENT.parent.mkdir(parents=True, exist_ok=True)
    DOCUMENT.write_text(make_document(outcomes))
