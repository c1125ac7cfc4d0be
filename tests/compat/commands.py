"""What both monitors are told to do: commands to workers and calls of tasks, one line a case. Data only.

They come after all reads, for they change what those show; a shutdown comes last.
"""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from tests.compat.cases import CREDENTIALS, Case
from tests.compat.cluster import LATE, USERS

ONE, AUTO, NOBODY = "one@compat", LATE, "nobody@compat"

#: Below /api: what needs no particular worker, with all that it needs. Nobody consumes the queue `nobody`.
HARMLESS = (
    ("/api/task/revoke/<id>", "/api/task/revoke/unseen", None),
    ("/api/task/async-apply/<task>", "/api/task/async-apply/compat.add", {"args": [1, 2], "queue": "nobody"}),
    ("/api/task/send-task/<task>", "/api/task/send-task/compat.add", {"args": [1, 2], "queue": "nobody"}),
    ("/api/task/abort/<id>", "/api/task/abort/unseen", None),
)
#: Commands to a worker: endpoint, parameter, arguments.
TOLD = (
    ("/api/worker/pool/restart", "none", (AUTO, ONE, NOBODY), ("",)),
    ("/api/worker/pool/grow", "n", (ONE,), ("", "n=2", "n=1&n=2", "n= 1 ")),
    ("/api/worker/pool/grow", "n (bad)", (ONE,), ("n=x", "n=", "n=1.5", "n=0", "n=-1")),
    ("/api/worker/pool/shrink", "n", (ONE,), ("", "n= 1 ")),
    ("/api/worker/pool/shrink", "n (bad)", (ONE,), ("n=x", "n=", "n=1.5", "n=0", "n=-1")),
    ("/api/worker/pool/grow", "scaled, unknown", (AUTO, NOBODY), ("n=1",)),
    ("/api/worker/pool/shrink", "unknown", (NOBODY,), ("n=1",)),
    ("/api/worker/pool/autoscale", "min&max", (AUTO,), ("min=1&max=3", "min=2&max=2")),
    (
        "/api/worker/pool/autoscale",
        "min&max (bad)",
        (AUTO,),
        ("", "min=1", "max=2", "min=x&max=2", "min=&max=2", "min=1.5&max=2"),
    ),
    ("/api/worker/pool/autoscale", "not scaled, unknown", (ONE, NOBODY), ("min=1&max=3",)),
    (
        "/api/worker/queue/add-consumer",
        "queue",
        (ONE,),
        ("queue=extra", "queue=Gr%C3%BC%C3%9Fe", "queue=a%26b"),
    ),
    ("/api/worker/queue/add-consumer", "queue (bad)", (ONE, NOBODY), ("", "queue=")),
    (
        "/api/worker/queue/cancel-consumer",
        "queue",
        (ONE,),
        ("queue=extra", "queue=Gr%C3%BC%C3%9Fe", "queue=a%26b", "queue=unseen"),
    ),
    ("/api/worker/queue/cancel-consumer", "queue (bad)", (ONE, NOBODY), ("", "queue=")),
)
LIMITS = (
    *(
        "workername={w}&soft=100&hard=200",
        "workername={w}&soft=1.5",
        "workername={w}&hard=100",
        "workername={w}",
    ),
    *(
        "workername={w}&soft=x",
        "workername={w}&hard=",
        "workername={w}&soft=nan",
        "soft=1",
        "workername=",
        "",
    ),
    "workername=nobody@compat&soft=1",
)
RATES = (
    *("workername={w}&ratelimit=200", "workername={w}&ratelimit=11/m", "workername={w}&ratelimit=0.5/s"),
    *("workername={w}&ratelimit=often", "workername={w}&ratelimit=0", "workername={w}", "ratelimit=1"),
    *("workername={w}&ratelimit=", "", "workername=nobody@compat&ratelimit=1"),
)
REVOKES = (
    *("", "terminate=true", "terminate=1&signal=SIGKILL", "terminate=0", "signal=SIGUSR1", "terminate=no"),
    *("terminate=maybe", "terminate=", "signal=KILL", "signal=9", "signal=SIGNONSENSE", "signal="),
)
AWAY: dict[str, Any] = {"queue": "nobody"}
#: Bodies that both calls that do not wait understand.
BODIES: tuple[Any, ...] = (
    *(
        AWAY,
        {"args": [], **AWAY},
        {"args": [1], "kwargs": {"y": 2}, **AWAY},
        {"kwargs": {"x": 1, "y": 2}, **AWAY},
    ),
    *({"args": [1, 2], "countdown": 5, **AWAY}, {"args": [1, 2], "expires": 60, **AWAY}),
    *({"args": [1, 2], "priority": 3, **AWAY}, {"args": [1, 2], "headers": {"a": "b"}, **AWAY}),
    *(
        {"args": [1, 2], "retry": False, "serializer": "json", **AWAY},
        {"args": [1, 2], "exchange": "", **AWAY},
    ),
    *(
        {"args": [1, 2], "time_limit": 5, "soft_time_limit": 4, **AWAY},
        {"args": [1, 2], "shadow": "s", **AWAY},
    ),
)
#: Those that only async-apply reads in Flower.
DATES: tuple[Any, ...] = (
    *({"args": [1, 2], "countdown": "5", **AWAY}, {"args": [1, 2], "expires": "60", **AWAY}),
    *(
        {"args": [1, 2], "eta": "2030-01-01 10:00:00.5", **AWAY},
        {"args": [1, 2], "expires": "2030-01-01 10:00:00.0", **AWAY},
    ),
)
BAD_BODIES: tuple[Any, ...] = (
    *("{", "x", "[]", "1", '"text"', "null", '\ufeff{"args": [1, 2], "queue": "nobody"}'),
    *({"args": 1}, {"args": "ab"}, {"args": {}}, {"args": None}),
)
#: What Flower only finds out inside Celery.
WRONG_TYPES: tuple[Any, ...] = (
    *({"args": [1, 2], "kwargs": [1]}, {"args": [1, 2], "kwargs": "x"}, {"args": [1, 2, 3], **AWAY}),
    *({"args": [1, 2], "countdown": [1]}, {"args": [1, 2], "eta": 5}, {"args": [1, 2], "expires": {}}),
    *(
        {"args": [1, 2], "priority": "x", **AWAY},
        {"args": [1, 2], "headers": 5},
        {"args": [1, 2], "producer": "x"},
    ),
)
BAD_DATES: tuple[Any, ...] = (
    *(
        {"args": [1, 2], "eta": "tomorrow"},
        {"args": [1, 2], "expires": "soon"},
        {"args": [1, 2], "countdown": "x"},
    ),
    {"args": [1, 2], "eta": "2030-01-01", **AWAY},
)
APPLIED: tuple[tuple[str, Any], ...] = (
    ("compat.add", {"args": [2, 3]}),
    ("compat.add", {"kwargs": {"x": 2, "y": 3}}),
    ("compat.noop", None),
    ("compat.noop", {}),
    ("compat.echo", {"args": ["Grüße </b>", 1.5, None, [True]], "kwargs": {"a": {"b": []}}}),
    ("compat.fail", {"args": ["so </b>"]}),
    ("compat.reject", {"timeout": 0.5}),
    ("compat.add", {"args": [2, 3], "timeout": "0.3", **AWAY}),
    ("compat.add", {"args": [2, 3], "timeout": 0.3, "countdown": 60}),
    ("compat.add", {"args": [2, 3], "timeout": "soon"}),
    ("compat.add", {"args": [2, 3], "timeout": [1]}),
    ("compat.nosuch", {}),
)


def walk_commands() -> Iterator[Case]:
    """Yield every case; first the one that makes the late worker known to Flower."""
    yield Case("/api/workers", "refresh", f"/api/workers?refresh=1&workername={AUTO}")
    yield from walk_gates()
    yield from walk_worker_commands()
    yield from walk_task_commands()
    yield from walk_calls()
    yield post("/api/worker/shutdown", "worker", f"/api/worker/shutdown/{NOBODY}")
    yield post("/api/worker/shutdown", "worker", f"/api/worker/shutdown/{AUTO}")


def list_commands() -> list[Case]:
    """Return every case once, by its name, in the order in which they are asked."""
    cases: dict[str, Case] = {}
    for case in walk_commands():
        cases.setdefault(case.name, case)
    return list(cases.values())


def post(endpoint: str, parameter: str, target: str, body: Any = None, **more: Any) -> Case:
    """Return a POST; a body that is no text is sent as JSON."""
    text = body if isinstance(body, str | None) else json.dumps(body)
    return Case(endpoint, parameter, target, method="POST", body=text, **more)


def walk_gates() -> Iterator[Case]:
    """Yield every way to be let in or kept out."""
    worker = [
        (path.rpartition("/")[0] + "/<worker>", path, None) for path in (f"/api/worker/shutdown/{ONE}",)
    ]
    for endpoint, path, body in (*HARMLESS, *worker):
        yield post(endpoint, "closed API", path, body, variant="closed")
        yield post(endpoint, "read_only", path, body, variant="read_only")
        yield post(endpoint, "basic auth, none", path, body, variant="basic")
        for method in ("GET", "OPTIONS", "PUT", "DELETE", "HEAD"):
            yield Case(endpoint, "methods", path, method=method)
        yield Case(endpoint, "OPTIONS, closed", path, method="OPTIONS", variant="closed")
        yield Case(endpoint, "OPTIONS, basic", path, method="OPTIONS", variant="basic")
    for endpoint, path, body in HARMLESS:
        yield post(endpoint, "basic auth", path, body, variant="basic", credentials=USERS[0])
        yield post(endpoint, "url_prefix", f"/mon/itor{path}", body, variant="prefix")
        for name, value in (
            *(("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Site", "same-site"), ("Sec-Fetch-Site", "none")),
            *(("Sec-Fetch-Site", "same-origin"), ("Origin", "https://evil.example"), ("Origin", "null")),
        ):
            headers = ((name, value),)
            yield post(endpoint, name, path, body, variant="basic", credentials=USERS[0], headers=headers)
            yield post(endpoint, name, path, body, headers=headers)
        yield post(
            endpoint, "Origin", path, body, variant="basic", headers=(("Origin", "https://evil.example"),)
        )
    for credentials in CREDENTIALS:
        path = "/api/task/revoke/unseen"
        yield post("/api/task/revoke/<id>", "credentials", path, variant="basic", credentials=credentials)


def walk_worker_commands() -> Iterator[Case]:
    for endpoint, parameter, workers, queries in TOLD:
        for worker in workers:
            for query in queries:
                target = f"{endpoint}/{worker}" + (f"?{query.replace(' ', '%20')}" if query else "")
                yield post(endpoint, parameter, target)
    form = (("queue", "extra"),)
    for verb in ("add", "cancel"):
        endpoint = f"/api/worker/queue/{verb}-consumer"
        yield Case(endpoint, "form", f"{endpoint}/{ONE}?queue=other", method="POST", form=form)
    yield post("/api/worker/pool/grow", "worker", f"/api/worker/pool/grow/{quote(ONE, safe='')}")
    yield post("/api/worker/pool/shrink", "worker", f"/api/worker/pool/shrink/{quote(ONE, safe='')}")


def walk_task_commands() -> Iterator[Case]:
    for query in LIMITS:
        target = f"/api/task/timeout/compat.nap?{query.format(w=ONE)}"
        yield post("/api/task/timeout/<task>", "all", target)
    for query in RATES:
        target = f"/api/task/rate-limit/compat.nap?{query.format(w=ONE)}"
        yield post("/api/task/rate-limit/<task>", "all", target)
    for kind, query in (("timeout", "soft=1"), ("rate-limit", "ratelimit=1")):
        target = f"/api/task/{kind}/compat.nosuch?workername={ONE}&{query}"
        yield post(f"/api/task/{kind}/<task>", "unknown task", target)
    for query in REVOKES:
        yield post("/api/task/revoke/<id>", "all", f"/api/task/revoke/unseen?{query}".rstrip("?"))
    for name in ("a/b", "%27quoted%27", "%3Cb%3E", "{success}", "{countdown}"):
        yield post("/api/task/revoke/<id>", "id", f"/api/task/revoke/{name}")
    for name in ("a/b", "{success}"):
        yield post("/api/task/abort/<id>", "id", f"/api/task/abort/{name}")


def walk_calls() -> Iterator[Case]:
    for kind in ("async-apply", "send-task"):
        endpoint = f"/api/task/{kind}/<task>"
        path = f"/api/task/{kind}/compat.add"
        for body in BODIES:
            if kind == "send-task" or len(body.get("args", ())) + len(body.get("kwargs", ())) == 2:
                yield post(endpoint, "options", path, body)
        for body in DATES:
            yield post(endpoint, "dates, numbers as texts", path, body)
        for body in BAD_BODIES:
            yield post(endpoint, "body (bad)", path, body)
        for body in WRONG_TYPES:
            yield post(endpoint, "wrong types", path, body)
        for body in BAD_DATES:
            yield post(endpoint, "dates (bad)", path, body)
    yield post("/api/task/async-apply/<task>", "unknown task", "/api/task/async-apply/compat.nosuch", {})
    yield post("/api/task/send-task/<task>", "unknown task", "/api/task/send-task/compat.nosuch", AWAY)
    for task, body in APPLIED:
        yield post("/api/task/apply/<task>", "all", f"/api/task/apply/{task}", body)
