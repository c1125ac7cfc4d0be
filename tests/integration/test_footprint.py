"""Asking workers leaves nothing at the broker, and a pool's limits are known: samples of `make prove`."""

import secrets
from pathlib import Path

from tests.conftest import UmbelFactory, WorkerFactory
from tests.prove.footprint import look_at_rabbitmq, look_at_redis, run_cycles
from tests.prove.pools import meet_pool
from tests.servers import RabbitServer, RedisServer, wait_for


def test_inspections_leave_nothing_on_redis() -> None:
    # a server of its own: on the common one connections of the test before may still be ending
    with RedisServer() as server:
        footprint = run_cycles(server.url_of(0), 20, lambda: look_at_redis(server, 0))
    assert footprint.answers == 20 * 8
    assert footprint.after == footprint.before
    # the look is not blind: an inspection is seen while it goes on
    assert footprint.during["connections"] > footprint.before["connections"]


def test_inspections_leave_nothing_on_rabbitmq(rabbitmq_server: RabbitServer) -> None:
    name = f"test-{secrets.token_hex(4)}"
    url = rabbitmq_server.add_virtual_host(name)
    footprint = run_cycles(url, 20, lambda: look_at_rabbitmq(rabbitmq_server, name))
    rabbitmq_server.remove_virtual_host(name)
    assert footprint.answers == 20 * 8
    assert footprint.after == footprint.before
    assert len(footprint.during["queues"]) == len(footprint.before["queues"]) + 1


def test_what_a_killed_server_left_goes_with_the_next(
    redis_server: RedisServer, redis_url: str, celery_worker: WorkerFactory, umbel_server: UmbelFactory
) -> None:
    worker = celery_worker(redis_url).wait_until_answering()
    database = int(redis_url.rpartition("/")[2])
    key = "_kombu.binding.reply.celery.pidbox"
    with redis_server.client(database) as client:
        server = umbel_server(redis_url, environment={"FLOWER_UNAUTHENTICATED_API": "true"})
        wait_for(lambda: client.scard(key) == 1, 20.0)
        server.kill9()
        assert client.scard(key) == 1
        server.start()
        wait_for(lambda: worker.hostname in server.get("/api/workers").json(), 20.0)
        assert client.scard(key) <= 1
        server.stop()
        assert not client.exists(key)


def test_a_pool_of_threads_is_known_for_what_it_cannot(redis_url: str, tmp_path: Path) -> None:
    met = meet_pool(redis_url, "threads", tmp_path)
    assert met.told["pool_grow"] is met.told["terminate"] is met.told["soft_time_limit"] is False
    assert met.did == {"pool_grow": False, "pool_shrink": False, "pool_restart": False, "autoscale": False}
    assert set(met.v1.values()) == {409}
    assert (met.waiting, met.has_ended) == ("REVOKED", True)
