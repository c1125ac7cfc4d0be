"""Redis behind Sentinels: a master, a replica that takes its place, three watchers, and a user of an access list."""

import secrets
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Self
from urllib.parse import quote

import redis

from tests.servers.brokers import RedisServer
from tests.servers.process import Server, free_port, wait_for

#: Name under which the master is watched, and the user who may use it.
MASTER = "shop"
USER = "ann"
#: Milliseconds after which a master that does not answer is down.
DOWN_AFTER = 2000


class Sentinel(Server):
    """One watcher of the master."""

    name = "sentinel"

    def __init__(self, master: RedisServer, *, quorum: int, password: str) -> None:
        super().__init__()
        self.program = master.program
        self.port = free_port()
        lines = [
            f"port {self.port}",
            "bind 127.0.0.1",
            f"dir {self.folder}",
            f"sentinel monitor {MASTER} 127.0.0.1 {master.port} {quorum}",
            f"sentinel auth-user {MASTER} {USER}",
            f"sentinel auth-pass {MASTER} {password}",
            f"sentinel down-after-milliseconds {MASTER} {DOWN_AFTER}",
            f"sentinel failover-timeout {MASTER} 10000",
        ]
        (self.folder / "sentinel.conf").write_text("\n".join(lines) + "\n")

    def command(self) -> Sequence[str]:
        """Return redis-server as a Sentinel."""
        return [str(self.program), str(self.folder / "sentinel.conf"), "--sentinel"]

    def client(self) -> redis.Redis:
        """Return a client; the caller closes it."""
        return redis.Redis(port=self.port, decode_responses=True)

    def is_ready(self) -> bool:
        """Tell whether it answers PING."""
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False


class SentinelCluster:
    """Master, replica and three Sentinels, ready when all of them know each other."""

    def __init__(self) -> None:
        self.password = secrets.token_hex(4) + "@:"
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        config = {"user": f"{USER} on >{self.password} ~* &* +@all"}
        config |= {"masteruser": USER, "masterauth": self.password, "protected-mode": "no"}
        with ExitStack() as stack:
            self.master = stack.enter_context(RedisServer(config=config))
            replicaof = {"replicaof": f"127.0.0.1 {self.master.port}"}
            self.replica = stack.enter_context(RedisServer(config=config | replicaof))
            self.sentinels = [
                stack.enter_context(Sentinel(self.master, quorum=2, password=self.password)) for _ in range(3)
            ]
            wait_for(self._is_whole, 30.0)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _is_whole(self) -> bool:
        for sentinel in self.sentinels:
            with sentinel.client() as client:
                known = client.sentinel_master(MASTER)
            if (int(known["num-other-sentinels"]), int(known["num-slaves"])) != (2, 1):
                return False
        with self.replica.client() as client:
            return bool(client.info("replication")["master_link_status"] == "up")

    @property
    def url(self) -> str:
        """The broker URL: all Sentinels, with the user of the master."""
        login = f"{USER}:{quote(self.password, safe='')}@"
        return ";".join(f"sentinel://{login}127.0.0.1:{sentinel.port}/0" for sentinel in self.sentinels)
