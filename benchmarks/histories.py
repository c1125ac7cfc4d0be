"""Large histories, built once for each version of the store and kept under `.cache/`: what reading and restarting need.

`history` builds one; this remembers it. A history is given as a folder of its own, as a copy that may be written to.
"""

import hashlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.history import build
from benchmarks.report import say
from benchmarks.run import ROOT

CACHE = ROOT / ".cache" / "histories"
#: What a file depends on.
SOURCES = (
    "src/umbel/store/**/*.py",
    "src/umbel/model/*.py",
    "src/umbel/ingest/pipeline.py",
    "benchmarks/history.py",
    "benchmarks/event_stream.py",
)
#: Options of a monitor that is given one: ten million tasks are more than the 10 GB that it keeps by default.
UNBOUND = ("--max_bytes=none",)
#: Seconds after which a history is built anew: its tasks would near the age at which retention takes them.
FRESH = 10 * 86_400.0


@contextmanager
def use_history(tasks: int) -> Iterator[Path]:
    """Give a folder with a `history` of `tasks` tasks; it is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="umbel-bench-", dir=CACHE.parent) as folder:
        shutil.copytree(fetch_history(tasks), folder, dirs_exist_ok=True)
        yield Path(folder)


def fetch_history(tasks: int) -> Path:
    """Return the folder of a history of `tasks` tasks, built when there is none of this version."""
    folder = CACHE / f"{tasks}-{hash_sources()}"
    if folder.exists() and time.time() - folder.stat().st_mtime < FRESH:
        return folder
    for old in CACHE.glob(f"{tasks}-*"):
        shutil.rmtree(old)
    say(f"building a history of {tasks:,} tasks")
    unfinished = CACHE / f"unfinished-{tasks}"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    build(unfinished / "history", tasks, end=time.time() - 60)
    return unfinished.rename(folder)


def hash_sources() -> str:
    """Return what changes when the store or the stream does."""
    digest = hashlib.sha256()
    for path in sorted(path for pattern in SOURCES for path in ROOT.glob(pattern)):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
