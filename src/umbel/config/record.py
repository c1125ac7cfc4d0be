"""Config: the settings of one run, frozen, typed, one attribute per option. `load` builds it once."""

from pathlib import Path
from types import FunctionType
from typing import Any

import msgspec

from umbel.config.cluster_options import DEFAULT_CONF, DEFAULT_RETENTION
from umbel.config.web_options import DEFAULT_BUCKETS, DEFAULT_COLUMNS


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Settings as resolved: durations are seconds, sizes bytes, paths absolute, None 'no limit' or 'not set'.

    What an option means to users stands in `table.OPTIONS`; `Config()` is what an empty environment gives.
    """

    # web server
    address: str = ""
    port: int = 5555
    unix_socket: str = ""
    #: Without slashes at its ends.
    url_prefix: str = ""
    xheaders: bool = False
    certfile: str | None = None
    keyfile: str | None = None
    ca_certs: str | None = None
    debug: bool = False
    # access
    basic_auth: tuple[str, ...] = ()
    read_only: bool = False
    # broker and cluster; None leaves the app's own setting in force
    broker: str | None = None
    result_backend: str | None = None
    broker_api: str | None = None
    broker_api_ca_certs: str | None = None
    broker_api_certfile: str | None = None
    broker_api_keyfile: str | None = None
    #: None: as the broker's own settings say.
    broker_api_ssl_verify: bool | None = None
    broker_transport_options: dict[str, Any] | None = None
    event_exchange: str | None = None
    control_exchange: str | None = None
    event_queue_expires: float = 60.0
    event_queue_bytes: int = 512_000_000
    enable_events: bool = True
    #: Seconds (the option is in milliseconds).
    inspect_timeout: float = 1.0
    timezone: str | None = None
    accept_content: tuple[str, ...] = ("json",)
    buffer_bytes: int = 32_000_000
    spool_bytes: int = 1_000_000_000
    # broker TLS
    broker_use_ssl: bool | dict[str, Any] | None = None
    broker_ca_certs: str | None = None
    broker_certfile: str | None = None
    broker_keyfile: str | None = None
    broker_ssl_verify: bool = True
    # history
    #: Absolute path, or a URL; None: one file per broker in `state_folder`.
    db: str | None = None
    data_dir: str | None = None
    persistent: bool = True
    retention: float | None = DEFAULT_RETENTION
    max_bytes: int | None = 10_000_000_000
    max_tasks: int | None = None
    max_workers: int = 5000
    worker_grace: float = 3600.0
    stalled_after: float = 60.0
    purge_offline_workers: int | None = None
    search_index: bool = True
    # privacy
    redact: bool = True
    #: Beside the built-in patterns.
    redact_patterns: tuple[str, ...] = ()
    max_text: int = 65536
    format_task: FunctionType | None = None
    # pages and metrics
    auto_refresh: bool = True
    natural_time: bool = False
    tasks_columns: tuple[str, ...] = DEFAULT_COLUMNS
    #: Seconds, ascending, the last one is inf.
    task_runtime_metric_buckets: tuple[float, ...] = DEFAULT_BUCKETS
    metrics_max_series: int = 300_000
    # logging
    logging: str = "info"
    log_to_stderr: bool | None = None
    log_file_prefix: str | None = None
    log_file_max_size: int = 100_000_000
    log_file_num_backups: int = 10
    log_rotate_mode: str = "size"
    log_rotate_when: str = "midnight"
    log_rotate_interval: int = 1
    # configuration
    conf: str = DEFAULT_CONF
    # resolved beside the options
    #: Absolute paths of the config files that were read, in order.
    config_files: tuple[str, ...] = ()
    #: `celery -q`: no banner.
    quiet: bool = False

    @property
    def state_folder(self) -> Path:
        """Folder for the history when `db` is not set. It may not exist yet."""
        if self.data_dir is not None:
            return Path(self.data_dir)
        from platformdirs import user_state_path

        return user_state_path("umbel", appauthor=False)

    @property
    def scheme(self) -> str:
        """ "https" when a certificate is served, else "http"."""
        return "https" if self.certfile and not self.unix_socket else "http"
