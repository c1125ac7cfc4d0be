"""Flower's config files load without Flower, and nothing of the stand-in stays behind."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from umbel import flower_shim
from umbel.config import load
from umbel.flower_shim import humanize


def test_a_config_file_that_imports_humanize_loads_and_flower_is_gone_afterwards(tmp_path: Path) -> None:
    (tmp_path / "flowerconfig.py").write_text(
        "from flower.utils.template import humanize\n"
        "import flower.utils.template\n"
        "def format_task(task):\n    return humanize(task, length=10)\n"
    )
    function = load([], {}, folder=tmp_path).config.format_task
    assert function is not None
    assert function("a_long-sentence") == "A long ..."
    assert not [name for name in sys.modules if name.partition(".")[0] == "flower"]


def test_the_stand_in_goes_even_when_the_file_fails() -> None:
    with pytest.raises(ZeroDivisionError), flower_shim.installed():
        raise ZeroDivisionError
    assert "flower" not in sys.modules


def test_a_real_flower_is_never_shadowed(tmp_path: Path) -> None:
    package = tmp_path / "flower" / "utils"
    package.mkdir(parents=True)
    (tmp_path / "flower" / "__init__.py").write_text("")
    (package / "__init__.py").write_text("")
    (package / "template.py").write_text("humanize = 'the real one'\n")
    script = (
        "from umbel.flower_shim import installed\n"
        "with installed():\n    from flower.utils.template import humanize\n"
        "print(humanize)"
    )
    told = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert told.stdout.strip() == "the real one"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (3, 3),
        (True, True),
        ("task_received-late", "Task received late"),
        ("broker_url", "Broker URL"),
        ("uuid", "UUID"),
        ("args", "args"),
        ("kwargs", "kwargs"),
        ("", ""),
        ("1a2b3c4d-1a2b-1a2b-1a2b-1a2b3c4d5e6f", "1a2b3c4d-1a2b-1a2b-1a2b-1a2b3c4d5e6f"),
        (["a", 1, 2.5], "a, 1, 2.5"),
        ([{}], [{}]),
    ],
)
def test_values_read_as_in_flowers_labels(value: object, shown: object) -> None:
    assert humanize(value) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.0123, "12.30 ms"), (2.5, "2.50 s"), (65, "1m 05s"), (3723, "1h 02m 03s")]
)
def test_durations_read_as_in_flower(seconds: float, shown: str) -> None:
    assert humanize(seconds, type="duration") == shown


def test_times_are_shown_in_the_named_zone() -> None:
    assert humanize(0, type="time") == ""
    assert humanize(1, type="time") == "1970-01-01 00:00:01.000000 UTC"
    assert humanize(1, type="time-Asia/Tokyo") == "1970-01-01 09:00:01.000000 JST"
    assert humanize(1, type="natural-time-UTC") == "1970-01-01 00:00:01.000000 UTC"


@pytest.mark.parametrize(
    ("age", "shown"), [(0, "now"), (1, "a second ago"), (150, "2 minutes ago"), (3700, "an hour ago")]
)
def test_recent_times_can_be_relative(age: float, shown: str) -> None:
    assert humanize(time.time() - age - 0.2, type="natural-time") == shown
