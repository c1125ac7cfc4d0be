"""Reads the project's own documents: their code blocks and links. Used by the tests beside it."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def read(name: str) -> str:
    """Return a file of the repository."""
    return (ROOT / name).read_text()


def find_blocks(name: str, language: str = "") -> list[str]:
    """Return the fenced code blocks of a language in a document, without their fences and indentation."""
    blocks = re.findall(rf"^( *)```{language}\n(.*?)^\1```$", read(name), re.DOTALL | re.MULTILINE)
    return [re.sub(rf"^{indent}", "", body, flags=re.MULTILINE) for indent, body in blocks]


def find_links(name: str) -> list[str]:
    """Return the targets of a document's links within the repository, without their anchors."""
    targets = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", read(name), flags=re.DOTALL))
    local = (target.split("#")[0] for target in targets if "://" not in target)
    return [target for target in local if target]


def find_documents() -> list[str]:
    """Return every Markdown file that people read, relative to the root."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").rglob("*.md")]
    return sorted(path.relative_to(ROOT).as_posix() for path in found)
