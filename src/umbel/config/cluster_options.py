"""The options of the cluster side: broker, TLS, history, privacy, configuration. `table` joins all options."""

from umbel.config import kind
from umbel.config.option import Group, Option, Status

DEFAULT_CONF = "flowerconfig.py"
#: Days that tasks are kept when neither retention nor max_tasks is set, in seconds.
DEFAULT_RETENTION = 30 * 86400.0

CLUSTER = (
    Option(
        name="broker",
        kind=kind.URL,
        default=None,
        group=Group.CLUSTER,
        secret=True,
        default_text="the app's broker_url",
        help="URL of the broker. Also as -b, and before the command, as Celery takes it.",
    ),
    Option(
        name="result_backend",
        kind=kind.URL,
        default=None,
        group=Group.CLUSTER,
        secret=True,
        default_text="the app's result_backend",
        help="URL of the result backend.",
    ),
    Option(
        name="broker_api",
        kind=kind.URL,
        default=None,
        group=Group.CLUSTER,
        flower=True,
        secret=True,
        default_text="port 15672 of the broker's host, with the broker's user",
        help="URL of RabbitMQ's management API, such as http://user:password@host:15672/api/. On Redis the "
        "queues are read from the broker itself; a Redis URL is accepted there.",
    ),
    Option(
        name="broker_transport_options",
        kind=kind.JSON_OBJECT,
        default=None,
        group=Group.CLUSTER,
        default_text="the app's",
        help="Celery's broker_transport_options, laid over the app's: global_keyprefix, master_name, "
        "priority_steps and the like.",
    ),
    Option(
        name="event_exchange",
        kind=kind.TEXT,
        default=None,
        group=Group.CLUSTER,
        default_text="the app's, else celeryev",
        help="Name of the exchange that workers send events to.",
    ),
    Option(
        name="control_exchange",
        kind=kind.TEXT,
        default=None,
        group=Group.CLUSTER,
        default_text="the app's, else celery",
        help="Base name of the exchanges for remote control (Celery appends .pidbox).",
    ),
    Option(
        name="event_queue_expires",
        kind=kind.duration(),
        default=60.0,
        group=Group.CLUSTER,
        unit="s",
        help="How long RabbitMQ keeps Umbel's event queue, and what is in it, while Umbel is away.",
    ),
    Option(
        name="event_queue_bytes",
        kind=kind.size(),
        default=512_000_000,
        group=Group.CLUSTER,
        default_text="512MB",
        help="Most that Umbel's event queue may hold in RabbitMQ; the oldest events go first.",
    ),
    Option(
        name="enable_events",
        kind=kind.BOOLEAN,
        default=True,
        group=Group.CLUSTER,
        flower=True,
        help="Tell all workers again and again to send events, for those started without -E.",
    ),
    Option(
        name="inspect_timeout",
        kind=kind.number(1, 600_000),
        default=1000.0,
        group=Group.CLUSTER,
        flower=True,
        unit="ms",
        help="How long to wait for workers to answer, in milliseconds.",
    ),
    Option(
        name="timezone",
        kind=kind.ZONE,
        default=None,
        group=Group.CLUSTER,
        default_text="the app's, else UTC",
        help="Time zone that pages show times in.",
    ),
    Option(
        name="accept_content",
        kind=kind.choice("json", "pickle", "yaml"),
        default=("json",),
        group=Group.CLUSTER,
        multi=True,
        help="Serializers of events that are read. pickle runs code that comes in with a message: only "
        "where everybody who can reach the broker is trusted.",
    ),
    Option(
        name="buffer_bytes",
        kind=kind.size(),
        default=32_000_000,
        group=Group.CLUSTER,
        default_text="32MB",
        help="Most that is held in memory between receiving and storing events. What is beyond it RabbitMQ keeps; "
        "from other brokers it goes to disk.",
    ),
    Option(
        name="spool_bytes",
        kind=kind.size(),
        default=1_000_000_000,
        group=Group.CLUSTER,
        default_text="1GB",
        help="Most that is held on disk, beside the history, in a burst that buffer_bytes has no room for. Beyond it "
        "events are dropped, counted, and the interval is listed as a gap.",
    ),
)

TLS = (
    Option(
        name="broker_use_ssl",
        kind=kind.TLS,
        default=None,
        group=Group.TLS,
        default_text="the app's",
        help="Speak TLS to the broker. In a config file also a dict, passed on as Celery's broker_use_ssl.",
    ),
    Option(
        name="broker_ca_certs",
        kind=kind.PATH,
        default=None,
        group=Group.TLS,
        default_text="the system's",
        help="Certificate authorities (PEM) that the broker's certificate is checked against. Turns TLS on.",
    ),
    Option(
        name="broker_certfile",
        kind=kind.PATH,
        default=None,
        group=Group.TLS,
        help="Client certificate (PEM) shown to the broker. Turns TLS on.",
    ),
    Option(
        name="broker_keyfile",
        kind=kind.PATH,
        default=None,
        group=Group.TLS,
        help="Private key (PEM) of broker_certfile.",
    ),
    Option(
        name="broker_ssl_verify",
        kind=kind.BOOLEAN,
        default=True,
        group=Group.TLS,
        help="Check the broker's certificate when TLS is set up by these options. false turns TLS on "
        "unchecked: anybody on the way can listen.",
    ),
    Option(
        name="broker_api_ca_certs",
        kind=kind.PATH,
        default=None,
        group=Group.TLS,
        default_text="as the broker's, else the system's",
        help="Certificate authorities (PEM) that the certificate of an https broker_api is checked against.",
    ),
    Option(
        name="broker_api_certfile",
        kind=kind.PATH,
        default=None,
        group=Group.TLS,
        default_text="as the broker's",
        help="Client certificate (PEM) shown to an https broker_api.",
    ),
    Option(
        name="broker_api_keyfile",
        kind=kind.PATH,
        default=None,
        group=Group.TLS,
        help="Private key (PEM) of broker_api_certfile.",
    ),
    Option(
        name="broker_api_ssl_verify",
        kind=kind.BOOLEAN,
        default=None,
        group=Group.TLS,
        default_text="as the broker's",
        help="Check the certificate of an https broker_api. false accepts any, also a self-signed one: anybody on the "
        "way can listen.",
    ),
)

HISTORY = (
    Option(
        name="db",
        kind=kind.PATH,
        default=None,
        group=Group.HISTORY,
        flower=True,
        default_text="one file per broker in data_dir",
        help="Path or URL of the history. A file there that is not Umbel's is left alone, and the history "
        "goes beside it, with .umbel.sqlite3 appended. Flower's default name, flower, means the same as not "
        "setting it.",
    ),
    Option(
        name="data_dir",
        kind=kind.PATH,
        default=None,
        group=Group.HISTORY,
        variables=("STATE_DIRECTORY", "FLOWER_DATA_DIR"),
        default_text="the user's state folder",
        help="Folder for the history when db is not set.",
    ),
    Option(
        name="persistent",
        kind=kind.BOOLEAN,
        default=True,
        group=Group.HISTORY,
        flower=True,
        help="Keep the history over restarts. false uses a temporary one that is removed at exit. (Flower's "
        "default is false.)",
    ),
    Option(
        name="retention",
        kind=kind.duration(unlimited=True),
        default=None,
        group=Group.HISTORY,
        default_text="30d; none when max_tasks is set",
        help="How long finished tasks are kept. Waiting and running tasks are never removed.",
    ),
    Option(
        name="max_bytes",
        kind=kind.size(unlimited=True),
        default=10_000_000_000,
        group=Group.HISTORY,
        default_text="10GB",
        help="Most disk space the history may take; the oldest finished tasks go first.",
    ),
    Option(
        name="max_tasks",
        kind=kind.integer(1),
        default=None,
        group=Group.HISTORY,
        flower=True,
        default_text="no limit",
        help="Most tasks to keep; the oldest finished ones go first. (Flower's default is 100000, in "
        "memory.)",
    ),
    Option(
        name="max_workers",
        kind=kind.integer(1),
        default=5000,
        group=Group.HISTORY,
        flower=True,
        help="Most workers to list; those that were lost or stopped longest ago go first.",
    ),
    Option(
        name="worker_grace",
        kind=kind.duration(),
        default=3600.0,
        group=Group.HISTORY,
        default_text="1h",
        help="How long a lost or stopped worker stays in lists and metrics. Its tasks stay in the history.",
    ),
    Option(
        name="stalled_after",
        kind=kind.duration(least=1),
        default=60.0,
        group=Group.HISTORY,
        default_text="1m",
        help="A worker is called stalled within this time after messages began to wait in its queue, when it starts "
        "none though it could run more. Half of the time or more is watched before it is called so.",
    ),
    Option(
        name="purge_offline_workers",
        kind=kind.integer(0),
        default=None,
        group=Group.HISTORY,
        flower=True,
        unit="s",
        default_text="worker_grace decides",
        help="Hide workers that are offline for longer than this many seconds; 0 hides them at once.",
    ),
    Option(
        name="search_index",
        kind=kind.BOOLEAN,
        default=True,
        group=Group.HISTORY,
        help="Keep an index of arguments and results beside the history, so that searches take as long in millions of "
        "tasks as in thousands. false removes it: searches then read every task.",
    ),
    Option(
        name="state_save_interval",
        kind=kind.integer(0),
        default=0,
        group=Group.HISTORY,
        flower=True,
        unit="ms",
        status=Status.OBSOLETE,
        help="Nothing to set: the history is written all the time.",
    ),
)

PRIVACY = (
    Option(
        name="redact",
        kind=kind.BOOLEAN,
        default=True,
        group=Group.PRIVACY,
        help="Blank out the values of passwords, tokens and the like in arguments, results and tracebacks "
        "before they are stored.",
    ),
    Option(
        name="redact_patterns",
        kind=kind.PATTERN,
        default=(),
        group=Group.PRIVACY,
        multi=True,
        help="Further names whose values are blanked out, as regular expressions, separated by commas "
        "(write \\, for a comma inside one), such as iban,customer_.*.",
    ),
    Option(
        name="max_text",
        kind=kind.size(),
        default=65536,
        group=Group.PRIVACY,
        default_text="64KiB",
        help="Most that is kept of each text of a task (arguments, result, exception, traceback); longer "
        "ones are cut and marked.",
    ),
    Option(
        name="format_task",
        kind=kind.FUNCTION,
        default=None,
        group=Group.PRIVACY,
        flower=True,
        help="Function in a config file that gets a copy of each task a page shows and returns it changed. "
        "For looks, not for secrets: the API and search see the original.",
    ),
)

CONFIG = (
    Option(
        name="conf",
        kind=kind.PATH,
        default=DEFAULT_CONF,
        group=Group.CONFIG,
        flower=True,
        default_text="flowerconfig.py, then umbelconfig.py, where they exist",
        help="Config file, executed as Python. Names in it that equal an option set that option.",
    ),
    Option(
        name="inspect",
        kind=kind.BOOLEAN,
        default=True,
        group=Group.CONFIG,
        flower=True,
        status=Status.OBSOLETE,
        help="Nothing to set: workers are asked when something needs to know.",
    ),
)
