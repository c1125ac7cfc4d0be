"""Who may ask what: open, closed and protected by a password, on every route."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.told_history import ToldHistory, told_history
from tests.integration.web_server import WebServer, make_deps, serving
from umbel.auth.base import API_CLOSED

PAGES = ["/", "/workers", "/tasks", "/broker", "/task/t1", "/worker/w1@test", "/tasks/datatable"]
V1 = [
    "tasks",
    "tasks/t1",
    "facets",
    "workers",
    "rollups",
    "queue-rollups",
    "gaps",
    "status",
    "settings",
    "stream",
    "openapi.json",
]
FLOWER = [
    "workers", "tasks", "task/types", "task/info/t1", "task/result/t1", "queues/length",
]  # fmt: skip
OPEN = [
    "/metrics",
    "/healthcheck",
    "/health/live",
    "/favicon.ico",
    "/robots.txt",
    "/static/assets/app.js",
    "/nope",
]


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ToldHistory]:
    with told_history(tmp_path_factory.mktemp("history")) as told:
        told.tell_worker()
        told.tell_task("t1", at=1_700_000_000.0)
        yield told


@pytest.fixture(scope="module")
def ui_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ui")
    (folder / "assets").mkdir()
    (folder / "index.html").write_text("<html><head></head><body></body></html>")
    (folder / "assets" / "app.js").write_text("1")
    (folder / "assets" / "favicon-x.svg").write_text("<svg/>")
    return folder


@pytest.fixture(scope="module")
def environ() -> dict[str, str]:
    return {}


@pytest.fixture(scope="module")
def bare(history: ToldHistory, ui_folder: Path, environ: dict[str, str]) -> Iterator[WebServer]:
    with serving(make_deps(history.reader, ui_folder, environ=environ)) as server:
        yield server


@pytest.fixture(scope="module")
def protected(history: ToldHistory, ui_folder: Path) -> Iterator[WebServer]:
    users = ("ann:secret", "jörg:pass:wörd", "日本:語")
    with serving(make_deps(history.reader, ui_folder, basic_auth=users)) as server:
        yield server


@pytest.mark.parametrize("path", [*PAGES, *(f"/api/v1/{path}" for path in V1 if path != "stream"), *OPEN])
def test_without_a_login_everything_but_flowers_api_is_open(bare: WebServer, path: str) -> None:
    assert bare.get(path).status in (200, 400, 404)


@pytest.mark.parametrize("path", FLOWER)
def test_flowers_api_is_closed_until_the_variable_opens_it(
    bare: WebServer, environ: dict[str, str], path: str
) -> None:
    answer = bare.get(f"/api/{path}")
    assert (answer.status, answer.text) == (401, API_CLOSED)
    assert answer.headers["content-type"] == "text/plain; charset=UTF-8"
    assert "www-authenticate" not in answer.headers
    assert bare.send("OPTIONS", f"/api/{path}").status == 401
    environ["FLOWER_UNAUTHENTICATED_API"] = "yes"
    assert bare.get(f"/api/{path}").status in (200, 404, 503)
    environ["UMBEL_UNAUTHENTICATED_API"] = "off"
    assert bare.get(f"/api/{path}").status == 401
    environ.clear()


def test_a_word_that_is_neither_on_nor_off_keeps_the_api_closed(
    bare: WebServer, environ: dict[str, str]
) -> None:
    for word in ("", "0", "maybe", "none"):
        environ["FLOWER_UNAUTHENTICATED_API"] = word
        assert bare.get("/api/tasks").status == 401
    environ.clear()


@pytest.mark.parametrize("path", PAGES)
def test_pages_ask_for_the_password(protected: WebServer, path: str) -> None:
    answer = protected.get(path)
    assert (answer.status, answer.text) == (401, "Access denied")
    assert answer.headers["www-authenticate"] == 'Basic realm="flower"'
    assert protected.get(path, auth=("ann", "secret")).status in (200, 400)
    assert protected.get(path, auth=("ann", "wrong")).status == 401


@pytest.mark.parametrize("path", FLOWER)
def test_flowers_api_answers_a_wrong_password_without_a_word(protected: WebServer, path: str) -> None:
    for auth in (None, ("ann", "wrong"), ("jörg", "secret")):
        answer = protected.get(f"/api/{path}", auth=auth)
        assert (answer.status, answer.body) == (401, b"")
        assert "www-authenticate" not in answer.headers
    assert protected.get(f"/api/{path}", auth=("ann", "secret")).status in (200, 404, 503)


@pytest.mark.parametrize("path", V1)
def test_the_v1_api_asks_for_the_password_with_a_problem(protected: WebServer, path: str) -> None:
    answer = protected.get(f"/api/v1/{path}")
    assert answer.status == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].startswith("Basic ")


@pytest.mark.parametrize("path", OPEN)
def test_some_routes_are_open_whatever_is_configured(protected: WebServer, path: str) -> None:
    assert protected.get(path).status in (200, 404)


def test_each_user_logs_in_with_their_own_password_only(protected: WebServer) -> None:
    for user, password in (("ann", "secret"), ("jörg", "pass:wörd"), ("日本", "語")):
        answer = protected.get("/api/v1/settings", auth=(user, password))
        assert answer.json()["identity"] == user
    assert protected.get("/api/v1/settings", auth=("ann", "語")).status == 401


@pytest.mark.parametrize(
    "header",
    [
        "Basic", "Basic ", "Basic ???", "Basic YQ", "Bearer x", "basic YW5uOnNlY3JldA==", "BasicYW5uOnNlY3JldA==",
        "Basic " + base64.b64encode(b"\xff\xfe:\x00").decode(),
        "Basic " + base64.b64encode(b"ann:secret\n").decode(),
    ],
)  # fmt: skip
def test_odd_credentials_are_401_and_never_500(protected: WebServer, header: str) -> None:
    assert protected.get("/tasks", headers={"Authorization": header}).status == 401


def test_latin_1_credentials_of_older_clients_work(protected: WebServer) -> None:
    token = base64.b64encode("jörg:pass:wörd".encode("latin-1")).decode()
    assert protected.get("/tasks", headers={"Authorization": f"Basic {token}"}).status == 200


def test_preflights_need_no_password(protected: WebServer) -> None:
    for path in ("/tasks", "/api/tasks", "/api/v1/tasks", "/nope"):
        answer = protected.send("OPTIONS", path)
        assert (answer.status, answer.body) == (204, b"")


def test_other_origins_are_let_in_only_with_the_open_api(
    bare: WebServer, protected: WebServer, environ: dict[str, str]
) -> None:
    assert "access-control-allow-origin" not in bare.get("/workers").headers
    environ["FLOWER_UNAUTHENTICATED_API"] = "1"
    answer = bare.get("/nope")
    environ.clear()
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "authorization" in answer.headers["access-control-allow-headers"]
    assert "access-control-allow-origin" not in protected.get("/workers", auth=("ann", "secret")).headers
