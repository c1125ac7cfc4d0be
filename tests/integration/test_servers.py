"""The tests' own servers: they start, freeze, thaw, come back and leave nothing behind."""

import os
import signal
from pathlib import Path

import psutil
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.apps.tasks import make_app
from tests.conftest import WorkerFactory
from tests.servers import (
    NginxServer,
    PrometheusServer,
    RabbitServer,
    RedisServer,
    clean_environment,
    wait_for,
)
from tests.servers.process import port_answers


def test_redis_asks_for_its_password_and_forgets_its_data_at_a_restart() -> None:
    with RedisServer(password="p@ss/word") as server:
        assert "p%40ss%2Fword" in server.url
        with server.client() as client:
            client.set("key", "value")
        with redis.Redis(port=server.port) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()
        server.restart()
        with server.client() as client:
            assert client.get("key") is None
        folder = server.folder
    assert not port_answers(server.port)
    assert not folder.exists()


def test_redis_keeps_its_data_over_a_kill_when_told_to() -> None:
    with RedisServer(appendonly=True, config={"appendfsync": "always"}) as server:
        with server.client() as client:
            client.set("key", "value")
        server.kill9()
        assert server.exit_code() == -signal.SIGKILL
        server.start()
        with server.client() as client:
            assert client.get("key") == b"value"


def test_redis_speaks_tls_and_unix_sockets() -> None:
    with RedisServer(tls=True) as server, make_app(server.url).connection_for_read() as connection:
        connection.ensure_connection(max_retries=1)
    with RedisServer(unixsocket=True) as server, make_app(server.url).connection_for_read() as connection:
        connection.ensure_connection(max_retries=1)


def test_a_frozen_redis_accepts_connections_and_answers_only_when_thawed() -> None:
    with RedisServer() as server:
        server.freeze()
        assert port_answers(server.port)
        with (
            redis.Redis(port=server.port, socket_timeout=0.3, retry=Retry(NoBackoff(), 0)) as client,
            pytest.raises(redis.TimeoutError),
        ):
            client.ping()
        server.thaw()
        with redis.Redis(port=server.port, socket_timeout=5) as client:
            assert client.ping()


@pytest.mark.timeout(120)
def test_rabbitmq_leaves_nothing_behind_and_keeps_its_queues_over_a_restart() -> None:
    with RabbitServer() as server:
        processes = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
        app = make_app(server.url)
        with app.connection_for_write() as connection, connection.SimpleQueue("orders") as queue:
            queue.put("an order")
        server.restart()
        with app.connection_for_read() as connection, connection.SimpleQueue("orders") as queue:
            message = queue.get(timeout=5)
            message.ack()
            assert message.payload == "an order"
        folder, mapper_port = server.folder, server.mapper_port
        processes.append(psutil.Process(server.pid))
    assert [process for process in processes if process.is_running()] == []
    assert not port_answers(mapper_port)
    assert not folder.exists()


def test_every_test_has_a_virtual_host_of_its_own(rabbitmq_server: RabbitServer, rabbitmq_url: str) -> None:
    with make_app(rabbitmq_url).connection_for_write() as connection:
        connection.SimpleQueue("orders").close()
    name = rabbitmq_url.rsplit("/", 1)[1]
    assert [queue["name"] for queue in rabbitmq_server.manage("GET", f"queues/{name}").json()] == ["orders"]
    assert rabbitmq_server.manage("GET", "queues/%2F").json() == []


@pytest.mark.parametrize("pool", ["prefork", "threads", "gevent", "solo"])
def test_a_worker_of_every_pool_runs_tasks(redis_url: str, celery_worker: WorkerFactory, pool: str) -> None:
    worker = celery_worker(redis_url, pool=pool, backend=redis_url)
    app = make_app(redis_url, redis_url)
    assert app.send_task("tests.add", (2, 3)).get(timeout=20) == 5
    assert app.control.ping(destination=[worker.hostname], timeout=5, limit=1)
    assert worker.terminate() == 0
    app.close()


@pytest.mark.timeout(120)
def test_a_worker_runs_on_rabbitmq_and_dies_with_its_group(
    rabbitmq_url: str, redis_url: str, celery_worker: WorkerFactory
) -> None:
    worker = celery_worker(rabbitmq_url, backend=redis_url)
    app = make_app(rabbitmq_url, redis_url)
    assert app.send_task("tests.retry", kwargs={"times": 2}).get(timeout=20) == 2
    family = [psutil.Process(worker.pid), *psutil.Process(worker.pid).children(recursive=True)]
    assert len(family) >= 2
    worker.kill9()
    wait_for(lambda: not any(process.is_running() for process in family))
    app.close()


def test_nginx_and_prometheus_serve() -> None:
    with NginxServer('location / { return 200 "here"; }') as nginx:
        assert nginx.get().text == "here"
        with PrometheusServer([f"127.0.0.1:{nginx.port}"]) as prometheus:
            wait_for(lambda: prometheus.query("up"), 15)


def test_a_server_that_cannot_start_tells_why(tmp_path: Path) -> None:
    server = RedisServer(config={"maxmemory": "nonsense"}, folder=tmp_path)
    with pytest.raises(AssertionError, match="maxmemory"):
        server.start()
    assert not server.is_running()


def test_settings_of_the_developer_do_not_reach_programs_under_test(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UMBEL_PORT", "FLOWER_PORT", "CELERY_BROKER_URL", "RABBITMQ_NODENAME"):
        monkeypatch.setenv(name, "1")
        assert os.environ[name] == "1"
        assert name not in clean_environment()
    assert clean_environment({"UMBEL_PORT": "2"})["UMBEL_PORT"] == "2"
