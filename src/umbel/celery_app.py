"""Finds the Celery application of a run and lays the configuration over it, as Celery's own command line would.

`start` calls it; from then on the application alone says which broker, exchanges and backend are used.
"""

import importlib
import os
import ssl
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import celery
import kombu
from celery import Celery
from celery._state import get_current_app
from celery.app.utils import find_app

import umbel
from umbel.config import Config
from umbel.config.arguments import CeleryArguments
from umbel.errors import ConfigError

_BROKER_VARIABLE = "CELERY_BROKER_URL"
#: These beat the broker named by the user where a deployment sets them.
_BROKER_SIDES = ("CELERY_BROKER_READ_URL", "CELERY_BROKER_WRITE_URL")
#: Their frames tell a user nothing about an application that does not load.
_LIBRARY_FOLDERS = tuple(
    str(Path(str(module.__file__)).parent) for module in (celery, kombu, importlib, umbel)
)
_REDIS_SCHEMES = frozenset({"redis", "rediss", "redis+socket", "sentinel", "socket", "unix"})


def enter(arguments: CeleryArguments, *, broker: str | None, result_backend: str | None) -> None:
    """Do what Celery's command line does before it loads an application: folder and environment.

    The environment is the way Celery itself hands these on, also to processes started later.

    Raises:
        ConfigError: The folder cannot be entered.
    """
    if arguments.workdir:
        try:
            os.chdir(os.path.expanduser(arguments.workdir))
        except OSError as error:
            raise ConfigError(f"--workdir: cannot enter {arguments.workdir}: {error.strerror}") from error
    variables = {
        "CELERY_LOADER": arguments.loader,
        "CELERY_CONFIG_MODULE": arguments.config,
        "CELERY_SKIP_CHECKS": "true" if arguments.skip_checks else None,
        "CELERY_RESULT_BACKEND": result_backend,
    }
    os.environ.update({name: value for name, value in variables.items() if value})
    if broker:
        _set_broker(broker)


def find(arguments: CeleryArguments, given: Celery | None) -> Celery:
    """The application: named after the command, else the one Celery loaded, else a plain one.

    Raises:
        ConfigError: There is no such application, or loading it failed.
    """
    name = arguments.app or (None if given else os.environ.get("CELERY_APP"))
    if name:
        found = _told(f"-A {name}", lambda: find_app(name))
        if not isinstance(found, Celery):
            raise ConfigError(f"-A {name}: is not a Celery application but a {type(found).__name__}")
        return found
    if arguments.loader and (given is None or given.main == "default"):
        return Celery("default", fixups=[], loader=arguments.loader)
    return given or get_current_app()


def import_tasks(app: Celery) -> None:
    """Import the task modules the application names, so that its tasks are registered.

    Raises:
        ConfigError: One of them raised something.
    """
    _told("the application's task modules", app.loader.import_default_modules)


def apply(config: Config, app: Celery) -> None:
    """Lay the options that were set over the application's configuration; the rest of it stays."""
    if config.broker:
        _set_broker(config.broker)
        app.conf.update(
            broker_url=config.broker,
            broker_read_url=config.broker,
            broker_write_url=config.broker,
        )
    if config.result_backend:
        os.environ["CELERY_RESULT_BACKEND"] = config.result_backend
        app.conf.result_backend = config.result_backend
    if config.broker_transport_options:
        own = dict(app.conf.broker_transport_options or {})
        app.conf.broker_transport_options = own | config.broker_transport_options
    if config.event_exchange:
        app.conf.event_exchange = config.event_exchange
    if config.control_exchange:
        app.conf.control_exchange = config.control_exchange
    if config.timezone:
        app.conf.timezone = config.timezone
    tls = broker_tls(config, urlsplit(str(app.conf.broker_read_url or "")).scheme)
    if tls is not None:
        app.conf.broker_use_ssl = tls


def broker_tls(config: Config, scheme: str) -> bool | dict[str, Any] | None:
    """Celery's `broker_use_ssl` for our TLS options; None leaves the application's in force.

    redis-py and py-amqp name the same things differently.
    """
    if isinstance(config.broker_use_ssl, dict) or config.broker_use_ssl is False:
        return config.broker_use_ssl
    files = {
        "ca_certs": config.broker_ca_certs,
        "certfile": config.broker_certfile,
        "keyfile": config.broker_keyfile,
    }
    if not config.broker_use_ssl and config.broker_ssl_verify and not any(files.values()):
        return None
    requirement = ssl.CERT_REQUIRED if config.broker_ssl_verify else ssl.CERT_NONE
    is_redis = scheme in _REDIS_SCHEMES
    prefix = "ssl_" if is_redis else ""
    settings: dict[str, Any] = {f"{prefix}cert_reqs": requirement}
    settings |= {f"{prefix}{name}": path for name, path in files.items() if path}
    if is_redis:
        # redis-py refuses to check the name of a certificate that it does not check
        settings["ssl_check_hostname"] = config.broker_ssl_verify
    elif config.broker_ssl_verify:
        # None: kombu fills in the host; py-amqp checks the name only when there is one
        settings["server_hostname"] = None
    return settings


def fetch_driver_type(app: Celery) -> str:
    """kombu's driver type of the broker, such as "redis" or "amqp". Does not connect.

    Raises:
        ConfigError: kombu has no such transport, or its client library is missing.
    """
    try:
        with app.connection_for_read() as connection:
            return str(connection.transport.driver_type)
    except (KeyError, ValueError) as error:
        raise ConfigError(f"broker: {error.args[0] if error.args else error}") from error
    except ImportError as error:
        raise ConfigError(f"broker: a library for it is missing: {error}") from error


def check_broker_api(config: Config, broker: str, driver_type: str) -> tuple[str | None, list[str]]:
    """The management URL as it is to be used, and warnings.

    Args:
        broker: The broker's URL, with password.
        driver_type: As `fetch_driver_type` gives it.
    Raises:
        ConfigError: It is no URL that fits this broker.
    """
    if not config.broker_api:
        return None, []
    try:
        url = urlsplit(config.broker_api)
        host = url.hostname
        _ = url.port
    except ValueError as error:
        raise ConfigError(f"broker_api: {error}; {_API_ALLOWED}") from error
    if url.scheme in _REDIS_SCHEMES and driver_type == "redis":
        named = urlsplit(broker)
        if (host, url.port or 6379) == (named.hostname, named.port or 6379):
            return None, []
        return None, [
            "broker_api names another server than the broker; queues are read from the broker itself."
        ]
    if url.scheme not in {"http", "https"} or not host:
        raise ConfigError(f"broker_api: not a URL that fits a broker of type {driver_type}; {_API_ALLOWED}")
    if driver_type != "amqp":
        return None, [f"broker_api is RabbitMQ's; it has no meaning for a broker of type {driver_type}."]
    path = url.path.rstrip("/")
    if not path.endswith("/api"):
        path += "/api"
    return url._replace(path=f"{path}/").geturl(), []


_API_ALLOWED = "allowed: http://user:password@host:15672/api/, or https; on a Redis broker also its own URL"


def _set_broker(url: str) -> None:
    os.environ[_BROKER_VARIABLE] = url
    for name in _BROKER_SIDES:
        if name in os.environ:
            os.environ[name] = url


def _told(what: str, action: Callable[[], Any]) -> Any:
    """Run the user's code; whatever it raises becomes one line with the place where it happened."""
    try:
        return action()
    except Exception as error:  # the user's own program: anything can come out of it
        raise ConfigError(f"{what}: {type(error).__name__}: {error}{_place(error)}") from error


def _place(error: Exception) -> str:
    """Where in the user's code `error` came about; "" when it was none of its lines."""
    if isinstance(error, SyntaxError):
        return ""  # its own text names the place
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(("<", *_LIBRARY_FOLDERS))
    ]
    return f" ({own[-1].filename}, line {own[-1].lineno})" if own else ""
