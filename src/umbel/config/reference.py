"""Writes the reference page of options: `python -m umbel.config.reference [FILE]`, else to standard output."""

import sys
from pathlib import Path

from umbel.config.manual import reference_page


def main(words: list[str]) -> int:
    """Write the page to the file named first, else print it."""
    if words:
        Path(words[0]).write_text(reference_page(), encoding="utf-8")
    else:
        sys.stdout.write(reference_page())
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
