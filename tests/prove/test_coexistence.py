"""Proof 10: Celery with Umbel broken in ten ways, and with Flower 2.2.0 beside it, whichever was installed first."""

from pathlib import Path

import pytest

from tests.prove.coexistence import install_beside_flower, meet, run_damages
from tests.prove.figures import table
from tests.prove.stage import ROOT

pytestmark = pytest.mark.prove


@pytest.mark.timeout(600)
def test_a_worker_starts_and_works_with_umbel_broken_in_every_way() -> None:
    survivals = run_damages()
    print(table("worker / exit code of `celery umbel`", {
        survival.damage: f"{'works' if survival.works else 'FAILS'} / {survival.code}" for survival in survivals
    }))  # fmt: skip
    for survival in survivals:
        assert survival.works, f"{survival.damage}: {survival.said}"
        assert survival.code != 0, survival.damage


@pytest.mark.timeout(900)
@pytest.mark.parametrize("umbel_first", [False, True], ids=["flower first", "umbel first"])
def test_a_worker_starts_with_flower_installed_beside(tmp_path: Path, umbel_first: bool) -> None:
    python = install_beside_flower(tmp_path / "venv", umbel_first=umbel_first, umbel=str(ROOT))
    met = meet(python)
    assert met.worker_works
    assert "Umbel" in met.umbel_help, met.umbel_help
    assert "--port" in met.flower_help, met.flower_help
    assert met.flower_version == "2.2.0"
    assert not met.changed_files
    print(table("Flower and Umbel in one virtualenv", {
        "installed first": "Umbel" if umbel_first else "Flower",
        "`celery flower` is": "Umbel's" if "Umbel" in met.flower_help else "Flower's",
    }))  # fmt: skip
