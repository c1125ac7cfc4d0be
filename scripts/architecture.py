"""Write ARCHITECTURE.md's list of files from the first sentences of their docstrings; `--check` only compares.

Called by `make fmt` and scripts/check.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "umbel"
#: In the order of the flow, then of the layers.
FOLDERS = ("config", "model", "store", "ingest", "brokers", "control", "metrics", "auth", "web", "demo")
DOCUMENT = ROOT / "ARCHITECTURE.md"
MARKS = re.compile(r"(<!-- files -->\n).*(<!-- /files -->)", re.DOTALL)
WIDTH = 120


def first_sentence(path: Path) -> str:
    """Return the first sentence of a module's docstring, in one line that is cut to the page's width."""
    words = " ".join((ast.get_docstring(ast.parse(path.read_text())) or "?").split())
    sentence = re.split(r"(?<=[.])\s", words + " ", maxsplit=1)[0].rstrip(".")
    room = WIDTH - 24
    return sentence if len(sentence) <= room else sentence[:room].rsplit(" ", 1)[0] + " …"


def list_folder(folder: Path) -> Iterator[str]:
    """Yield a line for each module that says something."""
    for path in sorted(folder.rglob("*.py")):
        if path.name != "__init__.py" and "versions" not in path.parts:
            name = path.relative_to(folder).as_posix()
            yield f"  {name:<21} {first_sentence(path)}"


def make_list() -> str:
    """Return the whole list as a code block."""
    lines = [f"{path.name:<23} {first_sentence(path)}" for path in sorted(PACKAGE.glob("*.py"))]
    lines = [line for line in lines if not line.startswith("__init__")]
    for name in FOLDERS:
        lines += ["", f"{name}/{'':<{22 - len(name)}} {first_sentence(PACKAGE / name / '__init__.py')}"]
        lines += list_folder(PACKAGE / name)
    return "\n".join(["```", *lines, "```", ""])


def main() -> int:
    """Write or compare the list; return 1 when a comparison fails."""
    before = DOCUMENT.read_text()
    after = MARKS.sub(lambda match: match[1] + make_list() + match[2], before)
    if before == after:
        return 0
    if "--check" in sys.argv:
        print("ARCHITECTURE.md lists other files than there are: make fmt")
        return 1
    DOCUMENT.write_text(after)
    return 0


if __name__ == "__main__":
    sys.exit(main())
