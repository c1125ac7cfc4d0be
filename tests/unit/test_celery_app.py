"""What the options do to the Celery application, and the rules of `broker_api`."""

import os
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery

from umbel import celery_app
from umbel.config import Config
from umbel.config.arguments import CeleryArguments
from umbel.errors import ConfigError


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The functions under test write to the environment, as Celery does: put it back."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("CELERY_")]:
        monkeypatch.delenv(name)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def app() -> Celery:
    return Celery("test", broker="redis://own", set_as_current=False)


def test_an_application_is_left_as_it_is_where_nothing_was_set(app: Celery) -> None:
    before = dict(app.conf.items())
    celery_app.apply(Config(), app)
    assert dict(app.conf.items()) == before


def test_the_broker_named_by_the_user_beats_the_applications_and_the_environments(app: Celery) -> None:
    os.environ["CELERY_BROKER_READ_URL"] = "redis://environment"
    app.conf.broker_write_url = "redis://write"
    celery_app.apply(Config(broker="redis://named/1"), app)
    assert app.conf.broker_url == app.conf.broker_read_url == app.conf.broker_write_url == "redis://named/1"
    assert app.connection_for_read().hostname == "named"


def test_exchanges_backend_zone_and_transport_options_reach_the_application(app: Celery) -> None:
    app.conf.broker_transport_options = {"visibility_timeout": 5, "global_keyprefix": "a"}
    config = Config(
        event_exchange="ev",
        control_exchange="ctl",
        result_backend="cache+memory://",
        timezone="Asia/Tokyo",
        broker_transport_options={"global_keyprefix": "b"},
    )
    celery_app.apply(config, app)
    assert (app.conf.event_exchange, app.conf.control_exchange) == ("ev", "ctl")
    assert app.conf.result_backend == "cache+memory://"
    assert str(app.timezone) == "Asia/Tokyo"
    assert app.conf.broker_transport_options == {"visibility_timeout": 5, "global_keyprefix": "b"}


@pytest.mark.parametrize(
    ("config", "scheme", "settings"),
    [
        (Config(), "rediss", None),
        (Config(broker_use_ssl=False), "redis", False),
        (Config(broker_use_ssl={"x": 1}), "redis", {"x": 1}),
        (
            Config(broker_use_ssl=True),
            "redis",
            {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_check_hostname": True},
        ),
        (
            Config(broker_ssl_verify=False),
            "rediss",
            {"ssl_cert_reqs": ssl.CERT_NONE, "ssl_check_hostname": False},
        ),
        (
            Config(broker_ca_certs="/ca", broker_certfile="/c", broker_keyfile="/k"),
            "amqp",
            {
                "cert_reqs": ssl.CERT_REQUIRED,
                "server_hostname": None,
                "ca_certs": "/ca",
                "certfile": "/c",
                "keyfile": "/k",
            },
        ),
        (Config(broker_use_ssl=True, broker_ssl_verify=False), "amqps", {"cert_reqs": ssl.CERT_NONE}),
    ],
)
def test_tls_options_become_what_each_client_library_takes(
    config: Config, scheme: str, settings: object
) -> None:
    assert celery_app.broker_tls(config, scheme) == settings


@pytest.mark.parametrize(
    ("broker", "driver", "api", "used", "warned"),
    [
        ("amqp://h", "amqp", "http://u:p@h:15672/api/", "http://u:p@h:15672/api/", ""),
        ("amqp://h", "amqp", "http://h:15672/api", "http://h:15672/api/", ""),
        ("amqp://h", "amqp", "https://h", "https://h/api/", ""),
        ("redis://:p@h:6379/0", "redis", "redis://:p@h:6379/0", None, ""),
        ("redis://:p@h/0", "redis", "redis://:p@h:6379/1", None, ""),
        ("redis://h", "redis", "redis://other", None, "another server"),
        ("redis://h", "redis", "http://h:15672/api/", None, "RabbitMQ's"),
        ("sqs://", "sqs", "http://h/api/", None, "RabbitMQ's"),
    ],
)
def test_the_management_url_is_completed_or_explained(
    broker: str, driver: str, api: str, used: str | None, warned: str
) -> None:
    url, warnings = celery_app.check_broker_api(Config(broker_api=api), broker, driver)
    assert url == used
    assert [warned in warning for warning in warnings] == ([True] if warned else [])


@pytest.mark.parametrize("api", ["ftp://h/api/", "redis://h", "http:///api/", "h:15672", "http://h:port/"])
def test_a_management_url_that_fits_no_rabbitmq_is_refused_without_repeating_it(api: str) -> None:
    with pytest.raises(ConfigError, match=r"broker_api: .*allowed: http"):
        celery_app.check_broker_api(Config(broker_api=api), "amqp://h", "amqp")


def test_the_kind_of_broker_is_known_without_connecting(app: Celery) -> None:
    assert celery_app.fetch_driver_type(app) == "redis"
    app.conf.broker_url = "nosuch://h"
    with pytest.raises(ConfigError, match=r"broker: No such transport: nosuch"):
        celery_app.fetch_driver_type(app)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_an_application_named_after_the_command_is_found(project: Path, app: Celery) -> None:
    (project / "shopapp.py").write_text(
        "from celery import Celery\nqueue = Celery('shop', set_as_current=False)\n"
    )
    assert celery_app.find(CeleryArguments(app="shopapp"), app).main == "shop"
    assert celery_app.find(CeleryArguments(app="shopapp:queue"), app).main == "shop"


def test_the_application_that_celery_loaded_is_used_otherwise(app: Celery) -> None:
    os.environ["CELERY_APP"] = "not_asked_for"
    assert celery_app.find(CeleryArguments(), app) is app


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("1 / 0", r"-A brokenapp: ZeroDivisionError: division by zero \(.*brokenapp\.py, line 1\)"),
        ("x = 1", "-A brokenapp: AttributeError"),
        ("app = 1", "-A brokenapp: is not a Celery application but a int"),
        ("import nosuchmodule", "No module named 'nosuchmodule'"),
    ],
)
def test_an_application_that_does_not_load_is_one_line(project: Path, text: str, told: str) -> None:
    (project / "brokenapp.py").write_text(text)
    with pytest.raises(ConfigError, match=told):
        celery_app.find(CeleryArguments(app="brokenapp"), None)


def test_the_folder_is_entered_before_anything_is_looked_up(project: Path) -> None:
    (project / "sub").mkdir()
    celery_app.enter(CeleryArguments(workdir="sub"), broker="redis://h", result_backend=None)
    assert Path.cwd() == (project / "sub").resolve()
    assert os.environ["CELERY_BROKER_URL"] == "redis://h"
    with pytest.raises(ConfigError, match="--workdir: cannot enter gone"):
        celery_app.enter(CeleryArguments(workdir="gone"), broker=None, result_backend=None)
