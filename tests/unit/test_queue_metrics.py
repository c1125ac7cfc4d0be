"""The families of queues: what is known, of queues that are there, within a bound."""

from typing import Any

import pytest

from umbel.brokers.base import Capabilities, QueueFigures
from umbel.control.queue_age import Age
from umbel.control.queues import Board, QueueState
from umbel.metrics import queues
from umbel.metrics.queues import queue_families, stall_families
from umbel.model.stall import Stall
from umbel.model.worker import Worker, WorkerStatus


def state(name: str, *, oldest: Any = None, known_from: Any = ("worker",), **figures: Any) -> QueueState:
    return QueueState(
        figures=QueueFigures(name=name, **figures),
        marks={},
        known_from=known_from,
        idle_basis=None,
        oldest=oldest,
    )


def board(*states: QueueState) -> Board:
    named = {state.figures.name: state for state in states}
    return Board(queues=named, problems=[], capabilities=Capabilities(), time=9.0)


def samples(of: Board) -> dict[str, float]:
    return {
        ":".join((sample.name, *sample.labels.values())): sample.value
        for family in queue_families(of)
        for sample in family.samples
    }


def test_known_figures_have_samples_and_unknown_ones_have_none() -> None:
    told = samples(
        board(
            state("a", messages=5, ready=3, unacked=2, consumers=1, oldest=("u", Age(7.0, "first-seen"))),
            state("b", ready=4, oldest=("u", Age(8.0, "sent"))),
            state("c", messages=0, ready=0, oldest=None),
        )
    )
    assert told == {
        "umbel_queue_messages:a": 5, "umbel_queue_messages:b": 4, "umbel_queue_messages:c": 0,
        "umbel_queue_unacked:a": 2, "umbel_queue_consumers:a": 1,
        "umbel_queue_oldest_seconds:a:seen": 7, "umbel_queue_oldest_seconds:b:sent": 8,
        "umbel_queues_left_out": 0, "umbel_queues_sampled_timestamp_seconds": 9,
    }  # fmt: skip


def test_where_nothing_waits_the_oldest_waits_no_time() -> None:
    empty = QueueFigures(name="q", messages=0, oldest=())
    quiet = QueueState(figures=empty, marks={}, known_from=("broker",), idle_basis=None, oldest=None)
    assert samples(board(quiet))["umbel_queue_oldest_seconds:q:sent"] == 0


def test_queues_that_are_gone_have_no_series() -> None:
    told = samples(
        board(
            state("remembered", messages=0, known_from=("history",)),
            state("deleted", messages=0, exists=False),
            state("left", messages=1, known_from=("history",)),
        )
    )
    assert [name for name in told if ":" in name] == ["umbel_queue_messages:left"]


def test_the_longest_queues_have_series_and_the_others_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues, "MOST_QUEUES", 2)
    told = samples(board(*(state(f"q{n}", messages=n) for n in range(5))))
    assert [name for name in told if ":" in name] == ["umbel_queue_messages:q3", "umbel_queue_messages:q4"]
    assert told["umbel_queues_left_out"] == 3


def test_living_workers_are_stalled_or_not() -> None:
    statuses = {"a": WorkerStatus.ONLINE, "b": WorkerStatus.BUSY_SILENT, "c": WorkerStatus.LOST}
    workers = [Worker(hostname=name, status=status) for name, status in statuses.items()]
    stall = Stall(worker="b", queue="q", since=0.0, evidence="")
    (family,) = stall_families(board(), workers, [stall])
    assert [(sample.labels["worker"], sample.value) for sample in family.samples] == [("a", 0), ("b", 1)]


def test_nothing_is_told_where_nothing_is_sampled() -> None:
    assert list(queue_families(None)) == list(stall_families(None, [], [])) == []
