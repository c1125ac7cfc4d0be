"""The bound of `/metrics`: which task names keep series of their own, and that the rest is summed up."""

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from tests.unit.memory_reader import MemoryReader
from umbel.metrics import flower
from umbel.metrics.bound import OTHER, Bound
from umbel.metrics.flower import FlowerFamilies
from umbel.model.worker import Worker
from umbel.store.base import CounterKey, FeedRow, Runtimes

BOUNDS = (0.1, 1.0)
Samples = dict[tuple[str, ...], float]


def samples(families: FlowerFamilies, reader: MemoryReader) -> Samples:
    """(name, label values in the order of label names) -> value."""
    text = b"".join(families.render(reader.workers)).decode()
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def tell(reader: MemoryReader, worker: str, **counts: int) -> None:
    """Each of these task names was received and succeeded so many times more."""
    for task, n in counts.items():
        for kind in ("task-received", "task-succeeded"):
            key = CounterKey(worker, task, kind)
            reader.counters[key] = reader.counters.get(key, 0) + n
        seen = reader.runtimes.get((worker, task), Runtimes((0, 0, 0), 0.0))
        buckets = (seen.buckets[0] + n, *seen.buckets[1:])
        reader.runtimes[worker, task] = Runtimes(buckets, seen.sum + 0.05 * n)
    reader.feed.append(FeedRow(reader.fetch_feed_head() + 1, 0.0, [], [worker]))


def make_reader(*workers: str) -> MemoryReader:
    reader = MemoryReader()
    reader.workers = [Worker(hostname=name, first_seen=1.0) for name in workers]
    return reader


def test_what_was_kept_equals_what_is_rendered_anew() -> None:
    reader = make_reader("w1", "w2")
    kept = FlowerFamilies(reader, BOUNDS, limit=10_000)
    for worker, counts in (
        ("w1", {"a": 1, "b": 2}), ("w2", {"a": 3}), ("w1", {"c": 1}), ("client", {"a": 4}), ("w2", {"b": 1}),
    ):  # fmt: skip
        tell(reader, worker, **counts)
        reader.running[worker, "a"] = (1, float(len(reader.feed)))
        reader.prefetched[worker, "a"] = len(reader.feed)
        assert samples(kept, reader) == samples(FlowerFamilies(reader, BOUNDS, limit=10_000), reader)
    reader.workers = [msgspec.structs.replace(reader.workers[1], first_seen=5.0)]
    assert samples(kept, reader) == samples(FlowerFamilies(reader, BOUNDS, limit=10_000), reader)
    assert not any("w1" in key for key in samples(kept, reader))


def test_beyond_the_limit_the_less_frequent_names_are_summed_up() -> None:
    reader = make_reader("w1", "w2")
    tell(reader, "w1", busy=1000, small=3, tiny=1, rare=1)
    tell(reader, "w2", busy=1000, small=4, tiny=2)
    families = FlowerFamilies(reader, BOUNDS, limit=60)
    found = samples(families, reader)
    assert found["flower_events_total", "busy", "task-received", "w1"] == 1000
    assert found["flower_events_total", OTHER, "task-received", "w1"] == 5
    assert found["flower_task_runtime_seconds_count", OTHER, "w2"] == 6
    assert found["flower_task_runtime_seconds_bucket", "0.1", OTHER, "w1"] == 5
    assert not any("small" in key or "tiny" in key for key in found)
    assert families.summed == 3
    assert families.series == len(found) <= 60


def test_a_name_that_is_summed_up_stays_so_and_late_names_join_it() -> None:
    reader = make_reader("w1")
    tell(reader, "w1", a=10, b=9, c=1, d=1, e=1)
    families = FlowerFamilies(reader, BOUNDS, limit=45)
    samples(families, reader)
    tell(reader, "w1", c=1000, late=5)
    found = samples(families, reader)
    assert found["flower_events_total", "b", "task-succeeded", "w1"] == 9
    assert found["flower_events_total", OTHER, "task-succeeded", "w1"] == 1008


def test_totals_stay_whole_when_more_workers_push_names_out() -> None:
    reader = make_reader(*(f"w{n}" for n in range(10)))
    tell(reader, "w0", a=5, b=4, c=3)
    families = FlowerFamilies(reader, BOUNDS, limit=300)
    samples(families, reader)
    for n in range(1, 10):
        tell(reader, f"w{n}", a=5, b=4, c=3)
    found = samples(families, reader)
    received = [
        value for key, value in found.items() if key[2:3] == ("task-received",) and key[0].endswith("total")
    ]
    assert sum(received) == 120
    assert 0 < families.summed < 3
    assert families.series == len(found) <= 300


def test_clients_beyond_the_first_are_summed_up_as_one() -> None:
    reader = make_reader("w1")
    families = FlowerFamilies(reader, BOUNDS, limit=10_000)
    for n in range(flower.MAX_CLIENTS + 3):
        reader.counters[CounterKey(f"gen{n:05}@pod", "shop.pay", "task-sent")] = 2
    found = samples(families, reader)
    senders = {key[3] for key in found if key[0] == "flower_events_total"}
    assert len(senders) == flower.MAX_CLIENTS + 1
    assert found["flower_events_total", "shop.pay", "task-sent", OTHER] == 6
    reader.counters[CounterKey("gen01002@pod", "shop.pay", "task-sent")] = 5
    reader.feed.append(FeedRow(1, 0.0, [], ["gen01002@pod"]))
    assert samples(families, reader)["flower_events_total", "shop.pay", "task-sent", OTHER] == 9


def test_clients_that_were_let_go_make_room_and_their_sum_does_not_fall() -> None:
    reader = make_reader("w1")
    families = FlowerFamilies(reader, BOUNDS, limit=10_000)
    names = [f"gen{n:05}@pod" for n in range(flower.MAX_CLIENTS + 3)]
    for name in names:
        reader.counters[CounterKey(name, "shop.pay", "task-sent")] = 2
    assert samples(families, reader)["flower_events_total", "shop.pay", "task-sent", OTHER] == 6
    # one of each kind goes, and two new ones come
    gone, new = [names[0], names[-1]], ["gen-new@pod", "gen-newer@pod"]
    for name in gone:
        del reader.counters[CounterKey(name, "shop.pay", "task-sent")]
    reader.feed.append(FeedRow(1, 0.0, [], gone))
    assert samples(families, reader)["flower_events_total", "shop.pay", "task-sent", OTHER] == 6
    for name in new:
        reader.counters[CounterKey(name, "shop.pay", "task-sent")] = 3
        reader.feed.append(FeedRow(reader.fetch_feed_head() + 1, 0.0, [], [name]))
    found = samples(families, reader)
    assert names[0] not in {key[3] for key in found if key[0] == "flower_events_total"}
    assert found["flower_events_total", "shop.pay", "task-sent", "gen-new@pod"] == 3
    assert found["flower_events_total", "shop.pay", "task-sent", OTHER] == 9


def test_labels_are_escaped() -> None:
    reader = make_reader('w"1\\')
    reader.counters[CounterKey('w"1\\', 'a"b\\c\nd', "task-received")] = 1_234_567
    found = samples(FlowerFamilies(reader, BOUNDS, limit=1000), reader)
    assert found["flower_events_total", 'a"b\\c\nd', "task-received", 'w"1\\'] == 1_234_567


def test_the_bound_admits_the_heaviest_names_first() -> None:
    bound = Bound(30, 5)
    bound.replace({}, {"a": 10, "b": 10, "c": 10, "d": 10})
    bound.decide({"a": 1, "b": 4, "c": 3, "d": 2}, senders=1)
    assert bound.summed == {"a", "d"}
    version = bound.version
    bound.replace({"a": 10}, {"a": 2})
    bound.decide({}, senders=1)
    assert (bound.summed, bound.version) == ({"a", "d"}, version)
