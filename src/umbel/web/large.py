"""Answers of many tasks: few are made at a time, so that pages are answered meanwhile, and what they took of memory is
given back.

Used by `web.flower_tasks`, whose lists have no upper bound.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from umbel.store.heap import find_trim

#: Parts of answers that are made at the same time; others wait for their turn.
AT_ONCE = 2

T = TypeVar("T")


class LargeAnswers:
    """Where large answers wait for their turn."""

    def __init__(self) -> None:
        self._turns = CapacityLimiter(AT_ONCE)
        self._trim = find_trim()
        self._open = 0

    async def run(self, make: Callable[[], T]) -> T:
        """What `make` returns, which is called in a thread when it is its turn."""
        return await run_sync(make, limiter=self._turns)

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Around the whole of a large answer: memory is given back after the last that is under way."""
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1
            if not self._open:
                asyncio.get_running_loop().run_in_executor(None, self._trim)
