"""A question to RabbitMQ's management API: a deadline for the whole answer, words for every way it can fail."""

import base64
import http.client
import json
import socket
import ssl
import threading
from contextlib import suppress
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import msgspec
from celery import Celery

from umbel.errors import BrokerUnavailable

#: Seconds for the whole question.
TIMEOUT = 4.0
#: Seconds for the connection alone.
CONNECT_TIMEOUT = 2.0
DEFAULT_PORT = 15672
#: Bytes of an answer that is read.
MOST_BYTES = 256_000_000

#: What a virtual host's queues are asked for: not what each message costs the broker to count.
COLUMNS = "name,type,state,messages,messages_ready,messages_unacknowledged,consumers,idle_since,head_message_timestamp"


class ApiTls(msgspec.Struct, frozen=True, kw_only=True):
    """How the management API's certificate is checked, and what we show: None for as the broker's own settings say."""

    ca_certs: str | None = None
    certfile: str | None = None
    keyfile: str | None = None
    verify: bool | None = None


class ManagementApi:
    """The management API of the app's broker."""

    def __init__(self, app: Celery, broker_api: str | None, tls: ApiTls) -> None:
        """`broker_api`: its URL, with or without a final slash; None for port 15672 of the broker's host with the
        broker's own credentials."""
        self._app = app
        self._broker_api = broker_api
        self._tls = tls

    def fetch_queues(self, *, columns: str | None = None) -> list[dict[str, Any]]:
        """Every queue of the broker's virtual host, whole or these columns of it.

        Raises:
            BrokerUnavailable: No usable answer within TIMEOUT seconds.
        """
        virtual_host = self._app.connection_for_read().virtual_host or "/"
        path = f"queues/{quote(virtual_host, safe='')}"
        answer = self._get(path if columns is None else f"{path}?columns={columns}")
        if not isinstance(answer, list):
            raise _trouble("answered with something else than queues")
        return [queue for queue in answer if isinstance(queue, dict) and isinstance(queue.get("name"), str)]

    def _get(self, path: str) -> Any:
        connection, base, headers = self._prepare()
        late = threading.Event()
        watchdog: threading.Timer | None = None
        try:
            connection.connect()
            # each read has the socket's time-out; the whole answer has the watchdog
            watchdog = threading.Timer(TIMEOUT, _hang_up, (connection.sock, late))
            watchdog.daemon = True
            watchdog.start()
            connection.sock.settimeout(TIMEOUT)
            connection.request("GET", base + path, headers=headers)
            with connection.getresponse() as response:
                body = response.read(MOST_BYTES)
            if response.status != 200:
                raise _trouble(_said(response.status))
            return json.loads(body)
        except (OSError, http.client.HTTPException) as exc:
            if late.is_set() or isinstance(exc, TimeoutError):
                raise _trouble(f"gave no whole answer within {TIMEOUT:g} s") from exc
            raise _trouble(f"can't be reached: {_reason(exc)}") from exc
        except (ValueError, RecursionError) as exc:
            words = (
                f"gave no whole answer within {TIMEOUT:g} s" if late.is_set() else "answered no valid JSON"
            )
            raise _trouble(words) from exc
        finally:
            if watchdog is not None:
                watchdog.cancel()
            connection.close()

    def _prepare(self) -> tuple[http.client.HTTPConnection, str, dict[str, str]]:
        """A connection that opens with its first request, the path of the API, and the headers of a question."""
        broker = self._app.connection_for_read()
        user, password = broker.userid or "guest", broker.password or "guest"
        url = urlsplit(self._broker_api or "")
        if url.username:
            user, password = unquote(url.username), unquote(url.password or "")
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        headers = {"Authorization": f"Basic {token}", "Accept": "application/json"}
        host = url.hostname or (broker.hostname or "localhost").strip("[]")
        path = url.path.rstrip("/") or "/api"
        if url.scheme == "https":
            context = tls_context(self._tls, broker.ssl)
            secure = http.client.HTTPSConnection(
                host, url.port or 443, timeout=CONNECT_TIMEOUT, context=context
            )
            return secure, f"{path}/", headers
        port = (url.port or 80) if self._broker_api else DEFAULT_PORT
        return http.client.HTTPConnection(host, port, timeout=CONNECT_TIMEOUT), f"{path}/", headers


def tls_context(tls: ApiTls, broker_use_ssl: Any) -> ssl.SSLContext:
    """The API's own settings, else the broker's; certificates are checked unless one of them says not to.

    Raises:
        BrokerUnavailable: A certificate file can't be used.
    """
    options = broker_use_ssl if isinstance(broker_use_ssl, dict) else {}
    authority = tls.ca_certs or options.get("ca_certs") or options.get("ssl_ca_certs")
    certificate = tls.certfile or options.get("certfile") or options.get("ssl_certfile")
    key = tls.keyfile if tls.certfile else (options.get("keyfile") or options.get("ssl_keyfile"))
    unchecked = ssl.CERT_NONE in (options.get("cert_reqs"), options.get("ssl_cert_reqs"))
    verify = not unchecked if tls.verify is None else tls.verify
    try:
        context = ssl.create_default_context(cafile=authority)
        if certificate:
            context.load_cert_chain(certificate, key)
    except OSError as exc:
        raise _trouble(f"can't be asked: {exc} (its certificate files)") from exc
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _hang_up(opened: socket.socket, late: threading.Event) -> None:
    """Wake whoever reads from the socket."""
    late.set()
    with suppress(OSError):  # it is closed already
        opened.shutdown(socket.SHUT_RDWR)


def _said(status: int) -> str:
    if status in (401, 403):
        return f"refused the user and password ({status}): set them in broker_api, and give the user the tag monitoring"
    if status == 404:
        return "has nothing at its address (404): check the path in broker_api, and the virtual host"
    return f"answered {status}"


def _reason(exc: BaseException) -> str:
    if isinstance(exc, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({exc.verify_message}): set broker_api_ca_certs"
    if isinstance(exc, http.client.HTTPException):
        return "it does not speak HTTP as it should"
    told = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
    return " ".join(told.split()) or type(exc).__name__


def _trouble(words: str) -> BrokerUnavailable:
    return BrokerUnavailable(f"The RabbitMQ management API {words}.")
