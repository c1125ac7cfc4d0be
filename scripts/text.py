"""Keep machine paths, registry hosts and merge leftovers out of the files that git tracks.

Called by scripts/check.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

#: What must not be there, and its name. Letters in brackets keep this file from matching itself.
FORBIDDEN = {
    "a path of somebody's machine": re.compile(r"(?<![\w.$}/])/(?:wor[k]/|roo[t]/|hom[e]/\w+/)"),
    "the address of a package registry": re.compile(
        r"https?://[^\s\"'<>]*(?:pyp[i]\.org|pythonhoste[d]\.org|registry\.npmj[s]\.org|/simpl[e]/)"
    ),
    "a merge left half done": re.compile(r"^(?:<{7}|>{7}) ", re.MULTILINE),
    "a hash of a package": re.compile(r"--has[h]="),
}


def find_problems(name: str) -> Iterator[str]:
    """Yield `file:line: what` for a tracked file; binary files have none."""
    try:
        text = (ROOT / name).read_text()
    except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
        return
    for what, pattern in FORBIDDEN.items():
        for match in pattern.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            yield f"{name}:{line}: {what}: {match[0]!r}"


def main() -> int:
    """Print every problem and return 1 if there is one."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True)
    names = [name for name in listed.stdout.split("\0") if name]
    problems = [problem for name in names for problem in find_problems(name)]
    print("\n".join(problems) or f"{len(names)} files are clean")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
