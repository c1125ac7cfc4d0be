"""Flower 2.2.0 from PyPI in a virtualenv of its own under `.cache/`, made once, shared by all processes."""

import fcntl
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

FLOWER_VERSION = "2.2.0"
ROOT = Path(__file__).parents[2]


def fetch_flower_python() -> Path:
    """Return the interpreter of a virtualenv with Flower and the same Celery as ours; make it when missing.

    Raises:
        subprocess.CalledProcessError: The packages cannot be installed; its output was printed.
    """
    celery = version("celery")
    name = f"flower-{FLOWER_VERSION}-celery-{celery}-hiredis-py{sys.version_info[0]}.{sys.version_info[1]}"
    folder = ROOT / ".cache" / name
    folder.parent.mkdir(exist_ok=True)
    with (folder.parent / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            # hiredis as we have it: the benchmarks must not win by a parser that Flower could use as well
            packages = (
                f"flower=={FLOWER_VERSION}",
                f"celery[redis]=={celery}",
                f"hiredis=={version('hiredis')}",
            )
            install(folder, packages)
            (folder / "complete").touch()
    return folder / "bin" / "python"


def install(folder: Path, requirements: tuple[str, ...]) -> None:
    """Make the virtualenv `folder` and install `requirements` into it."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *requirements], check=True)
