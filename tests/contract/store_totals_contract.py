"""What any history tells of totals, and of whose changed."""

from collections.abc import Mapping

import msgspec

from tests.contract.teller import EPOCH, Teller, received, succeeded
from umbel.model.event import Event
from umbel.model.worker import Worker
from umbel.store.base import (
    Changes,
    CounterKey,
    FeedPlace,
    HistoryReader,
    HistoryWriter,
    Runtimes,
)
from umbel.store.packed import PackedRuntimes, pack_worker


def unpack(packed: Mapping[str, PackedRuntimes]) -> dict[tuple[str, str], Runtimes]:
    """(worker, task) -> histogram."""
    return {
        (worker, task): msgspec.msgpack.decode(bytes.fromhex(text), type=Runtimes)
        for worker, seen in packed.items()
        for task, text in zip(msgspec.json.decode(seen.tasks), seen.histograms.split(","), strict=True)
    }


class StoreTotalsContract:
    """Totals of senders, as those read them who keep them in step."""

    def test_the_feed_names_every_sender_whose_counters_changed(
        self, writer: HistoryWriter, reader: HistoryReader
    ) -> None:
        teller = Teller(writer)
        assert reader.fetch_changed_senders(FeedPlace()) == (FeedPlace(), frozenset())
        teller.tell(succeeded("u", worker="celery@a"))
        first = reader.fetch_feed_place()
        # before the first row nothing is known of the history
        assert reader.fetch_changed_senders(FeedPlace()) == (first, None)
        assert reader.fetch_changed_senders(first) == (first, frozenset())
        sent = Event(type="task-sent", hostname="gen1@b", timestamp=EPOCH, uuid="v", received_at=EPOCH)
        teller.tell([sent])
        writer.write(Changes(workers=[pack_worker(Worker(hostname="celery@z"))]))
        writer.write(Changes(workers_removed=["celery@gone"]))
        last = reader.fetch_feed_place()
        names = frozenset({"gen1@b", "celery@z", "celery@gone"})
        assert reader.fetch_changed_senders(first) == (last, names)
        # a place that this history has not reached, and one of another history: all may have changed
        assert reader.fetch_changed_senders(FeedPlace(last.id + 7, last.time)) == (last, None)
        assert reader.fetch_changed_senders(FeedPlace(first.id, first.time - 1)) == (last, None)

    def test_totals_are_the_sums_of_what_they_sum_up(
        self, writer: HistoryWriter, reader: HistoryReader
    ) -> None:
        teller = Teller(writer)
        for n in range(12):
            worker, name = f"celery@{n % 3}", f"shop.{n % 2}"
            teller.tell(succeeded(f"s{n}", worker=worker, name=name))
            teller.tell(received(f"r{n}", worker=worker, name=name))
        feed = writer.write(Changes(counters={CounterKey("celery@0", "", "worker-heartbeat"): 5}))
        assert reader.fetch_feed(feed - 1)[0].workers == ["celery@0"]
        counters = reader.fetch_counters()
        packed = reader.fetch_packed_counts()
        found: dict[CounterKey, int] = {}
        for sender, counts in packed.items():
            columns = [msgspec.json.decode(column) for column in (counts.tasks, counts.types, counts.totals)]
            rows = list(zip(*columns, strict=True))
            assert rows == sorted(rows)
            found |= {CounterKey(sender, task, kind): n for task, kind, n in rows}
        assert found == counters
        assert reader.fetch_packed_counts(["celery@1", "nobody"]) == {"celery@1": packed["celery@1"]}
        totals = reader.fetch_event_totals()
        assert totals["celery@0"] == {
            "task-received": 8, "task-started": 4, "task-succeeded": 4, "worker-heartbeat": 5,
        }  # fmt: skip
        assert reader.fetch_event_totals(["celery@0"]) == {"celery@0": totals["celery@0"]}
        runtimes = reader.fetch_runtimes()
        assert list(unpack(runtimes)) == sorted((f"celery@{n % 3}", f"shop.{n % 2}") for n in range(6))
        assert reader.fetch_runtimes(["celery@2", "nobody"]) == {"celery@2": runtimes["celery@2"]}
        assert reader.fetch_state_totals() == {"SUCCESS": 12, "RECEIVED": 12}
        assert reader.fetch_running_totals() == {}
        teller.tell(succeeded("run", worker="celery@1")[:2])
        assert reader.fetch_running_totals() == {"celery@1": 1}
