"""Hold files to 400 lines and function bodies to 40; an excess needs its line in ARCHITECTURE.md.

A body is counted without its docstring, blank lines and comments. Called by scripts/check.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FILE_LINES = 400
BODY_LINES = 40
README_LINES = 120
#: A line of ARCHITECTURE.md's list of exceptions: - `path` or `path::function`: reason
EXCEPTION = re.compile(r"^- `([^`]+)`: \S", re.MULTILINE)

Function = ast.FunctionDef | ast.AsyncFunctionDef


def count_body_lines(function: Function, lines: list[str]) -> int:
    """Return how many lines of code the body has."""
    body = function.body[1:] if ast.get_docstring(function, clean=False) is not None else function.body
    if not body:
        return 0
    text = (line.strip() for line in lines[body[0].lineno - 1 : function.end_lineno])
    return sum(1 for line in text if line and not line.startswith("#"))


def find_excesses(path: Path) -> Iterator[tuple[str, str]]:
    """Yield what is too long in a file, as the name an exception would have and a sentence."""
    name = path.relative_to(ROOT).as_posix()
    lines = path.read_text().splitlines()
    if len(lines) > FILE_LINES:
        yield name, f"{name} has {len(lines)} lines, more than {FILE_LINES}"
    if path.suffix != ".py":
        return
    for node in ast.walk(ast.parse("\n".join(lines))):
        if isinstance(node, Function) and (count := count_body_lines(node, lines)) > BODY_LINES:
            where = f"{name}::{node.name}"
            yield where, f"{where} (line {node.lineno}) has {count} body lines, more than {BODY_LINES}"


def find_sources() -> Iterator[Path]:
    """Yield every source file that people read and write."""
    for folder in ("src", "tests", "scripts", "benchmarks"):
        yield from sorted((ROOT / folder).rglob("*.py"))
    for pattern in ("*.ts", "*.tsx"):
        yield from sorted((ROOT / "ui" / "src").rglob(pattern))


def main() -> int:
    """Print what is too long and return 1 if there is anything."""
    architecture = (ROOT / "ARCHITECTURE.md").read_text()
    exceptions = set(EXCEPTION.findall(architecture))
    generated = (".gen.ts",)
    found = dict(
        excess
        for path in find_sources()
        if not path.name.endswith(generated) and "ui_dist" not in path.parts
        for excess in find_excesses(path)
    )
    problems = [message for where, message in found.items() if where not in exceptions]
    problems += [
        f"ARCHITECTURE.md excuses {where}, which needs no excuse" for where in exceptions - found.keys()
    ]
    readme = len((ROOT / "README.md").read_text().splitlines())
    if readme > README_LINES:
        problems.append(f"README.md has {readme} lines, more than {README_LINES}")
    print("\n".join(problems) or f"{len(exceptions)} listed exceptions, no other excess")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
