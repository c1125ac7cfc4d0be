"""Logging as the options say."""

import logging
import logging.handlers
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from umbel import logs
from umbel.config import Config


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """Stands in for the root logger, in which pytest has handlers of its own."""
    logger = logging.Logger("stand-in")
    yield logger
    for handler in logger.handlers:
        handler.close()
    logging.getLogger("uvicorn.access").disabled = False


def test_lines_have_flowers_format_and_indent_what_follows(
    root: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure(Config(), root=root)
    root.info("one\ntwo")
    assert re.fullmatch(r"\[I \d{6} \d\d:\d\d:\d\d test_logs:\d+\] one\n    two\n", capsys.readouterr().err)


def test_a_traceback_belongs_to_its_line(root: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(Config(), root=root)
    try:
        raise ValueError("broken")
    except ValueError:
        root.exception("failed")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].endswith("] failed")
    assert all(line.startswith("    ") for line in lines[1:])
    assert lines[-1].endswith("ValueError: broken")


def test_debug_lowers_the_level_unless_logging_says_otherwise(root: logging.Logger) -> None:
    logs.configure(Config(), root=root)
    assert root.level == logging.INFO
    logs.configure(Config(debug=True), root=root)
    assert root.level == logging.DEBUG
    logs.configure(Config(debug=True, logging="error"), root=root)
    assert root.level == logging.ERROR


def test_requests_are_logged_in_debug_only(root: logging.Logger) -> None:
    logs.configure(Config(), root=root)
    assert logging.getLogger("uvicorn.access").disabled
    logs.configure(Config(debug=True), root=root)
    assert not logging.getLogger("uvicorn.access").disabled


def test_none_leaves_logging_alone(root: logging.Logger) -> None:
    root.setLevel("CRITICAL")
    logs.configure(Config(logging="none"), root=root)
    assert (root.handlers, root.level) == ([], logging.CRITICAL)


def test_configuring_again_replaces_what_was_there(root: logging.Logger) -> None:
    logs.configure(Config(), root=root)
    logs.configure(Config(), root=root)
    assert len(root.handlers) == 1


def test_a_handler_of_the_application_is_not_doubled(root: logging.Logger) -> None:
    own = logging.NullHandler()
    root.addHandler(own)
    logs.configure(Config(), root=root)
    assert root.handlers == [own]
    logs.configure(Config(log_to_stderr=True), root=root)
    assert len(root.handlers) == 2


def test_a_log_file_replaces_standard_error(
    root: logging.Logger, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "log"
    logs.configure(Config(log_file_prefix=str(path)), root=root)
    root.warning("here")
    assert path.read_text().endswith("] here\n")
    assert capsys.readouterr().err == ""


def test_a_log_file_is_rotated_by_size_and_only_so_many_are_kept(
    root: logging.Logger, tmp_path: Path
) -> None:
    logs.configure(
        Config(log_file_prefix=str(tmp_path / "log"), log_file_max_size=200, log_file_num_backups=2),
        root=root,
    )
    for number in range(50):
        root.warning("line %d", number)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "log.1", "log.2"]


def test_a_log_file_can_be_rotated_by_time(root: logging.Logger, tmp_path: Path) -> None:
    logs.configure(
        Config(
            log_file_prefix=str(tmp_path / "log"),
            log_rotate_mode="time",
            log_rotate_when="h",
            log_rotate_interval=2,
        ),
        root=root,
    )
    handler = root.handlers[0]
    assert isinstance(handler, logging.handlers.TimedRotatingFileHandler)
    assert handler.interval == 7200


def test_a_second_process_can_leave_the_file_alone(root: logging.Logger, tmp_path: Path) -> None:
    logs.configure(Config(log_file_prefix=str(tmp_path / "log")), files=False, root=root)
    assert not list(tmp_path.iterdir())
