"""Redis and RabbitMQ of a test's own: passwords, TLS, sockets, virtual hosts, freezing and restarts.

Leaves workers to `cluster.py`. Used through the fixtures of `conftest.py` or directly.
"""

import secrets
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

import amqp
import redis
import trustme

from tests.servers.process import Server, find_program, free_port
from tests.servers.request import Answer, send_request

#: Debian's wrapper in sbin changes to the system's user and folders; the real script is here.
DEBIAN_SCRIPT = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


class RedisServer(Server):
    """A Redis (or Valkey) server.

    Args:
        password: Asked from every client when given.
        tls: Speak TLS only, with a certificate of the server's own authority (`ca_file`).
        unixsocket: Listen on a socket file and on no port.
        config: More settings by their names in redis.conf.
        appendonly: Keep the data over a restart; otherwise a restart loses it.
    """

    name = "redis"
    programs = ("redis-server", "valkey-server")

    def __init__(
        self,
        *,
        password: str | None = None,
        tls: bool = False,
        unixsocket: bool = False,
        config: Mapping[str, str] | None = None,
        appendonly: bool = False,
        folder: Path | None = None,
    ) -> None:
        super().__init__(folder=folder)
        self.password = password
        self.tls = tls
        self.socket_file = self.folder / "redis.sock" if unixsocket else None
        self.port = 0 if unixsocket else free_port()
        self.ca_file = self.folder / "ca.pem"
        if tls:
            authority = trustme.CA()
            authority.cert_pem.write_to_path(str(self.ca_file))
            certificate = authority.issue_cert("127.0.0.1", "localhost")
            certificate.private_key_and_cert_chain_pem.write_to_path(str(self.folder / "server.pem"))
        self.config = {"save": "", "appendonly": "yes" if appendonly else "no", "databases": "1024"}
        self.config |= dict(config or {})

    def command(self) -> Sequence[str]:
        """Return redis-server with its settings; the password goes by a file, as it should."""
        empty = '""'
        lines = [f"{key} {value or empty}" for key, value in self.config.items()]
        lines += [f"dir {self.folder}", "bind 127.0.0.1"]
        if self.tls:
            lines += ["port 0", f"tls-port {self.port}", "tls-auth-clients no"]
            lines += [f"tls-{kind}-file {self.folder}/server.pem" for kind in ("cert", "key")]
            lines.append(f"tls-ca-cert-file {self.ca_file}")
        else:
            lines.append(f"port {self.port}")
        if self.socket_file is not None:
            lines.append(f"unixsocket {self.socket_file}")
        if self.password is not None:
            lines.append(f"requirepass {self.password}")
        file = self.folder / "redis.conf"
        file.write_text("\n".join(lines) + "\n")
        return [self.program, str(file)]

    @property
    def url(self) -> str:
        """The broker URL of database 0."""
        return self.url_of(0)

    def url_of(self, database: int, *, password: str | None = None) -> str:
        """Return the broker URL of a database, with the right password unless another is given."""
        password = self.password if password is None else password
        login = "" if password is None else f":{quote(password, safe='')}@"
        if self.socket_file is not None:
            return f"redis+socket://{login}{self.socket_file}?virtual_host={database}"
        if self.tls:
            trust = f"?ssl_cert_reqs=required&ssl_ca_certs={self.ca_file}"
            return f"rediss://{login}127.0.0.1:{self.port}/{database}{trust}"
        return f"redis://{login}127.0.0.1:{self.port}/{database}"

    def client(self, database: int = 0) -> redis.Redis:
        """Return a redis-py client of a database; the caller closes it."""
        if self.socket_file is not None:
            return redis.Redis(unix_socket_path=str(self.socket_file), db=database, password=self.password)
        return redis.Redis.from_url(self.url_of(database))

    def is_ready(self) -> bool:
        """Tell whether it answers PING."""
        with self.client() as client:
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False


class RabbitServer(Server):
    """A RabbitMQ node with its own name, cookie, port mapper and data.

    Args:
        management: Load the management plugin; its API is at `management_url` (user guest).
        config: More settings by their names in rabbitmq.conf.
    """

    name = "rabbitmq"
    programs = ("rabbitmq-server",)
    patience = 60.0

    def __init__(
        self,
        *,
        management: bool = False,
        config: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        super().__init__(folder=folder)
        if DEBIAN_SCRIPT.exists():
            self.program = str(DEBIAN_SCRIPT)
        self.management = management
        self.port, self.distribution_port, self.mapper_port = free_port(), free_port(), free_port()
        self.management_port = free_port() if management else 0
        self.node = f"umbel-{secrets.token_hex(6)}@localhost"
        self.config = dict(config or {})
        self._mapper: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The broker URL of the default virtual host."""
        return self.url_of("/")

    def url_of(self, virtual_host: str) -> str:
        """Return the broker URL of a virtual host."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}/{quote(virtual_host, safe='')}"

    @property
    def management_url(self) -> str:
        """The management API with its login, as Flower's `--broker_api` takes it."""
        assert self.management, "RabbitServer(management=True) has the management API"
        return f"http://guest:guest@127.0.0.1:{self.management_port}/api/"

    def manage(self, method: str, path: str, body: str | None = None) -> Answer:
        """Send a request to the management API; `path` follows `/api/`."""
        return send_request(
            f"http://127.0.0.1:{self.management_port}/api/{path}", method, body=body, auth=("guest", "guest")
        )

    def add_virtual_host(self, name: str) -> str:
        """Make a virtual host that guest may use (needs the management plugin) and return its URL."""
        assert self.manage("PUT", f"vhosts/{name}").status in (201, 204)
        everything = '{"configure":".*","write":".*","read":".*"}'
        assert self.manage("PUT", f"permissions/{name}/guest", everything).status in (201, 204)
        return self.url_of(name)

    def remove_virtual_host(self, name: str) -> None:
        """Delete a virtual host with all its queues and connections."""
        self.manage("DELETE", f"vhosts/{name}")

    def command(self) -> Sequence[str]:
        """Return the server script, after writing its settings."""
        settings = {"listeners.tcp.default": f"127.0.0.1:{self.port}", "loopback_users": "none"}
        settings |= {"log.console": "true", "log.console.level": "warning", "log.file": "false"}
        plugins = ""
        if self.management:
            settings |= {"management.tcp.ip": "127.0.0.1", "management.tcp.port": str(self.management_port)}
            plugins = "rabbitmq_management"
        lines = [f"{key} = {value}" for key, value in (settings | self.config).items()]
        (self.folder / "rabbitmq.conf").write_text("\n".join(lines) + "\n")
        (self.folder / "enabled_plugins").write_text(f"[{plugins}].\n")
        return [self.program]

    def environment(self) -> dict[str, str]:
        """Return the node's places, all in its own folder."""
        return super().environment() | {
            "HOME": str(self.folder),
            "ERL_EPMD_PORT": str(self.mapper_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "absent-env.conf"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "logs"),
            "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_DIST_PORT": str(self.distribution_port),
            # Idle schedulers of Erlang spin for a while, at the cost of all else on a small machine.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none",
            # Makes the script `exec` the Erlang machine, so that signals reach the node itself.
            "RUNNING_UNDER_SYSTEMD": "1",
        }

    def launch(self) -> "RabbitServer":
        """Start the port mapper as our own child (a daemon would outlive us), then the node."""
        if self._mapper is None or self._mapper.poll() is not None:
            self._mapper = subprocess.Popen(
                [find_program("epmd"), "-port", str(self.mapper_port), "-address", "127.0.0.1"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        super().launch()
        return self

    def is_ready(self) -> bool:
        """Tell whether a client can log in, and the management API answers where there is one."""

        try:
            with amqp.Connection(f"127.0.0.1:{self.port}", connect_timeout=2, read_timeout=5):
                pass
        except amqp.AMQPError:
            return False
        return not self.management or self.manage("GET", "overview").status == 200

    def close(self) -> None:
        """End the node and its port mapper; nothing is kept, so nothing is said goodbye to."""
        self.stop(gently=False)
        if self._mapper is not None:
            self._mapper.kill()
            self._mapper.wait()
        super().close()
