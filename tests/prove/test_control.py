"""Proof: commands do what is told of them on every kind of pool, and asking leaves nothing at the broker."""

import secrets
from pathlib import Path

import pytest

from tests.prove.figures import table
from tests.prove.footprint import Footprint, look_at_rabbitmq, look_at_redis, run_cycles
from tests.prove.pools import meet_pool
from tests.servers import RabbitServer, RedisServer
from tests.servers.cluster import Pool

pytestmark = pytest.mark.prove

CYCLES = 1_000


@pytest.mark.timeout(300)
@pytest.mark.parametrize("pool", ["prefork", "threads", "solo", "gevent"])
def test_what_is_told_of_a_pool_is_what_it_can(redis_url: str, tmp_path: Path, pool: Pool) -> None:
    met = meet_pool(redis_url, pool, tmp_path)
    print(table(f"{pool}", {
        **{f"{action}: told / done / v1": f"{met.told[action]} / {did} / {met.v1[action]}"
           for action, did in met.did.items()},
        "running task with terminate": met.terminated, "waiting task": met.waiting,
    }))  # fmt: skip
    assert met.has_ended
    for action, did in met.did.items():
        assert met.told[action] is did, action
        assert met.v1[action] == (200 if did else 409), action


@pytest.mark.timeout(900)
def test_a_thousand_inspections_leave_nothing_on_redis(redis_server: RedisServer) -> None:
    database = 1019
    judge(run_cycles(redis_server.url_of(database), CYCLES, lambda: look_at_redis(redis_server, database)))


@pytest.mark.timeout(900)
def test_a_thousand_inspections_leave_nothing_on_rabbitmq(rabbitmq_server: RabbitServer) -> None:
    name = f"test-{secrets.token_hex(4)}"
    url = rabbitmq_server.add_virtual_host(name)
    try:
        judge(run_cycles(url, CYCLES, lambda: look_at_rabbitmq(rabbitmq_server, name)))
    finally:
        rabbitmq_server.remove_virtual_host(name)


def judge(footprint: Footprint) -> None:
    """All was answered, and what is left is what was there."""
    print(table("Asking one worker everything", {
        "cycles": footprint.cycles, "answers": footprint.answers, "seconds": footprint.seconds,
        "connections before / during / after": " / ".join(
            str(traces["connections"]) for traces in (footprint.before, footprint.during, footprint.after)
        ),
        "left behind": "nothing" if footprint.after == footprint.before else "something",
    }))  # fmt: skip
    assert footprint.answers == footprint.cycles * 8
    assert footprint.after == footprint.before
