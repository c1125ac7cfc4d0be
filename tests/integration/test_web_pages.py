"""The page's shell: statuses, messages, prefix, headers, static files."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.told_history import W1, ToldHistory, told_history
from tests.integration.web_server import WebServer, make_deps, serving
from umbel.app import UI_FOLDER

INDEX = (
    '<html><head><meta name="umbel-prefix" content="__UMBEL_PREFIX__">'
    '<meta name="umbel-nonce" content="__UMBEL_NONCE__"><script src="./assets/app-1.js"></script></head>'
    "<body></body></html>"
)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ToldHistory]:
    with told_history(tmp_path_factory.mktemp("history")) as told:
        told.tell_worker(W1)
        told.tell_task("t1", at=1_700_000_000.0)
        yield told


@pytest.fixture(scope="module")
def ui_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ui")
    (folder / "assets").mkdir()
    (folder / "index.html").write_text(INDEX)
    (folder / "assets" / "app-1.js").write_text("let plain = 1")
    (folder / "assets" / "app-1.js.gz").write_bytes(gzip.compress(b"let packed = 1"))
    (folder / "assets" / "favicon-1.svg").write_text("<svg/>")
    (folder.parent / "secret.txt").write_text("secret")
    return folder


@pytest.fixture(scope="module")
def web(history: ToldHistory, ui_folder: Path) -> Iterator[WebServer]:
    with serving(make_deps(history.reader, ui_folder)) as server:
        yield server


@pytest.fixture(scope="module")
def prefixed(history: ToldHistory, ui_folder: Path) -> Iterator[WebServer]:
    with serving(make_deps(history.reader, ui_folder, url_prefix="tools/flower")) as server:
        yield server


@pytest.mark.parametrize(
    "path", ["/", "/workers", "/tasks", "/broker", "/task/t1", f"/worker/{W1}", "/worker/w1%40test"]
)
def test_flowers_pages_are_the_shell(web: WebServer, path: str) -> None:
    answer = web.get(path)
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=UTF-8"
    assert 'src="/static/assets/app-1.js"' in answer.text


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/task/nope", "Unknown task &#x27;nope&#x27;"),
        ("/task/a%2Fb%20%3Cb%3E", "Unknown task &#x27;a/b &lt;b&gt;&#x27;"),
        ("/worker/nope", "Unknown worker &#x27;nope&#x27;"),
        ("/nowhere", "Error, page not found"),
        ("/workers/", "Error, page not found"),
        ("/tasks/", "Error, page not found"),
        ("/task/", "Unknown task &#x27;&#x27;"),
        ("/api", "Error, page not found"),
        ("/metrics/", "Error, page not found"),
    ],
)
def test_what_does_not_exist_is_the_shell_with_404_and_the_message(
    web: WebServer, path: str, message: str
) -> None:
    answer = web.get(path)
    assert answer.status == 404
    assert f"<noscript><p>{message}</p></noscript>" in answer.text
    assert f'<meta name="umbel-message" content="{message}">' in answer.text
    assert web.send("POST", "/nowhere").status == 404


@pytest.mark.parametrize(
    ("path", "body"), [("/tasks", "None"), ("/nowhere", "None"), ("/metrics", "None"), ("/api/tasks", "")]
)
def test_methods_that_a_route_does_not_have_are_405(web: WebServer, path: str, body: str) -> None:
    answer = web.send("PUT", path)
    assert (answer.status, answer.text) == (405, body)
    assert web.send("HEAD", path).status == 405


def test_every_page_has_a_strict_policy_and_a_fresh_nonce(web: WebServer) -> None:
    one, other = web.get("/tasks"), web.get("/tasks")
    policy = one.headers["content-security-policy"]
    nonce = policy.split("'nonce-")[1].split("'")[0]
    assert f'<meta name="umbel-nonce" content="{nonce}">' in one.text
    assert nonce not in other.text
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert one.headers["x-content-type-options"] == "nosniff"
    assert "referrer-policy" in one.headers


def test_json_is_kept_by_nobody(web: WebServer) -> None:
    for path in ("/api/v1/status", "/workers?json=1", "/api/v1/nowhere"):
        assert web.get(path).headers["cache-control"] == "no-store"


def test_hashed_files_are_cached_for_ever_and_sent_packed(web: WebServer) -> None:
    plain = web.get("/static/assets/app-1.js")
    assert plain.text == "let plain = 1"
    assert "immutable" in plain.headers["cache-control"]
    packed = web.get("/static/assets/app-1.js", headers={"Accept-Encoding": "br, gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == b"let packed = 1"
    refused = web.get("/static/assets/app-1.js", headers={"Accept-Encoding": "gzip;q=0"})
    assert refused.text == "let plain = 1"
    assert web.send("HEAD", "/static/assets/app-1.js").status == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/static/", 403), ("/static/assets", 403), ("/static/nope.js", 404), ("/static/index.html", 404),
        ("/static/..%2Fsecret.txt", 403), ("/static/%2e%2e/%2e%2e/etc/passwd", 403), ("/static//etc/passwd", 403),
    ],
)  # fmt: skip
def test_nothing_outside_the_built_page_is_served(web: WebServer, path: str, status: int) -> None:
    answer = web.get(path)
    assert answer.status == status
    assert b"secret" not in answer.body


def test_favicon_and_robots_stand_at_the_root(web: WebServer, prefixed: WebServer) -> None:
    for server in (web, prefixed):
        assert server.get("/favicon.ico").headers["content-type"].startswith("image/svg+xml")
        assert "Disallow: /" in server.get("/robots.txt").text
    assert prefixed.get("/tools/flower/favicon.ico").status == 404


def test_a_prefix_moves_every_route_as_in_flower(prefixed: WebServer) -> None:
    page = prefixed.get("/tools/flower/")
    assert page.status == 200
    assert 'src="/tools/flower/static/assets/app-1.js"' in page.text
    assert '<meta name="umbel-prefix" content="/tools/flower">' in page.text
    for path in ("workers", "api/v1/settings", "metrics", "healthcheck", "static/assets/app-1.js"):
        assert prefixed.get(f"/tools/flower/{path}").status == 200
    for path in ("/tools/flower", "/tools/flowerx", "/tools/flower/nope"):
        answer = prefixed.get(path)
        assert answer.status == 404
        assert "Error, page not found" in answer.text
    for path in ("/", "/workers", "/tools", "/metrics"):
        answer = prefixed.get(path)
        assert (answer.status, "404: Not Found" in answer.text) == (404, True)


def test_a_missing_page_says_what_to_do_and_leaves_the_api(history: ToldHistory, tmp_path: Path) -> None:
    with serving(make_deps(history.reader, tmp_path / "nothing")) as server:
        answer = server.get("/")
        assert answer.status == 503
        assert "pip install" in answer.text
        assert server.get("/task/nope").status == 404
        assert server.get("/api/v1/settings").status == 200


def test_a_bad_flag_of_the_workers_page_is_named(web: WebServer) -> None:
    answer = web.get("/workers?json=maybe")
    assert (answer.status, answer.text) == (400, "Invalid argument 'maybe' of type 'bool'")
    assert answer.headers["content-type"] == "text/plain"
    assert web.get("/?json=1").json().keys() == {"data"}


def test_the_built_page_is_sent_compressed(history: ToldHistory) -> None:
    folder = UI_FOLDER / "assets"
    with serving(make_deps(history.reader, UI_FOLDER)) as server:
        for path in [file for file in folder.iterdir() if file.suffix in (".js", ".css")]:
            if path.stat().st_size < 1024:
                continue
            for token, suffix in (("br", ".br"), ("gzip", ".gz")):
                answer = server.get(f"/static/assets/{path.name}", headers={"Accept-Encoding": token})
                assert answer.headers["content-encoding"] == token
                assert answer.headers["content-type"].startswith(("text/javascript", "text/css"))
                assert answer.headers["vary"] == "accept-encoding"
                assert "immutable" in answer.headers["cache-control"]
                assert answer.body == Path(f"{path}{suffix}").read_bytes()
                assert len(answer.body) < path.stat().st_size * 0.5
