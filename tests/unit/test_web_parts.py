"""Pure parts of the web side: JSON text, masks, roster, moments, broadcasts to a client that reads too slowly."""

import json
import math
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.types import Message, Scope

from tests.integration.web_server import make_deps
from tests.unit.memory_reader import MemoryReader, make_task
from umbel.control.mask import mask_secrets
from umbel.control.roster import is_gone, listed
from umbel.model.worker import Worker, WorkerStatus
from umbel.store.status import CollectorStatus
from umbel.web.deps import Deps
from umbel.web.flower_json import dumps
from umbel.web.flower_task import as_item, as_listed, listed_text
from umbel.web.present import Present
from umbel.web.problem import Refused
from umbel.web.query import RollupQuery, TaskListQuery, decode, decode_moment
from umbel.web.stream import BACKLOG, Stream


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    )
)
def test_flowers_json_is_ascii_without_closing_tags_and_reads_back(value: Any) -> None:
    text = dumps(value)
    assert text.isascii()
    assert "</" not in text
    assert json.loads(text) == value


def test_a_listed_task_differs_from_an_item_by_its_worker_only() -> None:
    task = make_task("t1", parent_id="p", root_id="r")
    item, row = as_item(task, ["c"]), msgspec.to_builtins(as_listed(task, ["c"]))
    assert item == row
    assert (list(row)[-1], list(item)[16]) == ("worker", "worker")
    assert (item["root"], item["parent"], item["timestamp"]) == ("r", "p", 101.0)
    assert "worker" not in msgspec.to_builtins(as_listed(make_task("t2", worker=None), []))


def test_secrets_are_masked_wherever_they_stand() -> None:
    masked = mask_secrets(
        {
            "broker_url": "redis://:hunter2@h/0;redis://ann:hunter2@i/0",
            "transport_options": {"sentinel_kwargs": {"password": "hunter2"}},
            "AWS_SECRET_ACCESS_KEY": "hunter2",
            "api_key": "hunter2",
            "pool": [("hunter1", "amqp://u:hunter2@h//")],
            "password": None,
            "result_backend": "redis://:hunt/er2@x,hunter2@h/0?password=hunter2",
            "azure": "azureblockblob://DefaultEndpointsProtocol=https;AccountKey=hunter2;EndpointSuffix=x",
            "passwords": ["hunter2", {"x": "hunter2", "n": 12345}],
            "tokens": {"a": "hunter2"},
            "failover": "amqp://a:hunter2@h1//,amqp://b:hunter2@h2//",
        }
    )
    assert "hunter2" not in repr(masked)
    assert "12345" not in repr(masked)
    assert masked["result_backend"] == "redis://:********@h/0?password=********"
    assert masked["failover"] == "amqp://a:********@h1//,amqp://b:********@h2//"
    assert masked["broker_url"] == "redis://:********@h/0;redis://ann:********@i/0"
    assert masked["password"] is None
    assert "hunter1" in repr(masked)


@pytest.mark.parametrize(
    ("status", "silent", "grace", "gone"),
    [
        (WorkerStatus.LOST, 10.0, 10.0, True),
        (WorkerStatus.LOST, 9.9, 10.0, False),
        (WorkerStatus.STOPPED, 0.0, 0.0, True),
        (WorkerStatus.ONLINE, 1e6, 0.0, False),
        (WorkerStatus.BUSY_SILENT, 1e6, 0.0, False),
        (WorkerStatus.UNKNOWN, 1e6, 0.0, False),
    ],
)
def test_only_the_lost_and_the_stopped_leave_after_their_grace(
    status: WorkerStatus, silent: float, grace: float, gone: bool
) -> None:
    worker = Worker(hostname="w", status=status, heard=1e9 - silent)
    assert is_gone(worker, 1e9, grace) is gone
    assert listed([worker], 1e9, grace) == ([] if gone else [worker])


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12.5", 12.5),
        ("-1", -1.0),
        ("1970-01-01T00:01", 60.0),
        ("1970-01-01T01:00:01+01:00", 1.0),
        ("1970-01-02", 86400.0),
        ("1970-01-01T00:00:00.5Z", 0.5),
    ],
)
def test_moments_are_epoch_seconds_or_iso_8601(text: str, seconds: float) -> None:
    assert decode_moment(text, "start") == seconds


@pytest.mark.parametrize("text", ["", "now", "inf", "nan", "1e999", "2026-13-01"])
def test_other_moments_are_refused(text: str) -> None:
    with pytest.raises(Refused, match="start is"):
        decode_moment(text, "start")


def test_queries_become_typed_structs() -> None:
    asked = decode(QueryParams("state=A&state=B&limit=7&search=a=b"), TaskListQuery)
    assert (asked.state, asked.limit, asked.search, asked.sort) == (["A", "B"], 7, "a=b", "-updated")
    assert decode(QueryParams("span=3600"), RollupQuery).span == 3600
    assert not math.isnan(decode(QueryParams(""), TaskListQuery).limit)


NUMBERS = st.none() | st.sampled_from([0.0, 5e-5, 1e-4, 3e16, 1.5, 1e22]) | st.floats(0, 2e9, allow_nan=False)


@given(
    texts=st.lists(
        st.none() | st.text(alphabet=st.characters(exclude_categories=["Cs"])), min_size=6, max_size=6
    ),
    numbers=st.lists(NUMBERS, min_size=3, max_size=3),
    retries=st.none() | st.integers(-(2**63), 2**63 - 1),
)
def test_a_task_list_is_the_text_that_pythons_json_module_makes(
    texts: list[str | None], numbers: list[float | None], retries: int | None
) -> None:
    task = make_task(
        "t", name=texts[0], args=texts[1], result=texts[2], worker=texts[3], kwargs=texts[4], retries=retries,
        started=numbers[0], runtime=numbers[1], updated=numbers[2] or 0.0,
    )  # fmt: skip
    children = {"t": [texts[5] or "c"]}
    assert listed_text([task], children) == dumps({"t": msgspec.to_builtins(as_listed(task, children["t"]))})


class SlowClient:
    """An ASGI client that takes what is sent only when it is let to."""

    def __init__(self) -> None:
        self.events: list[bytes] = []
        self.may_read = anyio.Event()
        self.left = anyio.Event()

    async def receive(self) -> Message:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.body" and message["body"]:
            self.events.append(message["body"].split(b"\n")[1])
            if len(self.events) > 1:
                await self.may_read.wait()


@pytest.fixture
def deps(tmp_path: Path) -> Deps:
    return make_deps(MemoryReader(), tmp_path)


@pytest.mark.anyio
async def test_a_client_that_reads_too_slowly_gets_a_snapshot_instead(deps: Deps) -> None:
    reader = deps.reader
    assert isinstance(reader, MemoryReader)
    stream = Stream(deps, Present(deps))
    client = SlowClient()
    scope: Scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}
    served = await stream.handle(Request(scope))

    async def serve() -> None:
        await served(scope, client.receive, client.send)

    async def change(number: int) -> None:
        told = count_waiting(stream)
        reader.status = CollectorStatus(pid=1, time=0.0, started=0.0, state="blind", error=str(number))
        with anyio.fail_after(10):
            while count_waiting(stream) == told and not is_stale(stream):
                await anyio.sleep(0.02)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stream.run)
        tasks.start_soon(serve)
        with anyio.fail_after(10):
            while not client.events:
                await anyio.sleep(0.02)
        number = 0
        while not is_stale(stream):
            number += 1
            await change(number)
        assert number >= BACKLOG
        client.may_read.set()
        with anyio.fail_after(10):
            while client.events.count(b"event: snapshot") < 2:
                await anyio.sleep(0.02)
        client.left.set()
        with anyio.fail_after(10):
            while stream._mailboxes:
                await anyio.sleep(0.02)
        tasks.cancel_scope.cancel()
    assert client.events[0] == b"event: snapshot"


def count_waiting(stream: Stream) -> int:
    """Events that wait for the only client."""
    (mailbox,) = stream._mailboxes
    return len(mailbox.events)


def is_stale(stream: Stream) -> bool:
    (mailbox,) = stream._mailboxes
    return mailbox.stale
