"""Writes the reference page of the comparison: endpoint × parameter, alike or better on purpose.

The page is made from the cases and the allow-list alone. That they are true is what the comparison tests.
"""

from collections.abc import Sequence
from pathlib import Path

from tests.compat.allowances import Allowance
from tests.compat.cases import Case

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "flower-compat-table.md"
HEAD = """# Flower 2.2.0 and Umbel, request by request

A test starts one Redis, two workers, Flower 2.2.0 and Umbel and asks both the same. Status, headers, order and content
of the body must be alike, except for what is listed in [differences from Flower](flower-differences.md); the names in
the last column are its rows. A difference is only accepted in the requests that are counted here, and it must show in
each of them; one that depends on the moment is marked `sometimes`. Headers that nearly every answer of Umbel has beyond
Flower's (`security-headers`, `no-store` there) are not repeated in the rows.

This page is made from the list of requests and the list of differences by `python -m tests.compat --write`.

| endpoint | parameter | requests | outcome |
| --- | --- | ---: | --- |
"""


def make_document(cases: Sequence[Case], allowances: Sequence[Allowance]) -> str:
    """Return the page, one row per endpoint and parameter in the order of the cases."""
    rows: dict[tuple[str, str], list[Case]] = {}
    for case in cases:
        rows.setdefault((case.endpoint, case.parameter), []).append(case)
    lines = [
        make_row(endpoint, parameter, group, allowances) for (endpoint, parameter), group in rows.items()
    ]
    total = f"\n{len(cases)} requests in all.\n"
    return HEAD + "\n".join(lines) + "\n" + total


def make_row(endpoint: str, parameter: str, group: Sequence[Case], allowances: Sequence[Allowance]) -> str:
    """Return one row of the table."""
    names = []
    for allowance in sorted(allowances, key=lambda allowance: allowance.id):
        always = sum(allowance.always_applies_to(case) for case in group)
        at_times = sum(allowance.applies_to(case) for case in group) - always
        if not allowance.everywhere:
            names += [f"{allowance.id}{write_share(always, group)}"] if always else []
            names += [f"sometimes {allowance.id}{write_share(at_times, group)}"] if at_times else []
    verdict = f"better on purpose: {', '.join(names)}" if names else "alike"
    return f"| `{escape(endpoint)}` | `{escape(parameter)}` | {len(group)} | {verdict} |"


def write_share(count: int, group: Sequence[Case]) -> str:
    """Return to how many of the row's requests something applies, nothing if to all."""
    return "" if count == len(group) else f" ({count} of {len(group)})"


def escape(text: str) -> str:
    """Return `text` for a table cell."""
    return text.replace("|", "\\|")


def write_document(cases: Sequence[Case], allowances: Sequence[Allowance]) -> None:
    """Write the page."""
    DOCUMENT.write_text(make_document(cases, allowances))
