"""Starts of the real server by its command lines: seed row S4's, Flower's forms, and ours."""

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import UmbelFactory
from tests.servers import RedisServer, free_port

APP = """\
from celery import Celery

app = Celery("seed")


@app.task(name="seed.add")
def add(x, y):
    return x + y
"""


@pytest.fixture(scope="module")
def locked_redis() -> Iterator[RedisServer]:
    with RedisServer(password="p4ss") as server:
        yield server


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the application of the seed's text."""
    (tmp_path / "celery_app.py").write_text(APP)
    return tmp_path


@pytest.mark.timeout(180)
@pytest.mark.parametrize("kind", ["redis", "rabbitmq"])
def test_the_seeds_command_starts_word_for_word(
    request: pytest.FixtureRequest, umbel_server: UmbelFactory, project: Path, kind: str
) -> None:
    if kind == "redis":
        url = api = request.getfixturevalue("locked_redis").url
        password = "p4ss"
    else:
        url = request.getfixturevalue("rabbitmq_url")
        # without the management plugin nothing answers here, which the page must bear
        api, password = "http://guest:m4nage@localhost:15672/api/", "guest:guest"
    port = free_port()
    words = ["-A", "celery_app", "flower", "--address=localhost", f"--port={port}", f"--broker={url}"]
    server = umbel_server(
        whole=[sys.executable, "-m", "celery"],
        arguments=[*words, f"--broker_api={api}", "--basic_auth=admin:s3cret"],
        working_folder=project,
    )
    server.wait_until_collecting(60)
    assert server.get("/", auth=("admin", "s3cret")).status == 200
    assert server.get("/", auth=("admin", "wrong")).status == 401
    assert server.get("/").status == 401
    for family, type_, _, _, address in socket.getaddrinfo("localhost", port, type=socket.SOCK_STREAM):
        with socket.socket(family, type_) as client:
            client.connect(address)
    log = server.log()
    assert not [secret for secret in (password, "s3cret", "m4nage") if secret in log]
    assert "seed.add" in log
    assert " W " not in log


FORMS = {
    "celery -b URL -A app flower": ["-m", "celery", "-b", "{url}", "-A", "celery_app", "flower"],
    "celery umbel -A app -b URL": ["-m", "celery", "umbel", "-A", "celery_app", "-b", "{url}"],
    "python -m umbel -A app flower": ["-m", "umbel", "-A", "celery_app", "flower", "--broker", "{url}"],
    "python -m umbel": ["-m", "umbel", "--broker={url}"],
    "umbel serve": ["-m", "umbel", "serve", "--broker", "{url}"],
}


#: What they lead to is in `tests/unit/test_start.py`.
LONG = {"celery umbel -A app -b URL", "python -m umbel"}


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(form, id=name, marks=[pytest.mark.prove] if name in LONG else [])
        for name, form in FORMS.items()
    ],
)
def test_every_form_serves_the_same(
    form: list[str], redis_url: str, umbel_server: UmbelFactory, project: Path
) -> None:
    server = umbel_server(
        whole=[sys.executable, *(word.format(url=redis_url) for word in form)], working_folder=project
    )
    assert server.get("/healthcheck").body == b"OK"
    assert f"Broker: {redis_url}" in server.log().replace(":**@", "")
    assert server.terminate() == 0


def test_an_unknown_option_is_a_warning_and_the_start_goes_on(
    redis_url: str, umbel_server: UmbelFactory
) -> None:
    server = umbel_server(redis_url, arguments=["--natural_tiem", "--inspect=False"])
    assert server.get("/healthcheck").body == b"OK"
    assert server.log().count("Unknown option --natural_tiem is ignored; did you mean --natural_time?") == 1
    assert server.log().count("inspect (from the command line) has no meaning in Umbel") == 1


def test_a_config_file_that_imports_humanize_serves(
    redis_url: str, umbel_server: UmbelFactory, project: Path
) -> None:
    (project / "flowerconfig.py").write_text(
        "from flower.utils.template import humanize\n"
        "url_prefix = 'monitor'\n"
        "def format_task(task):\n    task.args = humanize(task.args, length=20)\n    return task\n"
    )
    server = umbel_server(redis_url, app="celery_app", working_folder=project)
    assert server.url.endswith("/monitor")
    assert server.get("/").status == 200


def test_quiet_before_the_command_leaves_the_banner_out(redis_url: str, project: Path) -> None:
    from tests.servers import free_port
    from tests.servers.cluster import UmbelServer
    from tests.servers.process import port_answers, wait_for

    port = free_port()
    server = UmbelServer(
        whole=[sys.executable, "-m", "celery", "-q", "-b", redis_url, "flower"],
        arguments=[f"--port={port}"],
        working_folder=project,
    )
    try:
        server.launch()
        wait_for(lambda: port_answers(port), 30, message=server.log)
        assert "Visit me" not in server.log()
    finally:
        server.close()


@pytest.mark.parametrize(
    "options",
    [["--broker_ca_certs={ca}"], pytest.param(["--broker_ssl_verify=no"], marks=pytest.mark.prove)],
)
def test_a_broker_that_speaks_tls_is_watched_without_an_application(
    options: list[str], umbel_server: UmbelFactory
) -> None:
    with RedisServer(tls=True) as redis:
        url = redis.url.partition("?")[0]
        words = [f"--broker={url}", *(option.format(ca=redis.ca_file) for option in options)]
        server = umbel_server(whole=[sys.executable, "-m", "umbel", "serve"], arguments=words)
        server.wait_until_collecting(60)
