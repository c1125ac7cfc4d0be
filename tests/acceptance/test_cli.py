"""The command line as users meet it: help, refusals, and what never reaches a server."""

from pathlib import Path

import pytest

from tests.acceptance.spawn import only_line, run_module
from umbel import __version__
from umbel.config import OPTIONS

FORMS = {"celery flower": ("celery", "flower"), "umbel serve": ("umbel", "serve")}


@pytest.mark.parametrize(("module", "command"), FORMS.values(), ids=list(FORMS))
def test_help_lists_every_option_in_groups_with_defaults(module: str, command: str, tmp_path: Path) -> None:
    answer = run_module(module, command, "--help", folder=tmp_path)
    assert answer.returncode == 0
    assert [name for name in OPTIONS if f"  --{name} " not in answer.stdout] == []
    assert "Web server:" in answer.stdout
    assert "[default: 5555]" in " ".join(answer.stdout.split())


def test_celerys_own_help_names_both_commands(tmp_path: Path) -> None:
    answer = run_module("celery", "--help", folder=tmp_path)
    assert answer.returncode == 0
    assert "could not load plugin" not in answer.stdout
    for name in ("flower", "umbel"):
        assert f"\n  {name} " in answer.stdout


def test_umbel_alone_explains_itself(tmp_path: Path) -> None:
    answer = run_module("umbel", folder=tmp_path)
    assert answer.returncode == 0
    for command in ("serve", "collect", "doctor", "demo", "prune", "version"):
        assert f"\n  {command} " in answer.stdout


@pytest.mark.parametrize("words", [["version"], ["--version"]])
def test_the_version_is_told(words: list[str], tmp_path: Path) -> None:
    answer = run_module("umbel", *words, folder=tmp_path)
    assert (answer.returncode, answer.stdout.splitlines()[0]) == (0, f"umbel {__version__}")


@pytest.mark.parametrize(
    ("module", "words"), [("celery", ["flower", "--port", "abc"]), ("umbel", ["--port=abc", "flower"])]
)
def test_a_bad_value_is_one_line(module: str, words: list[str], tmp_path: Path) -> None:
    told = only_line(run_module(module, *words, folder=tmp_path))
    assert told == (
        "umbel: port: 'abc' from the command line is not allowed; allowed: a whole number from 0 to 65535"
    )


def test_a_bad_variable_is_one_line(tmp_path: Path) -> None:
    told = only_line(run_module("celery", "flower", folder=tmp_path, environment={"FLOWER_DEBUG": "maybe"}))
    assert "debug: 'maybe' from environment variable FLOWER_DEBUG" in told


def test_a_config_file_that_fails_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "flowerconfig.py").write_text("port = 5555\nport = 1 / 0\n")
    told = only_line(run_module("celery", "flower", folder=tmp_path))
    assert told.endswith("flowerconfig.py, line 2: ZeroDivisionError: division by zero")


def test_a_word_that_is_no_command_is_refused(tmp_path: Path) -> None:
    answer = run_module("umbel", "sevre", folder=tmp_path)
    assert answer.returncode == 2
    assert "No such command 'sevre'" in answer.stderr
