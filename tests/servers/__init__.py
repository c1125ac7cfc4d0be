"""Real servers as child processes: brokers, workers, proxies and Umbel itself, for tests and proofs.

Each listens on free loopback ports, keeps its files in a temporary folder, waits for readiness by a
condition and is a context manager that leaves nothing behind. Fixtures over them are in `conftest.py`.
"""

from tests.servers.brokers import RabbitServer, RedisServer
from tests.servers.cluster import CeleryWorker, UmbelServer
from tests.servers.process import Server, clean_environment, find_program, free_port, wait_for
from tests.servers.proxies import NginxServer, PrometheusServer
from tests.servers.request import Answer, send_request

__all__ = [
    "Answer",
    "CeleryWorker",
    "NginxServer",
    "PrometheusServer",
    "RabbitServer",
    "RedisServer",
    "Server",
    "UmbelServer",
    "clean_environment",
    "find_program",
    "free_port",
    "send_request",
    "wait_for",
]
