"""nginx in front of a server, and Prometheus that scrapes one. Used by the tests of those how-tos."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.servers.process import Server, free_port, port_answers
from tests.servers.request import Answer, send_request

NGINX_CONFIG = """
daemon off;
master_process off;
error_log stderr warn;
pid {folder}/nginx.pid;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
{locations}
  }}
}}
"""


class NginxServer(Server):
    """nginx with one virtual server.

    Args:
        locations: The directives of its `server` block, such as `location / { proxy_pass …; }`.
    """

    name = "nginx"
    programs = ("nginx",)

    def __init__(self, locations: str, *, folder: Path | None = None) -> None:
        super().__init__(folder=folder)
        self.locations = locations
        self.port = free_port()

    @property
    def url(self) -> str:
        """The address, without a slash at its end."""
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str = "/", **options: Any) -> Answer:
        """Send a GET; options as in `send_request`."""
        return send_request(self.url + path, **options)

    def command(self) -> Sequence[str]:
        """Return nginx with its settings."""
        file = self.folder / "nginx.conf"
        file.write_text(NGINX_CONFIG.format(folder=self.folder, port=self.port, locations=self.locations))
        return [self.program, "-c", str(file), "-p", str(self.folder), "-e", "stderr"]

    def is_ready(self) -> bool:
        """Tell whether it accepts connections."""
        return port_answers(self.port)


class PrometheusServer(Server):
    """Prometheus that scrapes `targets` (`host:port`) every `interval` seconds."""

    name = "prometheus"
    programs = ("prometheus",)

    def __init__(
        self,
        targets: Sequence[str],
        *,
        metrics_path: str = "/metrics",
        interval: float = 1.0,
        rules: str = "",
        folder: Path | None = None,
    ) -> None:
        super().__init__(folder=folder)
        self.port = free_port()
        self.targets = list(targets)
        self.metrics_path = metrics_path
        self.interval = interval
        self.rules = rules

    @property
    def url(self) -> str:
        """The address, without a slash at its end."""
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> Sequence[str]:
        """Return prometheus with its settings (JSON is YAML)."""
        job = {
            "job_name": "umbel",
            "metrics_path": self.metrics_path,
            "static_configs": [{"targets": self.targets}],
        }
        seconds = f"{round(self.interval * 1000)}ms"
        settings: dict[str, object] = {
            "global": {"scrape_interval": seconds, "scrape_timeout": seconds, "evaluation_interval": seconds},
            "scrape_configs": [job],
        }
        if self.rules:
            (self.folder / "rules.yml").write_text(self.rules)
            settings["rule_files"] = ["rules.yml"]
        file = self.folder / "prometheus.yml"
        file.write_text(json.dumps(settings))
        listen = f"--web.listen-address=127.0.0.1:{self.port}"
        return [self.program, f"--config.file={file}", f"--storage.tsdb.path={self.folder}/data", listen]

    def is_ready(self) -> bool:
        """Tell whether it serves queries."""
        return send_request(f"{self.url}/-/ready").status == 200

    def query(self, expression: str) -> list[Any]:
        """Return the result vector of an instant PromQL query."""
        answer = send_request(f"{self.url}/api/v1/query?query={quote(expression)}")
        assert answer.status == 200, answer.text
        result: list[Any] = answer.json()["data"]["result"]
        return result
