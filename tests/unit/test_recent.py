"""An answer just made serves those who ask at once, and is made anew behind them."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from umbel.web.recent import RENEWED, SERVES, Recent


class Maker:
    """Counts; may be held up, and may fail."""

    def __init__(self) -> None:
        self.made = 0
        self.may_go = threading.Event()
        self.may_go.set()
        self.done = threading.Semaphore(0)
        self.error: Exception | None = None

    def __call__(self) -> bytes:
        assert self.may_go.wait(10)
        self.made += 1
        self.done.release()
        if self.error is not None:
            raise self.error
        return b"%d" % self.made


@pytest.fixture
def now() -> list[float]:
    return [1000.0]


@pytest.fixture
def maker() -> Maker:
    return Maker()


@pytest.fixture
def ask(now: list[float], maker: Maker) -> Callable[[], bytes]:
    recent = Recent(maker, clock=lambda: now[0])
    # each time in an event loop of its own, as the preparation's is not the server's
    return lambda: asyncio.run(recent.get())


def test_who_asks_at_once_is_given_what_was_just_made(
    ask: Callable[[], bytes], now: list[float], maker: Maker
) -> None:
    assert ask() == b"1"
    now[0] += RENEWED / 2
    assert ask() == b"1"
    assert maker.made == 1


def test_the_next_is_made_behind_the_one_that_serves(
    ask: Callable[[], bytes], now: list[float], maker: Maker
) -> None:
    assert ask() == b"1" and maker.done.acquire(timeout=10)
    maker.may_go.clear()
    now[0] += RENEWED + 0.01
    assert ask() == ask() == b"1", "nobody waits"
    maker.may_go.set()
    assert maker.done.acquire(timeout=10)
    now[0] += SERVES / 2
    assert ask() == b"2", "as new as when its making began"


def test_nothing_older_is_given(ask: Callable[[], bytes], now: list[float], maker: Maker) -> None:
    assert ask() == b"1"
    now[0] += SERVES + 0.01
    assert ask() == b"2"
    now[0] += 3600
    assert ask() == b"3"


def test_those_who_wait_share_one_making(maker: Maker) -> None:
    recent = Recent(maker)
    maker.may_go.clear()

    async def ask_together() -> list[bytes]:
        asking = [asyncio.create_task(recent.get()) for _ in range(5)]
        await asyncio.sleep(0)  # all of them have asked
        asking[0].cancel()
        maker.may_go.set()
        return await asyncio.gather(*asking[1:])

    assert asyncio.run(ask_together()) == [b"1"] * 4


def test_who_waits_is_told_of_an_error_and_the_next_one_is_not(
    ask: Callable[[], bytes], now: list[float], maker: Maker
) -> None:
    maker.error = OSError("no history")
    with pytest.raises(OSError, match="no history"):
        ask()
    maker.error = None
    assert ask() == b"2"
