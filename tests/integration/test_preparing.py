"""The usual questions, asked before anybody does: right answers after it, and neither start nor stop waits for it."""

import asyncio
import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import Response

from tests.integration.told_history import BUCKETS, W1, W2, ToldHistory, told_history
from tests.integration.web_server import make_deps, serving
from tests.servers import wait_for
from umbel.auth.base import Guard
from umbel.store.sqlite_reader import SQLiteReader
from umbel.web.deps import Deps
from umbel.web.preparing import Preparation, Usual
from umbel.web.present import Present
from umbel.web.routes import Table
from umbel.web.stream import Stream


@pytest.fixture
def history(tmp_path: Path) -> Iterator[ToldHistory]:
    with told_history(tmp_path) as told:
        yield told


def make_table(deps: Deps) -> Table:
    """The route table as `application.build` makes it."""
    present = Present(deps)
    return Table(deps, Guard(None, {}, read_only=False), Stream(deps, present), present)


def prepare(deps: Deps, table: Table) -> None:
    """Ask everything at once, and wait for it."""
    preparation = Preparation(deps.reader, table.usual(), start_after=0)
    preparation.start()
    wait_for(lambda: preparation.is_done, message="the preparation")


async def fetch(usual: Usual) -> Response:
    """The whole answer to a usual question."""
    scope = {
        "type": "http", "method": "GET", "path": "/", "query_string": usual.query.encode(), "headers": []
    }  # fmt: skip
    response = await usual.handler(Request(scope))
    assert isinstance(response, Response)
    return response


def fetch_names(table: Table) -> list[str]:
    """The workers that `/workers?json=1` names, perhaps those of a moment ago."""
    body = bytes(asyncio.run(fetch(table.usual()[0])).body)
    return [name for name in (W1, W2) if f'"hostname": "{name}"'.encode() in body]


def test_every_usual_question_is_answered(history: ToldHistory, tmp_path: Path) -> None:
    """None of them is refused, as one with a wrong argument would be."""
    history.tell_worker()
    history.tell("task-received", "t1", name="a")
    deps = make_deps(history.reader, tmp_path)
    for usual in make_table(deps).usual():
        assert asyncio.run(fetch(usual)).status_code == 200


def test_what_comes_after_it_is_answered(history: ToldHistory, tmp_path: Path) -> None:
    """Nothing that was read before stays when it changed."""
    history.tell_worker(W1)
    deps = make_deps(history.reader, tmp_path)
    table = make_table(deps)
    prepare(deps, table)
    history.tell_worker(W2)
    wait_for(lambda: fetch_names(table) == [W1, W2], message="both workers")


def test_another_history_in_its_place_is_answered_from(tmp_path: Path) -> None:
    """As long as the preparation, or what it made, knows the old one."""
    (tmp_path / "other").mkdir()
    with told_history(tmp_path / "other") as other:
        # its feed goes on where that of the old one ends
        for _ in range(5):
            other.tell_worker(W2)
    with told_history(tmp_path) as history:
        history.tell_worker(W1)
        history.tell_worker(W1)
        deps = make_deps(history.reader, tmp_path)
        table = make_table(deps)
        prepare(deps, table)
        assert fetch_names(table) == [W1]
        history.writer.close()
        path, new = tmp_path / "history.sqlite3", tmp_path / "other" / "history.sqlite3"
        for suffix in ("-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        shutil.copy(new, tmp_path / "copy")
        os.replace(tmp_path / "copy", path)
        wait_for(lambda: fetch_names(table) == [W2], message="the other history's worker")


def test_without_a_history_the_server_serves(tmp_path: Path) -> None:
    """The questions are given up, once and quietly."""
    reader = SQLiteReader(tmp_path / "nothing.sqlite3", buckets=BUCKETS)
    deps = make_deps(reader, tmp_path)
    prepare(deps, make_table(deps))
    with serving(deps) as web:
        assert web.get("/healthcheck").status == 200
    reader.close()


def test_a_stop_does_not_wait_for_it(history: ToldHistory) -> None:
    """Neither before it began, nor while a question takes long; and nothing is asked after that."""
    asked, go_on = threading.Event(), threading.Event()
    second = threading.Event()

    async def hang(_: Request) -> Response:
        asked.set()
        go_on.wait(20)
        return Response()

    async def note(_: Request) -> Response:
        second.set()
        return Response()

    waiting = Preparation(history.reader, [Usual(note)], start_after=3600)
    waiting.start()
    waiting.stop()
    wait_for(lambda: waiting.is_done, message="the one that had not begun")

    slow = Preparation(history.reader, [Usual(hang), Usual(note)], start_after=0)
    slow.start()
    assert asked.wait(10)
    began = time.monotonic()
    slow.stop()
    assert time.monotonic() - began < 1
    assert not slow.is_done
    go_on.set()
    wait_for(lambda: slow.is_done, message="the slow one")
    assert not second.is_set()


def test_no_search_without_an_index(history: ToldHistory) -> None:
    """It would read every task."""
    searched = threading.Event()

    async def note(_: Request) -> Response:
        searched.set()
        return Response()

    preparation = Preparation(history.reader, [Usual(note, is_search=True)], start_after=0)
    assert history.reader.fetch_search_backlog() is None
    preparation.start()
    wait_for(lambda: preparation.is_done, message="the preparation")
    assert not searched.is_set()
