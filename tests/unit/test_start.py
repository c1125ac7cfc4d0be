"""From a command line to the call of a command's body: refusals, warnings, and what the body gets."""

import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery
from click.testing import CliRunner

from umbel import start
from umbel.cli import main
from umbel.config import Config
from umbel.errors import StoreRefused


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty folder; the environment and the root logger as they were afterwards."""
    monkeypatch.chdir(tmp_path)
    before, handlers, level = dict(os.environ), logging.root.handlers[:], logging.root.level
    yield
    os.environ.clear()
    os.environ.update(before)
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    logging.getLogger("uvicorn.access").disabled = False


@pytest.fixture
def app() -> Celery:
    return Celery("given", broker="redis://own", set_as_current=False)


def answer(*words: str, app: Celery | None = None) -> tuple[Config, Celery]:
    """What the body of a command is called with."""
    called: list[tuple[Config, Celery]] = []

    def body(config: Config, app: Celery) -> int:
        called.append((config, app))
        return 7

    assert start.run(words, body, given=app) == 7
    return called[0]


def test_the_body_gets_the_configuration_and_the_application(app: Celery) -> None:
    config, used = answer("--port", "0", "--broker=redis://:pw@named/1", "-q", app=app)
    assert (config.port, config.quiet) == (0, True)
    assert used is app
    assert used.conf.broker_url == "redis://:pw@named/1"


def test_an_application_named_after_the_command_replaces_the_given_one(app: Celery, tmp_path: Path) -> None:
    (tmp_path / "afterapp.py").write_text(
        "from celery import Celery\napp = Celery('after', broker='redis://after', set_as_current=False)\n"
    )
    assert answer("-A", "afterapp", app=app)[1].main == "after"


def test_a_config_file_is_looked_up_in_the_folder_named_after_the_command(
    app: Celery, tmp_path: Path
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "flowerconfig.py").write_text("url_prefix = 'from-sub'")
    assert answer("--workdir=sub", app=app)[0].url_prefix == "from-sub"


def test_the_management_url_is_completed(app: Celery) -> None:
    app.conf.broker_url = "amqp://h"
    assert answer("--broker_api=http://h:15672", app=app)[0].broker_api == "http://h:15672/api/"


def test_each_warning_is_logged_once(app: Celery, caplog: pytest.LogCaptureFixture) -> None:
    answer("--prot=1", "--inspect", "--max_tasks=5", "--broker_api=http://h/", app=app)
    told = [record.getMessage() for record in caplog.records if record.name == "umbel.start"]
    assert [text.split()[0] for text in told] == ["Unknown", "inspect", "max_tasks=5", "broker_api"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--auth=.*@example.com"], "auth (from the command line) is not built yet"),
        (["--broker=nosuch://h"], "broker: No such transport: nosuch"),
        (["--broker=amqp://h", "--broker_api=redis://h"], "broker_api: not a URL that fits"),
        (["--conf=gone.py"], "there is no file"),
        (["-A", "no_such_project"], "-A no_such_project: ModuleNotFoundError"),
        (["--certfile=gone.pem"], "certfile: there is no file"),
        (["--log_file_prefix=no/such/folder/log"], "log_file_prefix: cannot write"),
        (["--port"], "--port: needs a value; allowed: a whole number"),
    ],
)
def test_a_start_that_cannot_be_is_one_line(
    words: list[str], told: str, app: Celery, capsys: pytest.CaptureFixture[str]
) -> None:
    assert start.run(words, lambda config, app: 0, given=app) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("umbel: ")
    assert told in lines[0]


def test_what_the_body_cannot_do_is_one_line_too(app: Celery, capsys: pytest.CaptureFixture[str]) -> None:
    def body(config: Config, app: Celery) -> int:
        raise StoreRefused("the history is of a newer version")

    assert start.run([], body, given=app) == 1
    assert capsys.readouterr().err == "umbel: the history is of a newer version\n"


@pytest.mark.parametrize(
    "words",
    [
        ["serve", "--port=abc"],
        ["--port=abc"],
        ["flower", "--port=abc"],
        ["--debug", "--port", "abc", "collect"],
        ["prune", "--dry-run", "--port=abc"],
    ],
)
def test_the_script_takes_options_before_and_after_the_command(words: list[str]) -> None:
    told = CliRunner().invoke(main, words)
    assert told.exit_code == 1
    assert told.output.startswith("umbel: port: 'abc' from the command line is not allowed")


def test_the_script_refuses_an_option_without_its_value() -> None:
    told = CliRunner().invoke(main, ["--port"])
    assert (told.exit_code, told.output) == (
        1,
        "umbel: --port: needs a value; allowed: a whole number from 0 to 65535\n",
    )


def test_on_windows_the_script_says_where_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("umbel.command.sys.platform", "win32")
    monkeypatch.setitem(sys.modules, "umbel.start", None)  # what it imports is not there
    told = CliRunner().invoke(main, ["serve"])
    assert told.exit_code == 1
    assert told.output.startswith("Error: Umbel runs on Linux and other Unix systems; on Windows")


def test_an_sqlite_that_is_too_old_is_told(
    app: Celery, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("sqlite3.sqlite_version_info", (3, 26, 0))
    monkeypatch.setattr("sqlite3.sqlite_version", "3.26.0")
    assert start.run([f"--db={tmp_path}/h.sqlite3"], start.pruner(dry_run=True), given=app) == 1
    assert capsys.readouterr().err.startswith("umbel: SQLite 3.34 or newer is needed, and ")
    assert not list(tmp_path.iterdir())
