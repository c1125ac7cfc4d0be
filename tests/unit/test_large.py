"""Large answers wait for their turn, and give back what they took."""

import threading
import time

import anyio
import pytest

from umbel.web import large
from umbel.web.large import AT_ONCE, LargeAnswers


def test_only_a_few_are_made_at_once_and_all_in_the_end() -> None:
    lock = threading.Lock()
    counts = {"now": 0, "most": 0, "made": 0}

    def make() -> None:
        with lock:
            counts["now"] += 1
            counts["most"] = max(counts["most"], counts["now"])
        time.sleep(0.02)
        with lock:
            counts["now"] -= 1
            counts["made"] += 1

    async def make_many() -> None:
        answers = LargeAnswers()
        async with anyio.create_task_group() as group:
            for _ in range(7):
                group.start_soon(answers.run, make)

    anyio.run(make_many)
    assert counts == {"now": 0, "most": AT_ONCE, "made": 7}


def test_memory_is_given_back_after_the_last_also_when_it_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []
    monkeypatch.setattr(large, "find_trim", lambda: lambda: given.append("back"))

    async def fail(answers: LargeAnswers) -> None:
        with answers.answering():
            with answers.answering():
                pass
            await anyio.sleep(0.05)
            assert given == [], "another is under way"
            raise OSError("gone")

    async def answer() -> None:
        with pytest.raises(OSError, match="gone"):
            await fail(LargeAnswers())
        with anyio.fail_after(5):
            while not given:
                await anyio.sleep(0.01)

    anyio.run(answer)
    assert given == ["back"]
