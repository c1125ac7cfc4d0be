"""Celery's own commands work whatever state Umbel's installation is in, and beside a Flower."""

import os
import shutil
from pathlib import Path

import pytest

import umbel
from tests.acceptance.spawn import only_line, run_module
from tests.servers import CeleryWorker, RedisServer

SOURCE = Path(umbel.__file__).parent
ROOT = Path(__file__).parents[2]
#: What a poisoned file says when it is imported.
POISON = 'raise RuntimeError("poisoned on purpose")\n'


def damaged_copy(folder: Path, name: str, text: str | None) -> dict[str, str]:
    """Put a copy of the package, with one file replaced or missing, before the installed one.

    Returns:
        The environment that makes Python find it.
    """
    shutil.copytree(SOURCE, folder / "umbel", ignore=shutil.ignore_patterns("ui_dist", "__pycache__"))
    path = folder / "umbel" / name
    if text is None:
        path.unlink()
    else:
        path.write_text(text)
    return {"PYTHONPATH": str(folder)}


DAMAGES = {
    "the package raises": ("__init__.py", POISON),
    "the entry point is not Python": ("command.py", "def (\n"),
    "the entry point is gone": ("command.py", None),
    "the body raises": ("start.py", POISON),
}


@pytest.mark.parametrize(("name", "text"), DAMAGES.values(), ids=list(DAMAGES))
def test_celery_commands_do_not_notice_a_broken_umbel(name: str, text: str | None, tmp_path: Path) -> None:
    environment = damaged_copy(tmp_path, name, text)
    answer = run_module("celery", "worker", "--help", folder=tmp_path, environment=environment)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "Usage: " in answer.stdout


@pytest.mark.parametrize("name", ["start.py", "app.py"])
def test_a_broken_umbel_says_so_in_one_line_when_it_is_called(name: str, tmp_path: Path) -> None:
    environment = damaged_copy(tmp_path, name, POISON)
    answer = run_module("celery", "flower", "--port=0", folder=tmp_path, environment=environment)
    told = only_line(answer)
    assert "Umbel cannot start, its installation is broken (RuntimeError: poisoned on purpose)" in told


def test_a_missing_dependency_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "starlette.py").write_text("raise ModuleNotFoundError(\"No module named 'starlette'\")\n")
    environment = {"PYTHONPATH": str(tmp_path)}
    answer = run_module("celery", "flower", "--port=0", folder=tmp_path, environment=environment)
    assert "No module named 'starlette'" in only_line(answer)


def test_a_worker_starts_with_a_broken_umbel(redis_server: RedisServer, tmp_path: Path) -> None:
    environment = damaged_copy(tmp_path, "__init__.py", POISON)
    environment["PYTHONPATH"] += f"{os.pathsep}{ROOT}"
    with CeleryWorker(redis_server.url, folder=tmp_path, environment=environment) as worker:
        assert worker.is_running()


def test_loading_the_entry_points_imports_nothing_heavy(tmp_path: Path) -> None:
    script = (
        "import sys, click, json; before = set(sys.modules)\n"
        "import umbel.command\n"
        "added = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(added - sys.stdlib_module_names))"
    )
    (tmp_path / "script.py").write_text(script)
    answer = run_module("script", folder=tmp_path)
    assert (answer.stdout.strip(), answer.stderr) == ("['umbel']", "")


def install_other_flower(folder: Path) -> dict[str, str]:
    """A distribution called flower with the entry point of the real one, found before or after ours."""
    (folder / "flower").mkdir()
    (folder / "flower" / "__init__.py").write_text("")
    (folder / "flower" / "command.py").write_text(
        "import click\n\n@click.command()\ndef flower():\n    click.echo('the other flower')\n"
    )
    info = folder / "flower-2.2.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: flower\nVersion: 2.2.0\n")
    (info / "entry_points.txt").write_text("[celery.commands]\nflower = flower.command:flower\n")
    return {"PYTHONPATH": str(folder)}


def test_beside_a_flower_nothing_breaks_and_umbel_keeps_its_own_name(tmp_path: Path) -> None:
    environment = install_other_flower(tmp_path)
    for words in (["--help"], ["worker", "--help"]):
        answer = run_module("celery", *words, folder=tmp_path, environment=environment)
        assert (answer.returncode, answer.stderr) == (0, "")
    answer = run_module("celery", "umbel", "--port=abc", folder=tmp_path, environment=environment)
    assert "umbel: port: 'abc'" in only_line(answer)


def test_beside_a_flower_the_start_says_that_either_may_answer(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text("from umbel.start import flower_notice\nprint(flower_notice())\n")
    assert run_module("script", folder=tmp_path).stdout.strip() == "[]"
    environment = install_other_flower(tmp_path)
    assert "use `celery umbel`" in run_module("script", folder=tmp_path, environment=environment).stdout
