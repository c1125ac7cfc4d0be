"""Proof of life and how far behind we are, from when probes were sent and read."""

import json

from umbel.ingest.proof import Probe, Proof, read_probe


def probe(sent: float) -> Probe:
    return Probe("token", "umbel@x", sent)


def test_a_probe_that_comes_back_at_once_is_proof_without_delay() -> None:
    proof = Proof(100.0, fresh=15.0)
    assert [proof.at, proof.silent_since] == [None, 100.0]
    proof.note_sent(101.0)
    proof.note_read(probe(101.0), 101.2, ours=True)
    assert [proof.at, proof.silent_since] == [101.2, 101.2]
    assert [proof.kind(102.0), proof.behind(106.0)] == ["probe", 0.0]


def test_a_late_probe_tells_how_far_behind_we_are_until_a_newer_one_tells_better() -> None:
    proof = Proof(100.0, fresh=15.0)
    for sent in (100.0, 105.0, 110.0):
        proof.note_sent(sent)
    assert proof.behind(112.0) == 12.0
    proof.note_read(probe(100.0), 130.0, ours=True)
    assert proof.behind(130.0) == 30.0
    assert proof.behind(140.0) == 35.0  # that of 105 is still under way
    proof.note_read(probe(110.0), 141.0, ours=True)
    assert proof.behind(141.0) == 31.0
    proof.note_sent(142.0)
    proof.note_read(probe(142.0), 142.1, ours=True)
    assert proof.behind(142.1) == 0.0


def test_a_probe_of_a_former_process_tells_the_delay_but_is_no_answer_to_ours() -> None:
    proof = Proof(100.0, fresh=15.0)
    proof.note_sent(100.0)
    proof.note_read(probe(60.0), 100.5, ours=False)
    assert proof.at is None
    assert proof.behind(100.5) == 40.5


def test_traffic_counts_while_the_probe_is_late() -> None:
    proof = Proof(100.0, fresh=15.0)
    proof.note_sent(100.0)
    proof.note("traffic", 119.0)
    assert (proof.at, proof.kind(120.0)) == (119.0, "traffic")
    assert proof.behind(120.0) == 20.0
    proof.note_read(probe(100.0), 121.0, ours=True)
    assert proof.kind(122.0) == "probe"
    proof.note("ping", 140.0)
    assert proof.kind(141.0) == "ping"
    assert proof.kind(200.0) == "ping"  # the last there was


def test_a_probe_that_was_not_sent_is_not_waited_for() -> None:
    proof = Proof(100.0, fresh=15.0)
    proof.note_sent(100.0)
    proof.withdraw(100.0)
    assert proof.behind(150.0) == 0.0
    proof.withdraw(100.0)


def test_proof_ahead_of_a_clock_that_was_set_back_counts_as_of_now() -> None:
    proof = Proof(3600.0, fresh=15.0)
    proof.note("traffic", 3610.0)
    proof.note_sent(3611.0)
    proof.set_back(20.0)
    assert [proof.at, proof.silent_since, proof.kind(21.0)] == [20.0, 20.0, "traffic"]
    proof.note_sent(22.0)
    proof.note_read(probe(22.0), 22.1, ours=True)
    assert [proof.at, proof.behind(30.0)] == [22.1, 0.0]
    proof.note_sent(40.0)
    assert proof.behind(50.0) == 10.0, "what was sent ahead of now hides no backlog"
    never = Proof(3600.0, fresh=15.0)
    never.set_back(20.0)
    assert [never.at, never.silent_since] == [None, 20.0]


def test_what_is_not_a_probe_is_none() -> None:
    good = {"type": "umbel-probe", "token": "t", "hostname": "umbel@x", "timestamp": 5.0, "clock": 0}
    assert read_probe(json.dumps(good).encode()) == Probe("t", "umbel@x", 5.0)
    for body in (b"", b"{}", b"[]", b"\xff", b'{"token": 1}', b"[" * 100_000):
        assert read_probe(body) is None
