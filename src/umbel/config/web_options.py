"""The options of the web side: server, access, pages and metrics, logging. `table` joins all options."""

import math

from umbel.config import kind
from umbel.config.option import Group, Option, Status

#: Flower's columns of the tasks page, in their natural order.
TASK_COLUMNS = (
    "name", "uuid", "state", "args", "kwargs", "result", "received", "started", "runtime", "worker",
    "exchange", "routing_key", "retries", "revoked", "exception", "expires", "eta",
)  # fmt: skip
DEFAULT_COLUMNS = ("name", "uuid", "state", "received", "runtime", "worker")
#: The Prometheus client's own default bounds, seconds.
DEFAULT_BUCKETS = (
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, math.inf,
)  # fmt: skip

WEB = (
    Option(
        name="address",
        kind=kind.text("HOST"),
        default="",
        group=Group.WEB,
        flower=True,
        default_text="all interfaces",
        help="Address or host name to listen on. A name that stands for several addresses, such as "
        "localhost, is bound on all of them.",
    ),
    Option(
        name="port",
        kind=kind.integer(0, 65535),
        default=5555,
        group=Group.WEB,
        flower=True,
        help="TCP port to listen on. 0 takes any free port, which is printed at start.",
    ),
    Option(
        name="unix_socket",
        kind=kind.PATH,
        default="",
        group=Group.WEB,
        flower=True,
        help="Listen on this Unix socket instead of TCP. TLS and xheaders do not apply to it.",
    ),
    Option(
        name="url_prefix",
        kind=kind.TEXT,
        default="",
        group=Group.WEB,
        flower=True,
        help="Serve everything below this path, for a reverse proxy that keeps the prefix.",
    ),
    Option(
        name="xheaders",
        kind=kind.BOOLEAN,
        default=False,
        group=Group.WEB,
        flower=True,
        help="Trust X-Real-Ip, X-Forwarded-For, X-Scheme and X-Forwarded-Proto. Only behind a proxy that "
        "sets them itself.",
    ),
    Option(
        name="certfile",
        kind=kind.PATH,
        default=None,
        group=Group.WEB,
        flower=True,
        help="Certificate (PEM) to serve HTTPS with. Needs keyfile.",
    ),
    Option(
        name="keyfile",
        kind=kind.PATH,
        default=None,
        group=Group.WEB,
        flower=True,
        help="Private key (PEM) of certfile.",
    ),
    Option(
        name="ca_certs",
        kind=kind.PATH,
        default=None,
        group=Group.WEB,
        flower=True,
        help="Certificate authorities (PEM) handed to the HTTPS server beside certfile and keyfile.",
    ),
    Option(
        name="debug",
        kind=kind.BOOLEAN,
        default=False,
        group=Group.WEB,
        flower=True,
        help="Log at debug level (unless logging says otherwise) and log every request.",
    ),
)

ACCESS = (
    Option(
        name="basic_auth",
        kind=kind.CREDENTIALS,
        default=(),
        group=Group.ACCESS,
        flower=True,
        multi=True,
        secret=True,
        help="Who may log in with HTTP basic authentication. A password that holds a comma can only be "
        "given as a list in the config file.",
    ),
    Option(
        name="read_only",
        kind=kind.BOOLEAN,
        default=False,
        group=Group.ACCESS,
        flower=True,
        help="Refuse everything that would change a worker or a task.",
    ),
    Option(
        name="auth",
        kind=kind.TEXT,
        default="",
        group=Group.ACCESS,
        flower=True,
        status=Status.NOT_BUILT,
        help="E-mail pattern of those who may log in with OAuth.",
    ),
    Option(
        name="auth_provider",
        kind=kind.TEXT,
        default=None,
        group=Group.ACCESS,
        flower=True,
        status=Status.NOT_BUILT,
        help="Dotted path of the OAuth login handler.",
    ),
    Option(
        name="oauth2_key",
        kind=kind.TEXT,
        default=None,
        group=Group.ACCESS,
        flower=True,
        secret=True,
        status=Status.NOT_BUILT,
        help="OAuth client id.",
    ),
    Option(
        name="oauth2_secret",
        kind=kind.TEXT,
        default=None,
        group=Group.ACCESS,
        flower=True,
        secret=True,
        status=Status.NOT_BUILT,
        help="OAuth client secret.",
    ),
    Option(
        name="oauth2_redirect_uri",
        kind=kind.URL,
        default=None,
        group=Group.ACCESS,
        flower=True,
        status=Status.NOT_BUILT,
        help="OAuth redirect address.",
    ),
    Option(
        name="cookie_secret",
        kind=kind.TEXT,
        default=None,
        group=Group.ACCESS,
        flower=True,
        secret=True,
        status=Status.NOT_BUILT,
        help="Key that signs the session cookie of OAuth logins.",
    ),
)

PAGES = (
    Option(
        name="auto_refresh",
        kind=kind.BOOLEAN,
        default=True,
        group=Group.PAGES,
        flower=True,
        help="Keep the pages live. Off: they show what was known when they were opened.",
    ),
    Option(
        name="natural_time",
        kind=kind.BOOLEAN,
        default=False,
        group=Group.PAGES,
        flower=True,
        help="Show times relative to now ('5 minutes ago') on the tasks page.",
    ),
    Option(
        name="tasks_columns",
        kind=kind.text("COLUMNS", f"'all' or any of {', '.join(TASK_COLUMNS)}"),
        default=DEFAULT_COLUMNS,
        group=Group.PAGES,
        flower=True,
        multi=True,
        help="Columns of the tasks page, in the order shown, separated by commas. 'all' stands for every "
        f"column: {', '.join(TASK_COLUMNS)}.",
    ),
    Option(
        name="task_runtime_metric_buckets",
        kind=kind.number(),
        default=DEFAULT_BUCKETS,
        group=Group.PAGES,
        flower=True,
        multi=True,
        unit="s",
        help="Upper bounds of the run time histogram in /metrics, ascending, in seconds; inf is added if "
        "missing.",
    ),
    Option(
        name="metrics_max_series",
        kind=kind.integer(1000),
        default=300_000,
        group=Group.PAGES,
        help="Series that /metrics may hold for pairs of worker and task name. Beyond it, the less frequent "
        "task names are summed up as '(other)'.",
    ),
)

LOGGING = (
    Option(
        name="logging",
        kind=kind.choice("debug", "info", "warning", "error", "none"),
        default="info",
        group=Group.LOGGING,
        flower=True,
        help="Least severe level that is logged. none leaves Python's logging as it is.",
    ),
    Option(
        name="log_to_stderr",
        kind=kind.BOOLEAN,
        default=None,
        group=Group.LOGGING,
        flower=True,
        default_text="true unless log_file_prefix is set",
        help="Log to standard error.",
    ),
    Option(
        name="log_file_prefix",
        kind=kind.PATH,
        default=None,
        group=Group.LOGGING,
        flower=True,
        help="Log to this file; rotated files get a suffix.",
    ),
    Option(
        name="log_file_max_size",
        kind=kind.size(),
        default=100_000_000,
        group=Group.LOGGING,
        flower=True,
        unit="bytes",
        help="Size at which the log file is rotated, when log_rotate_mode is size.",
    ),
    Option(
        name="log_file_num_backups",
        kind=kind.integer(0),
        default=10,
        group=Group.LOGGING,
        flower=True,
        help="How many rotated log files are kept.",
    ),
    Option(
        name="log_rotate_mode",
        kind=kind.choice("size", "time"),
        default="size",
        group=Group.LOGGING,
        flower=True,
        help="Rotate the log file by size or by time.",
    ),
    Option(
        name="log_rotate_when",
        kind=kind.choice("s", "m", "h", "d", "midnight", *(f"w{day}" for day in range(7))),
        default="midnight",
        group=Group.LOGGING,
        flower=True,
        help="Unit of log_rotate_interval when log_rotate_mode is time: seconds, minutes, hours, days, "
        "midnight, or a weekday (w0 is Monday).",
    ),
    Option(
        name="log_rotate_interval",
        kind=kind.integer(1),
        default=1,
        group=Group.LOGGING,
        flower=True,
        help="How many of log_rotate_when lie between two rotations.",
    ),
)
