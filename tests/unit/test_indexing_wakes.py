"""The search index hears of what was stored, whenever that was."""

import json
import time
from pathlib import Path

import pytest

from tests.unit.memory_history import SlowHistory
from tests.unit.pipeline_run import NOW, whole_life
from tests.unit.test_idle import QuietSource
from umbel.ingest import pipeline as pipeline_module
from umbel.ingest.collector import Collector
from umbel.ingest.settings import CollectorSettings
from umbel.ingest.source import Message
from umbel.store.search_indexer import SearchIndexer


class CountingIndexer(SearchIndexer):
    woken = 0

    def wake(self) -> None:
        self.woken += 1


def test_the_index_hears_of_rows_that_are_stored_between_rounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline_module, "PASS_MESSAGES", 1)
    monkeypatch.setattr(pipeline_module, "LONGEST_FLUSH", -1.0)
    history, indexer = SlowHistory(), CountingIndexer(tmp_path / "history.db")
    settings = CollectorSettings(celery={}, store_path=str(tmp_path / "history"), store_id="x")
    collector = Collector(settings, history, QuietSource, broker="", redactor=None, indexer=indexer)
    for number in range(9):
        body = json.dumps(whole_life(f"t-{number}")).encode()
        collector._buffer.put([Message(body, "application/json", NOW, None)])

    def store(seconds: float) -> bool:
        """What the round before has handed over, while the collector waits."""
        stored, until = len(history.writes), time.monotonic() + 5
        history.turns.release()
        while len(history.writes) == stored and time.monotonic() < until:
            time.sleep(0.001)
        return False

    monkeypatch.setattr(collector._buffer, "wait", store)
    assert collector._open_store()
    assert collector._parts is not None
    for _ in range(5):
        collector._round(collector._parts)
    assert collector._buffer.size, "more has come all the time"
    assert len(history.writes) == 5
    assert indexer.woken == 4, "the fifth is told in the next round"
    history.turns.release(99)
    monkeypatch.setattr(collector._buffer, "wait", lambda seconds: True)
    for _ in range(9):
        collector._round(collector._parts)
    assert len(history.writes) == 9
    assert 5 <= indexer.woken <= 9, "never for nothing"
    collector._parts.pipeline.close()
