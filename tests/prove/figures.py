"""A short table of what a proof measured, printed at its end and asserted on by its test."""

from collections.abc import Mapping


def table(title: str, rows: Mapping[str, object]) -> str:
    """`rows` as two aligned columns under `title`; floats are shown with two digits."""
    width = max(len(name) for name in rows)
    lines = [title, "-" * len(title)]
    for name, value in rows.items():
        shown = f"{value:.2f}" if isinstance(value, float) else str(value)
        lines.append(f"{name:<{width}}  {shown}")
    return "\n".join(lines) + "\n"
