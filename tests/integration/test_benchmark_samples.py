"""Small runs of the other benchmarks, for correctness only: no answer, row or update may be missing or wrong."""

import math
import time
from pathlib import Path

import pytest

from benchmarks.history import build
from benchmarks.load import fetch_feed, find_feed_delays, find_probe_delays, find_prompt_share, listen
from benchmarks.questions import TASK_QUESTIONS, Asker
from benchmarks.restart import SETTLED, find_wrong, restart
from benchmarks.run import Run, Setting
from benchmarks.subject import Subject

pytestmark = pytest.mark.timeout(180)


def test_a_monitor_is_measured_and_every_question_gets_its_rows_from_a_built_history(tmp_path: Path) -> None:
    build(tmp_path / "history", 6_000, end=time.time())
    with Run(Setting("umbel"), history=tmp_path) as run:
        subject: Subject = run.subject
        subject.wait_until_quiet(120)
        assert subject.measure_cpu() > 0
        assert subject.measure_memory() > 20e6
        assert subject.measure_files() > 0
        assert len(subject.walk_processes()) >= 2, "the collector is a process of its own"
        asker = Asker(subject.port)
        for question in TASK_QUESTIONS:
            asker.ask(question)
            assert asker.wrong == 0, question.name
        asker.close()
        assert run.count_lost() == 0
        measurement = run.take_burst(2_000)
        assert measurement.lost == 0
        assert 1_900 < measurement.events < 2_100, "what the history held before does not count"


@pytest.mark.prove
def test_rows_are_as_sent_after_a_kill() -> None:
    with Run(Setting("umbel"), sampled=10) as run:
        run.wait_until_visible(run.send_burst(3_000))
        time.sleep(SETTLED)  # what is younger may be lost with the process
        assert restart(run.subject) > 0
        run.subject.wait_until_ready()
        assert run.count_lost() == 0
        assert len(run.sample) > 30
        assert find_wrong(run.subject, run.sample) == []


def test_every_listener_hears_of_every_probe() -> None:
    with Run(Setting("umbel")) as run:
        run.fill(100)
        heard = listen(run, clients=20, seconds=3)
        delays = find_probe_delays(heard)
        assert len(delays) == 20 * 12
        assert all(0 < delay < math.inf for delay in delays)
        assert heard.ended == 0
        assert 0 <= find_prompt_share(delays) <= 1
        # the same from the other side: every change that was stored before the last delta reached every client
        assert math.inf not in find_feed_delays(heard, fetch_feed(run, heard.since))
