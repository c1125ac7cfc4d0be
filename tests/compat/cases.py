"""What is asked of both monitors: one line a case. Data only; `compare` has the rules, `cluster` the variants.

`{name}` in a target is the id of that task of `traffic`, `{hour_ago}` … are local times of the monitors.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote

from tests.compat.cluster import GONE, USERS

#: Parts of targets whose answers move.
MOVING = (
    *("json=", "metrics", "api/workers", "api/queues/length"),
    *("api/worker/pool", "api/worker/queue", "api/task/timeout", "api/task/rate-limit"),
)


@dataclass(frozen=True, slots=True)
class Case:
    """One request. `endpoint` and `parameter` are its place in the table of results."""

    endpoint: str
    parameter: str
    target: str
    #: A file of the server's own: there on both sides, with content of its own.
    is_file: bool = False
    variant: str = "open"
    method: str = "GET"
    #: `user:password`, or the whole header after the word `header`.
    credentials: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    form: tuple[tuple[str, str], ...] | None = None
    #: Sent as it is.
    body: str | None = None
    #: What a page must say on both sides.
    text: str = ""

    @property
    def moves(self) -> bool:
        """Whether the answer changes while nobody does anything: heartbeats are counted, workers answer anew, or later
        than within the second that Flower gives them for a command."""
        return any(word in self.target for word in MOVING)

    @property
    def name(self) -> str:
        """How the allow-list and the reports call it."""
        extras = [self.variant] if self.variant != "open" else []
        extras += [f"as {self.credentials}"] if self.credentials is not None else []
        extras += [f"{name}: {value}" for name, value in self.headers]
        extras += (
            ["form " + "&".join(f"{name}={value}" for name, value in self.form)]
            if self.form is not None
            else []
        )
        extras += [f"body {self.body}"] if self.body is not None else []
        return f"{self.method} {self.target}" + (f" [{', '.join(extras)}]" if extras else "")


@dataclass(frozen=True, slots=True)
class Ask:
    """A route with the values of its parameters."""

    endpoint: str
    values: dict[str, tuple[str, ...]] = field(default_factory=dict)


#: Queries of the search grammar: terms, fields, operators, quotes, limits.
SEARCHES = (
    *(
        "",
        " ",
        "compat",
        "COMPAT.ADD",
        "echo",
        "one@compat",
        "SUCCESS",
        "Grüße",
        "花瓶 (",
        '"花瓶 ("',
        "🌷",
        "gRÜSSE",
    ),
    *(
        "name:echo",
        "NAME:Echo",
        "name:compat.add",
        "worker:two@",
        "worker:nobody",
        "result:slept",
        "result:0.03",
    ),
    *(
        "state:SUCCESS",
        "state:success",
        "state:succ",
        "state:RETRY",
        "state:PENDING",
        "state:REVOKED",
        "state:X",
    ),
    *(
        "args:hidden",
        "args:quoted",
        'args:"(2, 3)"',
        'args:"bad \\"input\\""',
        "args:</b>",
        "kwargs:note",
        "kwargs:Zoë",
    ),
    *("kwargs:order=17", "kwargs: order=17", 'kwargs:"order = 17"', "kwargs:order=1", "kwargs:customer=zoë"),
    *(
        "kwargs:flag=true",
        "kwargs:flag=True",
        "kwargs:tags=['a',",
        "kwargs:a=***",
        "kwargs:nothing=1",
        "kwargs:order=",
    ),
    *(
        "add nap",
        "compat AND add",
        "add OR nap",
        "nap OR add state:FAILURE",
        "(nap OR add) worker:two@compat",
    ),
    *(
        "state:FAILURE OR state:RETRY",
        "state:STARTED AND hold",
        '"compat.add"',
        'comp"at.a"dd',
        "compat or add",
        "not",
    ),
    *(
        "stateSUCCESS",
        "foo:bar",
        "uuid:abc",
        "echo echo echo",
        "((((add))))",
        "a\\\\b",
        "&amp;",
        "<b>",
        "'so'",
        "it's",
    ),
    *(
        "{success}",
        "{success} add",
        "kwargs:{success}",
        "name:-foo",
        "%",
        "___",
        "c_mpat",
        "comp%",
        "\\",
        'a"b c"d',
    ),
)
#: One for every error text of the grammar, and for its limits.
BAD_SEARCHES = (
    *("ab", "a", "name:ab", "worker:w1", "result:3", "args:1,", "kwargs:ab", "add ab", "(ab)", "花"),
    *("state:", "name:", "kwargs:", "name: ", 'state:""', "kwargs:=1", "kwargs:=", "add name:"),
    *(
        "NOT add",
        "add NOT nap",
        "-foo",
        "add -foo",
        "--",
        "-",
        "()",
        "add ()",
        "( )",
        "(add",
        "((add)",
        "add (nap",
    ),
    *(
        ")",
        "add)",
        "add) nap",
        "(add))",
        "OR",
        "AND",
        "OR add",
        "AND add",
        "add OR",
        "add AND",
        "add OR OR nap",
    ),
    *(
        "add AND AND nap",
        "add AND OR nap",
        "(OR)",
        "(add OR)",
        '"',
        '"add',
        'name:"add',
        'add "nap',
        '""',
        '"" add',
    ),
    *("args:(1,", "(((((add)))))", "((((((add))))))", "x" * 2048, "x" * 2049, "abc " * 128, "abc " * 129),
    *(
        "add OR " * 64 + "add",
        "(add) " * 42 + "add",
        "(add) " * 43,
        "state:(x)",
        "name:(add)",
        '"a" b',
        'ab"',
    ),
)
SORTS = tuple(sign + column for column in ("name", "state", "received", "started") for sign in ("", "-"))
STATES = (
    "SUCCESS",
    "success",
    "FAILURE",
    "RETRY",
    "STARTED",
    "RECEIVED",
    "PENDING",
    "REVOKED",
    "All",
    "all",
    "X",
    "",
)
TIMES = (
    "{hour_ago}",
    "{in_an_hour}",
    "{now}",
    "2024-02-30 10:00",
    "yesterday",
    "2026-01-01",
    "",
    "1700000000",
)
KINDS = (
    *(
        "success",
        "failure",
        "retried",
        "exhausted",
        "none",
        "soft_limit",
        "hard_limit",
        "rejected",
        "ignored",
        "unsent",
    ),
    *(
        "unicode",
        "pairs",
        "markup",
        "long",
        "printed",
        "parent",
        "child0",
        "child1",
        "chain",
        "group1",
        "chord",
        "bulk3",
    ),
    *(
        "unregistered",
        "orphan",
        "expired",
        "revoked",
        "progress",
        "waiting",
        "eta",
        "countdown",
        "held",
        "terminated",
    ),
)

ASKS = (
    Ask(
        "/api/tasks",
        {
            "limit": ("3", "1", "0", "-1", "100000", "abc", "", "1.5", " 4 ", "1e2", "٣"),
            "offset": ("0", "5", "61", "1000", "-3", "abc", "", "2.0"),
            "limit&offset": ("limit=5&offset=5", "offset=60&limit=5", "limit=2&limit=4", "limit=2&offset=-1"),
            "sort_by": (*SORTS, "runtime", "uuid", "", "--name", "NAME", "received,name"),
            "sort_by&limit": tuple(f"sort_by={order}&limit=7&offset=3" for order in SORTS),
            "workername": ("one@compat", "two@compat", "TWO@compat", "two", "nobody@compat", "All", ""),
            "taskname": ("compat.add", "COMPAT.ADD", "compat", "compat.unknown", "nosuch", "All", ""),
            "state": STATES,
            "received_start": TIMES,
            "received_end": TIMES,
            "received_start&received_end": ("received_start={hour_ago}&received_end={in_an_hour}",),
            "search": SEARCHES,
            "search (error)": BAD_SEARCHES,
            "together": (
                "state=SUCCESS&taskname=compat.add&workername=one@compat&sort_by=-received&limit=3",
                "search=slept&state=SUCCESS&sort_by=name&limit=5&offset=2",
                "search=ab&limit=x",
                "limit=x&sort_by=y",
                "sort_by=y&received_start=z",
                "state=FAILURE&unknown=1",
            ),
        },
    ),
    Ask(
        "/api/workers",
        {
            "status": ("1", "true", "0", "maybe", "", "yes"),
            "workername": ("one@compat", "two%40compat", "nobody@compat", "ONE@compat", ""),
            "refresh": ("1", "0", "true", "", "maybe"),
            "together": (
                "refresh=1&workername=one@compat",
                "refresh=1&workername=nobody@compat",
                "status=1&workername=one@compat",
                "status=1&workername=nobody@compat",
                "status=1&refresh=1",
            ),
        },
    ),
    Ask("/workers", {"json": ("1", "true"), "json&refresh": ("json=1&refresh=1",)}),
    Ask("/api/task/types"),
    Ask("/api/queues/length"),
)
#: Columns of the tasks table that can be asked to sort, some that cannot.
COLUMNS = (
    *(
        "name",
        "uuid",
        "state",
        "args",
        "kwargs",
        "result",
        "received",
        "started",
        "runtime",
        "worker",
        "exchange",
    ),
    *("routing_key", "retries", "revoked", "exception", "expires", "eta", "timestamp", "nonsense"),
)


def walk_cases() -> Iterator[Case]:
    """Yield every case; first one that refreshes inspection data, so that both caches are young and full."""
    yield Case("/api/workers", "refresh", "/api/workers?refresh=1")
    for ask in ASKS:
        yield Case(ask.endpoint, "none", ask.endpoint)
        for parameter, values in ask.values.items():
            for value in values:
                yield Case(ask.endpoint, parameter, f"{ask.endpoint}?{write_query(parameter, value)}")
    yield from walk_details()
    yield from walk_table()
    yield from walk_plain()
    yield from walk_methods()
    yield from walk_gates()


def list_cases() -> list[Case]:
    """Return every case once, by its name, in the order in which they are asked."""
    cases: dict[str, Case] = {}
    for case in walk_cases():
        cases.setdefault(case.name, case)
    return list(cases.values())


def write_query(parameter: str, value: str) -> str:
    """Return the query string for one value; of a mixture of parameters the value is the whole string."""
    if parameter == "together" or "&" in parameter:
        return value.replace(" ", "%20")
    encoded = quote(value, safe="{}%" if value.startswith("two%40") else "{}")
    return f"{parameter.removesuffix(' (error)')}={encoded}"


def walk_details() -> Iterator[Case]:
    """Yield the endpoints of single tasks, for every kind of task."""
    for kind in KINDS:
        yield Case("/api/task/info/<id>", "id", f"/api/task/info/{{{kind}}}")
        yield Case("/api/task/result/<id>", "id", f"/api/task/result/{{{kind}}}")
    for unknown in ("nosuch", "a/b", "%27quoted%27", "%3Cb%3E", "花"):
        target = quote(unknown, safe="/%")
        yield Case("/api/task/info/<id>", "unknown id", f"/api/task/info/{target}")
        yield Case("/api/task/result/<id>", "unknown id", f"/api/task/result/{target}")
    for timeout in ("1", "0", "0.5", "abc", "", "-1", "inf", "nan"):
        yield Case("/api/task/result/<id>", "timeout", f"/api/task/result/{{success}}?timeout={timeout}")
    for timeout in ("0.3", "0"):
        yield Case("/api/task/result/<id>", "timeout", f"/api/task/result/{{held}}?timeout={timeout}")
        yield Case("/api/task/result/<id>", "timeout", f"/api/task/result/{{failure}}?timeout={timeout}")


def walk_table() -> Iterator[Case]:
    """Yield the server side of the tasks table, by GET and by POST."""
    for column in COLUMNS:
        for direction in ("asc", "desc"):
            yield from table_cases("order", column=column, direction=direction)
    for direction in ("", "DESC", "sideways"):
        yield from table_cases("order", direction=direction)
    for start, length in (
        ("0", "5"),
        ("10", "7"),
        ("60", "10"),
        ("500", "10"),
        ("0", "-1"),
        ("0", "0"),
        ("-1", "5"),
    ):
        yield from table_cases("start, length", start=start, length=length)
    for start, length in (("x", "5"), ("0", "x"), ("", "5"), ("0", ""), ("1.5", "2")):
        yield from table_cases("start, length", start=start, length=length)
    for draw in ("1", "77", "-1", "x", ""):
        yield from table_cases("draw", draw=draw)
    for query in SEARCHES:
        yield from table_cases("search[value]", search=query)
    for query in BAD_SEARCHES:
        yield from table_cases("search[value] (error)", search=query)
    whole = write_form()
    for left_out in (name for name, _ in whole):
        form = tuple((name, value) for name, value in whole if name != left_out)
        yield Case("/tasks/datatable", f"without {left_out}", "/tasks/datatable", method="POST", form=form)
    yield Case("/tasks/datatable", "none", "/tasks/datatable")
    bad = (("order[0][column]", "9"), ("order[0][column]", "x"), ("columns[0][data]", ""))
    for name, value in bad:
        form = tuple((key, value if key == name else old) for key, old in whole)
        yield Case("/tasks/datatable", name, "/tasks/datatable", method="POST", form=form)
    extra = (*whole, ("order[1][column]", "0"), ("order[1][dir]", "desc"))
    yield Case("/tasks/datatable", "order", "/tasks/datatable", method="POST", form=extra)
    yield Case("/tasks/datatable", "query and form", "/tasks/datatable?draw=5", method="POST", form=whole)


def table_cases(parameter: str, **values: str) -> Iterator[Case]:
    """Yield one request of the table by both methods."""
    form = write_form(**values)
    query = "&".join(f"{quote(name, safe='')}={quote(value, safe='{}')}" for name, value in form)
    yield Case("/tasks/datatable", parameter, f"/tasks/datatable?{query}")
    yield Case("/tasks/datatable", f"{parameter} (POST)", "/tasks/datatable", method="POST", form=form)


def write_form(
    *,
    draw: str = "3",
    start: str = "0",
    length: str = "100",
    search: str = "",
    column: str = "name",
    direction: str = "asc",
) -> tuple[tuple[str, str], ...]:
    """Return what the DataTables library sends for one column to sort by."""
    return (
        ("draw", draw),
        ("start", start),
        ("length", length),
        ("search[value]", search),
        ("order[0][column]", "0"),
        ("order[0][dir]", direction),
        ("columns[0][data]", column),
    )


PAGES = ("/", "/workers", "/worker/one@compat", "/tasks", "/task/{success}", "/broker")
API_READS = (
    "/api/workers?workername=two@compat",
    "/api/tasks?limit=2",
    "/api/task/info/{success}",
    "/api/task/result/{success}",
    "/api/task/types",
    "/api/queues/length",
)
ALWAYS_OPEN = ("/metrics", "/healthcheck", "/favicon.ico", "/robots.txt", "/nosuch", "/login")


def walk_plain() -> Iterator[Case]:
    """Yield pages, metrics, health, files and unknown routes."""
    for page in (*PAGES, "/tasks?state=FAILURE", "/worker/two%40compat", "/workers?json=0", "/logout"):
        yield Case("pages", page, page)
    yield Case("pages", "unknown task", "/task/nosuch", text="Unknown task")
    yield Case("pages", "unknown worker", "/worker/nobody@compat", text="Unknown worker")
    for route in (
        "/nosuch",
        "/api/nosuch",
        "/api",
        "/api/task/info",
        "/task",
        "/worker",
        "/login",
        "/index.html",
    ):
        yield Case("unknown routes", route, route)
    for route in (
        "/workers/",
        "/tasks/",
        "/metrics/",
        "/api/workers/",
        "/api/tasks/",
        "/healthcheck/",
        "/broker/",
        "//",
    ):
        yield Case("trailing slashes", route, route)
    yield Case("/metrics", "none", "/metrics")
    yield Case("/healthcheck", "none", "/healthcheck")
    yield Case("/favicon.ico", "none", "/favicon.ico", is_file=True)
    yield Case("/robots.txt", "none", "/robots.txt", is_file=True)


def walk_methods() -> Iterator[Case]:
    """Yield methods that a route has not, OPTIONS, and conditional requests."""
    routes = (*PAGES, *API_READS, "/metrics", "/healthcheck", "/tasks/datatable", "/nosuch", "/api/nosuch")
    for route in routes:
        yield Case("HEAD", route, route, method="HEAD")
        yield Case("OPTIONS", route, route, method="OPTIONS")
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        for route in (
            "/workers",
            "/task/{success}",
            "/api/workers",
            "/api/tasks",
            "/api/task/info/{success}",
            "/metrics",
        ):
            yield Case("other methods", route, route, method=method)
    for route in ("/api/tasks?limit=2", "/api/task/info/{success}", "/api/task/types", "/api/queues/length"):
        yield Case("If-None-Match", route, route, headers=(("If-None-Match", "{etag}"),))
        yield Case("If-None-Match", route, route, headers=(("If-None-Match", '"other"'),))


#: Credentials for the variant `basic`: right, wrong and malformed ones.
CREDENTIALS = (
    *(USERS[0], USERS[1], "anna:wrong", "anna:pass word", "anna:", ":", "ANNA:s3cret", "anna:s3cret "),
    *(
        "header Bearer abc",
        "header Basic",
        "header Basic ???",
        "header basic YW5uYTpzM2NyZXQ=",
        "header Basic YW5uYQ==",
    ),
)


def walk_gates() -> Iterator[Case]:
    """Yield one request per route for every way to be let in or kept out."""
    for route in API_READS:
        yield Case("closed API", route, route, variant="closed")
        yield Case("closed API", route, route, variant="closed", method="OPTIONS")
        yield Case("read_only", route, route, variant="read_only")
        yield Case("basic auth", "right", route, variant="basic", credentials=USERS[0])
        yield Case("basic auth", "none", route, variant="basic")
        yield Case("basic auth", "OPTIONS", route, variant="basic", method="OPTIONS")
    for route in (*PAGES, *ALWAYS_OPEN):
        for variant in ("closed", "basic", "read_only"):
            yield Case(f"pages, {variant}", "no credentials", route, variant=variant)
        yield Case("pages, basic", "right", route, variant="basic", credentials=USERS[1])
    for credentials in CREDENTIALS:
        for route in ("/api/task/types", "/workers", "/tasks/datatable?draw=1", "/metrics"):
            yield Case("basic auth", "credentials", route, variant="basic", credentials=credentials)
    for route in ("/workers?json=1", "/tasks/datatable?draw=1&start=0&length=1", "/nosuch", "/workers/"):
        yield Case("basic auth", "none", route, variant="basic")
        yield Case("closed API", route, route, variant="closed")
    for route in (*PAGES, *ALWAYS_OPEN, "/workers/", "/api/nosuch"):
        yield Case("url_prefix", "inside", f"/mon/itor{route}", variant="prefix")
        yield Case("url_prefix", "outside", route, variant="prefix")
    for route in API_READS:
        yield Case("url_prefix", "inside", f"/mon/itor{route}", variant="prefix")
        yield Case("url_prefix", "outside", route, variant="prefix")
    for name in GONE:
        yield Case("/api/workers", "workername", f"/api/workers?workername={name}")
        yield Case("pages", f"/worker/{name}", f"/worker/{name}")
        yield Case("/api/tasks", "workername", f"/api/tasks?workername={name}")
    for route in ("/metrics", "/workers?json=1", "/api/workers?status=1"):
        yield Case("purge_offline_workers", route, route, variant="purge")
    for route in ("/mon/itor", "/mon/itors", "/mon", "/mon/", "/MON/itor/", "/mon/itor//workers"):
        yield Case("url_prefix", "edges", route, variant="prefix")
