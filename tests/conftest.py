"""Fixtures over the real servers of `tests/servers`, and the rules every test runs under.

One Redis and one RabbitMQ per test process, a fresh database or virtual host per test; workers and
monitors from factories that stop what they made. Missing servers skip a test, and fail it in CI.
"""

import inspect
import itertools
import os
import secrets
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from blockbuster import blockbuster_ctx

from tests.servers import CeleryWorker, RabbitServer, RedisServer, UmbelServer, clean_environment
from tests.servers.process import FOREIGN_PREFIXES

# A shell ignores Ctrl-C for what it starts in the background, and all children inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

#: Files that take longest, in that order: begun first, so that no process is left with one of them at the end.
LONGEST_FIRST = (
    "compat/test_compat.py",
    "acceptance/test_durability.py",
    "integration/test_collector_liveness.py",
    "integration/test_silent_workers.py",
    "integration/test_queue_figures.py",
    "contract/test_broker_rabbitmq.py",
    "acceptance/test_liveness.py",
    "acceptance/test_cli_serve.py",
    "acceptance/test_outages.py",
    "integration/test_queues_trouble.py",
    "integration/test_bulk_revoke.py",
    "integration/test_purge.py",
    "acceptance/test_killed_commands.py",
    "ui/test_connection.py",
    "acceptance/test_time_zones.py",
    "integration/test_servers.py",
    "integration/test_collector.py",
    "acceptance/test_bad_input.py",
    "integration/test_inspect_cache.py",
    "integration/test_control.py",
    "integration/test_calls.py",
    "integration/test_stalled_workers.py",
    "integration/test_switchboard.py",
    "integration/test_footprint.py",
    "acceptance/test_second_server.py",
    "acceptance/test_demo.py",
    "ui/test_every_screen.py",
    "ui/test_steering.py",
    "ui/test_live_pages.py",
    "integration/test_source_outages.py",
    "acceptance/test_broken_install.py",
    "acceptance/test_stop.py",
    "integration/test_exit_paths.py",
    "contract/test_broker_redis.py",
    "ui/test_broker_page.py",
)

#: RabbitMQ's management API tells a queue's figures after 2 seconds instead of 5.
PROMPT_FIGURES = {
    "collect_statistics_interval": "1000",
    **{
        f"management.sample_retention_policies.{name}": "1"
        for name in ("global.minute", "basic.minute", "detailed.10")
    },
}

WorkerFactory: TypeAlias = Callable[..., CeleryWorker]
UmbelFactory: TypeAlias = Callable[..., UmbelServer]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; within a file and among the others the order stays."""
    places = {Path(__file__).parent / name: place for place, name in enumerate(LONGEST_FIRST)}
    if missing := [str(path) for path in places if not path.exists()]:
        raise pytest.UsageError(f"LONGEST_FIRST in {__file__} names files that are not there: {missing}")
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture(autouse=True)
def _no_foreign_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the developer's own UMBEL_*, FLOWER_* and CELERY_* variables from code run in the test."""
    for name in set(os.environ) - set(clean_environment()):
        if name.startswith(FOREIGN_PREFIXES) and not name.startswith("PYTEST_"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _no_blocking_calls(request: pytest.FixtureRequest) -> Iterator[None]:
    """Make a call of Umbel's code that blocks the event loop an error in every async test."""
    function = getattr(request.node, "function", None)
    if function is None or not inspect.iscoroutinefunction(inspect.unwrap(function)):
        yield
        return
    with blockbuster_ctx("umbel"):
        yield


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run async tests under asyncio, which uvicorn uses."""
    return "asyncio"


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """The Redis that tests share; freeze, stop or reconfigure one of your own instead."""
    with RedisServer() as server:
        yield server


_DATABASES = itertools.count(1)


@pytest.fixture
def redis_url(redis_server: RedisServer) -> Iterator[str]:
    """URL of a Redis database that is empty and the test's own."""
    database = next(_DATABASES) % 1024
    with redis_server.client(database) as client:
        client.flushdb()
        yield redis_server.url_of(database)
        client.flushdb()


@pytest.fixture(scope="session")
def rabbitmq_server() -> Iterator[RabbitServer]:
    """The RabbitMQ that tests share, with its management API; stop or freeze one of your own instead."""
    with RabbitServer(management=True, config=PROMPT_FIGURES) as server:
        yield server


@pytest.fixture
def rabbitmq_url(rabbitmq_server: RabbitServer) -> Iterator[str]:
    """URL of a RabbitMQ virtual host that is empty and the test's own."""
    name = f"test-{secrets.token_hex(4)}"
    yield rabbitmq_server.add_virtual_host(name)
    rabbitmq_server.remove_virtual_host(name)


@pytest.fixture
def celery_worker() -> Iterator[WorkerFactory]:
    """Return a function that starts a `CeleryWorker` and waits for it; all are killed at the end of the test."""
    with ExitStack() as stack:

        def make(broker: str, **options: Any) -> CeleryWorker:
            worker = stack.enter_context(CeleryWorker(broker, **options))
            stack.callback(
                worker.stop, gently=False
            )  # a farewell takes two seconds, and nobody hears it any more
            return worker

        yield make


@pytest.fixture
def umbel_server() -> Iterator[UmbelFactory]:
    """Return a function that starts an `UmbelServer` and waits for it; all end with the test."""
    with ExitStack() as stack:

        def make(broker: str | None = None, **options: Any) -> UmbelServer:
            return stack.enter_context(UmbelServer(broker, **options))

        yield make
