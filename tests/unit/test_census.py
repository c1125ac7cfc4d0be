"""What a count of subscriptions proves, and what it must not be taken to prove."""

from umbel.ingest.census import Census
from umbel.ingest.source import Presence
from umbel.model.worker import Worker

T0 = 1_790_000_000.0


def worker(name: str, heard: float, *, started: float = -500.0, stopped: float | None = None) -> Worker:
    return Worker(
        hostname=name,
        heard=T0 + heard,
        run_started=T0 + started,
        stopped_at=None if stopped is None else T0 + stopped,
    )


def weigh(
    reached: int, silent: set[str], *workers: Worker, gone: frozenset[str] = frozenset()
) -> Presence | None:
    census = Census()
    census.add(reached, silent, asked=T0)
    told = list(census.weigh(workers, is_gone=lambda w: w.hostname in gone))
    assert not list(census.weigh(workers, is_gone=lambda w: False)) or not told, "told twice"
    return told[0][0] if told else None


def test_silent_workers_are_gone_when_as_many_others_spoke_after_the_count() -> None:
    presence = weigh(2, {"a", "b"}, worker("a", -10), worker("b", -12), worker("c", 2), worker("d", 1.5))
    assert presence is not None
    assert presence.absent == {"a", "b"}


def test_a_worker_that_has_just_died_does_not_make_a_blocked_one_look_gone() -> None:
    blocked, dead, live = worker("blocked", -10), worker("dead", -3), worker("live", 2)
    assert weigh(2, {"blocked"}, blocked, dead, live) is None


def test_a_word_that_may_have_been_under_way_does_not_count() -> None:
    assert weigh(1, {"a"}, worker("a", -10), worker("b", 0.5)) is None


def test_a_worker_started_after_the_count_was_not_in_it() -> None:
    assert weigh(1, {"a"}, worker("a", -10), worker("new", 3, started=2)) is None


def test_silent_workers_are_there_when_nobody_is_missing() -> None:
    presence = weigh(
        3, {"a"}, worker("a", -10), worker("b", -1), worker("c", -2), worker("old", -90, stopped=-90)
    )
    assert presence is not None
    assert presence.present == {"a"}


def test_a_worker_called_lost_without_proof_may_be_the_one_that_was_counted() -> None:
    dead, lost = worker("dead", -10), worker("lost", -40)
    assert weigh(2, {"dead"}, dead, lost, worker("live", -1)) is None
    presence = weigh(2, {"dead"}, dead, lost, worker("live", -1), gone=frozenset({"lost"}))
    assert presence is not None
    assert presence.present == {"dead"}


def test_who_has_spoken_since_is_not_silent_any_more() -> None:
    presence = weigh(1, {"a", "b"}, worker("a", 2), worker("b", -10))
    assert presence is not None
    assert presence.absent == {"b"}
