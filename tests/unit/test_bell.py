"""The bell behaves as an event does."""

import threading
import time

from umbel.ingest.bell import Bell


def test_a_bell_stays_set_until_it_is_cleared() -> None:
    bell = Bell()
    assert not bell.is_set()
    assert not bell.wait(0)
    bell.set()
    bell.set()
    assert bell.is_set()
    assert bell.wait(10)
    assert bell.wait(10)
    bell.clear()
    bell.clear()
    assert not bell.wait(0)


def test_a_wait_ends_by_its_time_or_when_another_thread_sets_the_bell() -> None:
    bell = Bell()
    began = time.monotonic()
    assert not bell.wait(0.05)
    assert time.monotonic() - began >= 0.05
    thread = threading.Timer(0.05, bell.set)
    thread.start()
    assert bell.wait(10)
    thread.join()
