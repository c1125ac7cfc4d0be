"""A broken Umbel beside a healthy Celery, and Umbel beside Flower: neither may stop `celery worker`.

Each damage is done to a copy of the package that comes first on the path; what is installed stays as it is.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec
from celery import Celery
from celery.exceptions import TimeoutError as CeleryTimeoutError

from tests.prove.stage import ROOT, QuietWorker
from tests.servers import RedisServer, clean_environment

FLOWER = "flower==2.2.0"


def _append(path: str, text: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        file = folder / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(text + "\n" + (file.read_text() if file.exists() else ""))

    return damage


def _remove(path: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        shutil.rmtree(folder / path)

    return damage


def _truncate(path: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        file = folder / path
        text = file.read_text()
        file.write_text(text[: len(text) // 2].rsplit("(", 1)[0] + "(")

    return damage


def _leave_only_init(folder: Path) -> None:
    shutil.rmtree(folder / "umbel")
    (folder / "umbel").mkdir()
    (folder / "umbel" / "__init__.py").touch()


#: What is wrong -> how to make it so, given the folder that holds the copy of the package.
DAMAGES: dict[str, Callable[[Path], None]] = {
    "a syntax error in umbel": _append("umbel/__init__.py", "def broken(:"),
    "a syntax error in umbel.command": _append("umbel/command.py", "def broken(:"),
    "an import error in umbel.command": _append("umbel/command.py", "import no_such_module"),
    "an import error in umbel.config": _append(
        "umbel/config/__init__.py", "from umbel.errors import NoSuchError"
    ),
    "half of umbel.start": _truncate("umbel/start.py"),
    "no umbel.config at all": _remove("umbel/config"),
    "nothing left but the folder": _leave_only_init,
    "a dependency that cannot be imported": _append(
        "msgspec/__init__.py", "raise ImportError('wrong architecture')"
    ),
    "a dependency with a syntax error": _append("starlette/__init__.py", "def broken(:"),
    "an __init__ that raises": _append("umbel/__init__.py", "raise RuntimeError('half installed')"),
}


class Survival(msgspec.Struct):
    """How Celery fared with one damage."""

    damage: str
    #: The worker answered a ping and ran a task.
    works: bool
    #: Exit code and output of `celery … umbel`.
    code: int
    said: str


def run_damages(names: Sequence[str] = tuple(DAMAGES)) -> list[Survival]:
    """Start a worker, and the monitor, with each damage; all workers at once."""
    with ExitStack() as stack:
        server = stack.enter_context(RedisServer())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="damaged-")))
        workers = []
        for number, name in enumerate(names):
            path = _make_copy(folder / str(number), DAMAGES[name])
            worker = QuietWorker(
                server.url, app="tests.apps.tasks", pool="solo", hostname=f"damaged{number}@prove", backend=server.url,
                arguments=("-Q", f"damaged{number}"), environment={"PYTHONPATH": path},
            )  # fmt: skip
            stack.callback(worker.close)
            workers.append((name, worker.launch()))
        app = Celery("caller", broker=server.url, backend=server.url, set_as_current=False)
        return [_try(name, worker, app, number) for number, (name, worker) in enumerate(workers)]


def _make_copy(folder: Path, damage: Callable[[Path], None]) -> str:
    """A damaged copy of the package in `folder`, as a PYTHONPATH."""
    shutil.copytree(ROOT / "src" / "umbel", folder / "umbel", ignore=shutil.ignore_patterns("__pycache__"))
    damage(folder)
    return os.pathsep.join((str(folder), str(ROOT)))


def _try(name: str, worker: QuietWorker, app: Celery, number: int) -> Survival:
    try:
        worker.wait_until_ready(60)
        sum_ = app.send_task("tests.add", args=(2, 3), queue=f"damaged{number}").get(timeout=20)
    except (AssertionError, CeleryTimeoutError) as error:
        return Survival(name, False, -1, f"{error}\n{worker.log()[-2000:]}")
    command = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "tests.apps.tasks",
        "-b",
        worker.broker,
        "umbel",
        "--port=0",
    ]
    monitor = subprocess.run(
        command,
        env=worker.environment(),
        cwd=worker.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Survival(name, sum_ == 5, monitor.returncode, monitor.stdout + monitor.stderr)


class Neighbours(msgspec.Struct):
    """What a virtualenv with Celery, Flower and Umbel does."""

    worker_works: bool
    #: Output of `celery umbel --help`, `celery flower --help` and of asking for Flower's version.
    umbel_help: str
    flower_help: str
    flower_version: str
    #: Files of Flower's that are not what its package says (RECORD), after Umbel was installed.
    changed_files: list[str]


def install_beside_flower(folder: Path, *, umbel_first: bool, umbel: str) -> Path:
    """Make a virtualenv with Celery, Flower 2.2.0 and Umbel (a requirement: the clone's folder or a wheel).

    Returns:
        Its interpreter.
    Raises:
        subprocess.CalledProcessError: A package can't be installed.
    """
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    order = [umbel, FLOWER] if umbel_first else [FLOWER, umbel]
    for requirement in ["celery[redis]", *order]:
        subprocess.run(
            [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", requirement],
            check=True,
        )
    return python


def meet(python: Path) -> Neighbours:
    """Run a worker and both commands in the virtualenv of `python`."""
    with ExitStack() as stack:
        server = stack.enter_context(RedisServer())
        worker = stack.enter_context(_NeighbourWorker(python, server.url))
        return Neighbours(
            worker_works=worker.is_ready(),
            umbel_help=_say(python, "-m", "celery", "umbel", "--help"),
            flower_help=_say(python, "-m", "celery", "flower", "--help"),
            flower_version=_say(python, "-c", "import flower; print(flower.__version__)").strip(),
            changed_files=_say(python, "-c", _CHANGED_FILES).split(),
        )


class _NeighbourWorker(QuietWorker):
    """A worker of another interpreter."""

    def __init__(self, python: Path, broker: str) -> None:
        super().__init__(broker, app="tests.apps.tasks", pool="solo", hostname="neighbour@prove")
        self._python = python

    def command(self) -> Sequence[str]:
        return [str(self._python), *list(super().command())[1:]]


def _say(python: Path, *arguments: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        answer = subprocess.run(
            [str(python), *arguments], cwd=folder, env=clean_environment(), capture_output=True, text=True, timeout=60,
            check=False,
        )  # fmt: skip
    return answer.stdout + answer.stderr


#: Prints every file of Flower's whose hash is not the recorded one.
_CHANGED_FILES = """
import base64, hashlib
from importlib.metadata import files
for file in files("flower"):
    if file.hash is None:
        continue
    path = file.locate()
    digest = hashlib.new(file.hash.mode, path.read_bytes()).digest() if path.exists() else b""
    if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != file.hash.value:
        print(file)
"""
