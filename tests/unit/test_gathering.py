"""Readings of a socket are spaced only while they bring little each."""

import socket
import time
from collections.abc import Iterator

import pytest

from umbel.ingest import line
from umbel.ingest.line import Gathering


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.fixture(autouse=True)
def rests(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The rests that were taken."""
    taken: list[float] = []
    monkeypatch.setattr(time, "sleep", taken.append)
    return taken


def flowing(wire: socket.socket) -> Gathering:
    """Where one message comes soon after the other."""
    gathering = Gathering(wire)
    gathering.note(brought=True)
    gathering.note(brought=True)
    return gathering


def test_no_rest_before_the_first_reading_and_after_silence(
    pair: tuple[socket.socket, socket.socket], rests: list[float]
) -> None:
    gathering = flowing(pair[0])
    gathering.note(brought=False)
    gathering.rest()
    gathering = Gathering(pair[0])
    gathering.rest()
    assert rests == []


def test_no_rest_after_a_message_that_comes_alone(
    pair: tuple[socket.socket, socket.socket], rests: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter((0.0, line.SPARSE, 2 * line.SPARSE, 2.5 * line.SPARSE))
    monkeypatch.setattr(time, "monotonic", lambda: next(times))
    gathering = Gathering(pair[0])
    for _ in range(3):
        gathering.note(brought=True)
        gathering.rest()
    assert rests == []
    gathering.note(brought=True)
    gathering.rest()
    assert rests == [line.GATHER]


def test_a_rest_after_a_reading_that_took_all(
    pair: tuple[socket.socket, socket.socket], rests: list[float]
) -> None:
    flowing(pair[0]).rest()
    assert rests == [line.GATHER]


def test_no_rest_while_there_is_more_or_the_line_has_ended(
    pair: tuple[socket.socket, socket.socket], rests: list[float]
) -> None:
    ours, theirs = pair
    gathering = flowing(ours)
    theirs.sendall(b"x")
    gathering.rest()
    ours.recv(1)
    ours.shutdown(socket.SHUT_RDWR)
    gathering.rest()
    assert rests == []


def test_no_rest_while_tls_has_more_decrypted(
    pair: tuple[socket.socket, socket.socket], rests: list[float]
) -> None:
    class Decrypted(socket.socket):
        def pending(self) -> int:
            return 7

    with Decrypted(fileno=pair[0].detach()) as wire:
        flowing(wire).rest()
    assert rests == []
