"""The benchmarks' own arithmetic, where it could flatter: percentiles, losses, verdicts, what is on the wire."""

import asyncio
import base64
import json
import uuid
from collections import Counter
from itertools import islice
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.burst import BurstBuilder, iter_spooled
from benchmarks.event_stream import EventStream, Message
from benchmarks.load import Heard, find_feed_delays, find_probe_delays, find_prompt_share
from benchmarks.memory import find_growth
from benchmarks.picture import Panel, draw, draw_line, make_axis, write_number
from benchmarks.report import Report, find_percentile, write_table
from benchmarks.restart import differs
from benchmarks.run import Measurement, count_differences, find_median, shows
from benchmarks.sse_clients import Hearing, Listener, write_probe_id
from benchmarks.subject import count_events
from benchmarks.wire import encode_rabbitmq, encode_redis

REDIS, RABBITMQ = "redis://127.0.0.1:1/0", "amqp://127.0.0.1:1//"


def test_a_percentile_is_a_measured_value_and_never_below_its_share() -> None:
    values = [float(number) for number in range(100, 0, -1)]
    assert find_percentile(values, 0.5) == 50
    assert find_percentile(values, 0.99) == 99
    assert find_percentile(values, 1.0) == 100
    assert find_percentile([3.0, 1.0], 0.99) == 3.0
    assert find_percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert find_percentile([7.0], 0.5) == 7.0
    with pytest.raises(ValueError, match="no values"):
        find_percentile([], 0.5)


def test_an_event_too_many_does_not_make_up_for_one_that_is_missing() -> None:
    sent = {"task-sent": 10, "task-received": 10, "worker-heartbeat": 5}
    assert count_differences(sent, sent, {}) == 0
    assert count_differences(sent, {**sent, "task-sent": 9, "task-received": 11}, {}) == 2
    assert count_differences(sent, {"task-sent": 10}, {}) == 10
    assert count_differences(sent, {**sent, "task-failed": 1}, {}) == 1
    assert count_differences(sent, {**sent, "worker-heartbeat": 0}, {}) == 0, "heartbeats may go"


def test_what_a_history_held_before_is_neither_lost_nor_gained() -> None:
    before = {"task-sent": 100, "task-failed": 4}
    assert count_differences({"task-sent": 10}, {"task-sent": 110, "task-failed": 4}, before) == 0
    assert count_differences({"task-sent": 10}, {"task-sent": 110}, before) == 4


def test_events_are_summed_over_workers_and_names() -> None:
    lines = [
        'flower_events_total{task="a",type="task-sent",worker="w1"} 3.0',
        'flower_events_total{task="b",type="task-sent",worker="w2"} 1.5e3',
        'flower_events_created{task="b",type="task-sent",worker="w2"} 1.7e9',
        'flower_events_total{task="a",type="task-failed",worker="w1"} 2.0',
    ]
    assert count_events("\n".join(lines)) == {"task-sent": 1503, "task-failed": 2}


def test_rates_and_costs_are_of_what_arrived() -> None:
    measured = Measurement("umbel", 50, events=2_000, seconds=4.0, cpu_seconds=1.0, lost=0, memory=1)
    other = Measurement("umbel", 50, events=3_000, seconds=1.0, cpu_seconds=3.0, lost=0, memory=1)
    assert (measured.rate, measured.cost) == (500, 50)
    assert find_median([other, measured, measured], "rate") == 500
    assert find_median([other, other, measured], "cost") == 100


def test_growth_compares_the_highest_of_the_last_two_quarters() -> None:
    flat = [(0, 90), (25, 150), (50, 200), (60, 180), (75, 199), (100, 200)]
    assert find_growth(flat) == 0
    assert find_growth([*flat[:-1], (100, 220)]) == pytest.approx(0.1)
    with pytest.raises(ValueError, match="too few"):
        find_growth([(0, 1), (100, 2)])


def test_a_row_differs_where_any_event_or_text_of_its_task_does() -> None:
    task = {"name": "n", "args": "a", "kwargs": "k"}
    events = [
        {"type": "task-sent", "timestamp": 1.0, **task},
        {"type": "task-received", "timestamp": 2.0, **task},
        {"type": "task-succeeded", "timestamp": 4.0, "result": "r"},
    ]
    row = {**task, "state": "SUCCESS", "sent": 1.0, "received": 2.0, "succeeded": 4.0, "result": "r"}
    assert not differs(row, events)
    assert differs(None, events)
    for key, value in (
        ("state", "STARTED"),
        ("received", None),
        ("succeeded", 5.0),
        ("result", "x"),
        ("args", ""),
    ):
        assert differs({**row, key: value}, events), key
    assert differs({**row, "state": "STARTED"}, events[:2])
    assert not differs({**row, "state": "RECEIVED", "result": None}, events[:2])


def test_a_burst_is_visible_once_its_last_event_is_or_a_later_one_of_a_retry() -> None:
    event = {"uuid": "a", "type": "task-received", "timestamp": 1e9}
    for row in (None, {"received": None}, {"received": 1e9 - 5}):
        assert not shows(row, event), row
    for row in ({"received": 1e9}, {"received": 1e9 + 5}):
        assert shows(row, event), row


def test_a_missed_target_is_told_and_only_a_loss_fails(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report("Title", ("a", "b"))
    report.claim_at_least("speed", 19.96, 20)
    report.claim_at_most("memory", 250, 250, "MB")
    assert report.finish() == 0
    told = capsys.readouterr().out
    assert "speed: 20.0 × (≥ 20 ×) MISSED" in told
    assert "memory: 250 MB (≤ 250 MB) ok" in told
    report.require("lost", 0)
    assert report.finish() == 0
    report.require("lost", 1)
    assert report.finish() == 1


def test_a_table_is_aligned() -> None:
    table = write_table(("what", "n"), [("x", "1,000"), ("longer", "2")])
    assert table.splitlines() == [
        "| what   |     n |",
        "| ------ | ----: |",
        "| x      | 1,000 |",
        "| longer |     2 |",
    ]


def test_a_burst_counts_what_it_holds_and_ends_with_a_task_event() -> None:
    burst = BurstBuilder(iter(EventStream(1e9)), REDIS, sampled=1).build(1_000)
    assert 1_000 <= burst.events == sum(events for _, events in burst.slices) < 1_010
    bodies = [
        json.loads(base64.b64decode(json.loads(line)["body"]))
        for data, _ in burst.slices
        for line in data.split(b"\r\n")
        if line.startswith(b"{")
    ]
    events = [event for body in bodies for event in (body if isinstance(body, list) else [body])]
    assert Counter(event["type"] for event in events) == burst.counts
    assert events[-1] == burst.last or burst.last in events[-3:]
    assert sum(map(len, burst.sample.values())) == sum(
        count for kind, count in burst.counts.items() if kind.startswith("task-")
    )


@pytest.mark.parametrize("url", [REDIS, RABBITMQ])
def test_a_spooled_burst_is_the_same_as_one_in_memory(url: str, tmp_path: Path) -> None:
    built = BurstBuilder(iter(EventStream(1e9)), url).build(2_000)
    spooled = BurstBuilder(iter(EventStream(1e9)), url).spool(2_000, tmp_path / "burst", rate=0)
    assert list(iter_spooled(tmp_path / "burst")) == built.slices
    assert (spooled.counts, spooled.last) == (built.counts, built.last)


@pytest.mark.parametrize("url", [REDIS, RABBITMQ])
def test_at_an_even_rate_messages_go_one_by_one_or_once_a_millisecond(url: str, tmp_path: Path) -> None:
    built = BurstBuilder(iter(EventStream(1e9)), url).build(2_000)
    for rate, most in ((500, 3), (1_500, 4), (30_000, 32)):
        BurstBuilder(iter(EventStream(1e9)), url).spool(2_000, tmp_path / "load", rate=rate)
        slices = list(iter_spooled(tmp_path / "load"))
        assert b"".join(data for data, _ in slices) == b"".join(data for data, _ in built.slices)
        assert most - 2 <= max(events for _, events in slices) <= most
        assert sum(events for _, events in slices) == built.events


def test_the_styles_differ_in_messages_only_and_a_beating_cluster_has_no_tasks() -> None:
    single = list(islice(EventStream(1e9, batch="single"), 3_000))
    assert {len(message.events) for message in single} == {1}
    assert "task.succeeded" in {message.routing_key for message in single}
    full = list(islice(EventStream(1e9, batch="full", workers=2), 3_000))
    assert max(len(message.events) for message in full) == 24
    beats = list(islice(EventStream(1e9, workers=50, rate=0), 500))
    assert {message.routing_key for message in beats} == {"worker.heartbeat"}
    assert beats[-1].events[0]["timestamp"] == pytest.approx(1e9 + 20, abs=0.05), "each beats every 2 s"


def test_the_cluster_goes_on_where_the_stream_before_ended() -> None:
    stream = EventStream(1e9)
    list(islice(stream, 100))
    follower = next(iter(EventStream(1e9, clock=stream.clock)))
    assert follower.events[0]["clock"] == stream.clock + 1


def test_a_rabbitmq_message_is_three_whole_frames() -> None:
    message = Message("task.sent", "gen1@web", [{"type": "task-sent", "uuid": "ü"}])
    data = encode_rabbitmq(message)
    kinds = []
    while data:
        size = int.from_bytes(data[3:7])
        kinds.append((data[0], int.from_bytes(data[1:3])))
        assert data[7 + size] == 0xCE
        body, data = data[7 : 7 + size], data[8 + size :]
    assert kinds == [(1, 1), (2, 1), (3, 1)]
    assert json.loads(body) == message.events[0]


def test_a_redis_message_names_channel_and_length() -> None:
    message = Message("task.multi", "celery@w", [{"type": "task-started"}, {"type": "task-succeeded"}])
    parts = encode_redis(message, uuid.UUID(int=1)).split(b"\r\n")
    assert parts[:5] == [b"*3", b"$7", b"PUBLISH", b"$22", b"/0.celeryev/task.multi"]
    assert parts[5] == b"$%d" % len(parts[6])


def test_a_logarithmic_axis_puts_every_decade_at_the_same_distance() -> None:
    axis = make_axis([10.0, 2_000.0], 100, 400)
    assert (axis.low, axis.high) == (1, 4)
    assert [axis.place(10.0**power) for power in axis.iter_ticks()] == pytest.approx([100, 200, 300, 400])
    assert [write_number(power) for power in (-1, 0, 2, 3, 5, 7)] == ["0.1", "1", "100", "1k", "100k", "10M"]
    flat = make_axis([1000.0], 0, 10)
    assert flat.place(1000.0) == 0


@pytest.mark.parametrize(
    ("places", "name_at"),
    [([(200.0, 50.0), (290.0, 80.0)], 98.0), ([(200.0, 50.0), (290.0, 53.0)], 45.0), ([(290.0, 80.0)], 72.0)],
)
def test_a_name_stands_off_its_line(places: list[tuple[float, float]], name_at: float) -> None:
    drawn = draw_line("Umbel", places, 0)
    assert f'<text class="name" x="290.0" y="{name_at}"' in drawn


def test_a_picture_is_sound_and_leaves_out_what_has_no_points() -> None:
    panels = [Panel("rate <&>", {"A": [(10, 5), (100, 7)], "B": []}), Panel("none", {"A": []})]
    root = ElementTree.fromstring(draw(panels, across="tasks"))
    texts = ["".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "rate <&>" in texts and "A" in texts
    assert "none" not in texts and "B" not in texts


def test_what_a_listener_never_heard_is_not_prompt() -> None:
    probes = {"a": [10.1, 10.9], "b": [21.0, 21.1]}
    heard = Heard(4, 9.0, {"a": 10.0, "b": 20.0, "c": 30.0}, probes, {}, ended=0, web_cpu=0.1)
    delays = find_probe_delays(heard)
    assert len(delays) == 12 and delays.count(float("inf")) == 8
    assert find_prompt_share(delays) == 3 / 12


def test_a_change_is_heard_with_the_first_delta_at_or_after_it() -> None:
    heard = Heard(2, 0.0, {}, {}, {"3": [1.5, 1.6], "10": [3.0]}, ended=0, web_cpu=0.1)
    assert find_feed_delays(heard, {2: 1.0, 3: 1.25}) == pytest.approx([0.5, 0.6, 0.25, 0.35])
    assert find_feed_delays(heard, {4: 2.0}) == [1.0, float("inf")], "one client never got that delta"
    assert find_feed_delays(heard, {11: 4.0}) == [], "nobody can have heard of what came after the last delta"


def test_a_listener_finds_a_probe_in_two_pieces_once() -> None:
    hearing = Hearing()
    loop = asyncio.new_event_loop()
    listener = Listener(hearing, loop.create_future())
    probe = write_probe_id(7)
    text = f'id: 1\nevent: snapshot\ndata: {{"tasks":["{probe}"]}}\n\n'.encode()
    for piece in (text[:50], text[50:], text):
        listener.data_received(piece)
    loop.close()
    assert hearing.messages == 2 and hearing.bytes == 2 * len(text)
    assert list(hearing.heard) == [probe] and len(hearing.heard[probe]) == 1
    assert hearing.deltas == {}
    for piece in (b"5\r\nid: 12", b"3\nevent: delta\ndata: {}\n\n"):
        listener.data_received(piece)
    assert list(hearing.deltas) == ["123"]
