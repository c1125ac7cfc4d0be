"""Commands from the parent: whole lines, in their order, however they come through the pipe."""

import io
import os
import threading
from typing import Any

import msgspec
import pytest

from umbel.ingest.parent import Command, obey


class CountingPipe(io.FileIO):
    """One end of a pipe, that counts how often the system is asked."""

    reads = 0

    def read(self, size: int | None = -1, /) -> Any:
        self.reads += 1
        return super().read(-1 if size is None else size)


def hear(*pieces: bytes) -> tuple[list[Command], int]:
    """What is taken of these pieces, and in how many readings; fails unless it ends with the pipe."""
    out, into = os.pipe()
    taken: list[Command] = []
    stopped = threading.Event()
    with CountingPipe(out) as pipe:
        reader = threading.Thread(target=obey, args=(pipe, taken.append, stopped.set))
        reader.start()
        with open(into, "wb", buffering=0) as parent:
            for piece in pieces:
                parent.write(piece)
        reader.join(10)
        assert stopped.is_set()
        return taken, pipe.reads


def line_of(**fields: Any) -> bytes:
    return msgspec.json.encode(Command(**fields)) + b"\n"


def test_lines_come_whole_and_in_order_however_they_are_cut() -> None:
    lines = [line_of(queues=[f"q{number}"]) for number in range(3)]
    text = b"".join(lines)
    for cut in range(len(text)):
        taken, _ = hear(text[:cut], text[cut:])
        assert [command.queues for command in taken] == [["q0"], ["q1"], ["q2"]]


def test_ten_thousand_queues_are_a_few_readings() -> None:
    queues = [f"queue-{number:05}" for number in range(10_000)]
    line = line_of(queues=queues)
    taken, reads = hear(line, line_of(evidence=["celery@a"]))
    assert [command.queues for command in taken] == [queues, []]
    assert taken[1].evidence == ["celery@a"]
    assert reads < len(line) / 1000


def test_a_line_that_is_no_command_is_told_and_left_out(caplog: pytest.LogCaptureFixture) -> None:
    taken, _ = hear(b"{broken\n", line_of(queues=["q"]), b'{"queues": ["cut off')
    assert [command.queues for command in taken] == [["q"]]
    assert len(caplog.records) == 1
