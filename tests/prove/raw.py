"""Publishes bytes as a worker would publish an event, without any say of Celery or kombu in what they hold.

Redis gets kombu's envelope around the body (or, with `publish_bare`, whatever is given); RabbitMQ gets the body itself.
"""

import base64
import json
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlparse
from uuid import uuid4

import amqp
import redis


class RedisRaw:
    """Publishes to `/<db>.celeryev/<routing key>`."""

    def __init__(self, url: str, *, timeout: float | None = None) -> None:
        self._db = int((urlparse(url).path or "/0").strip("/") or 0)
        self._client: Any = redis.Redis.from_url(url, socket_timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def publish(
        self, body: bytes, *, content_type: str = "application/json", key: str = "task.multi"
    ) -> None:
        """Send one message in kombu's envelope."""
        delivery = {"exchange": "celeryev", "routing_key": key}
        envelope = {
            "body": base64.b64encode(body).decode(), "content-encoding": "utf-8", "content-type": content_type,
            "headers": {"hostname": "raw@prove"},
            "properties": {
                "delivery_mode": 1, "delivery_info": delivery, "priority": 0, "body_encoding": "base64",
                "delivery_tag": str(uuid4()),
            },
        }  # fmt: skip
        self.publish_bare(json.dumps(envelope).encode(), key=key)

    def publish_bare(self, data: bytes, *, key: str = "task.multi") -> None:
        """Send bytes without an envelope."""
        self._client.publish(f"/{self._db}.celeryev/{key}", data)


class AmqpRaw:
    """Publishes to the topic exchange `celeryev`."""

    def __init__(self, url: str, *, timeout: float | None = None) -> None:
        place = urlparse(url)
        self._connection = amqp.Connection(
            f"{place.hostname}:{place.port or 5672}",
            unquote(place.username or "guest"),
            unquote(place.password or "guest"),
            virtual_host=unquote((place.path or "//")[1:]) or "/",
            heartbeat=0,
            connect_timeout=timeout,
            read_timeout=timeout,
            write_timeout=timeout,
        )
        self._channel: Any = None

    def __enter__(self) -> Self:
        self._connection.connect()
        self._channel = self._connection.channel()
        self._channel.exchange_declare("celeryev", "topic", durable=True, auto_delete=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.collect()

    def publish(
        self, body: bytes, *, content_type: str = "application/json", key: str = "task.multi"
    ) -> None:
        """Send one transient message."""
        message = amqp.Message(body, content_type=content_type, content_encoding="utf-8", delivery_mode=1)
        self._channel.basic_publish(message, exchange="celeryev", routing_key=key)


def open_raw(url: str, *, timeout: float | None = None) -> RedisRaw | AmqpRaw:
    """The raw publisher for a broker's URL; `timeout` in seconds for every answer of the broker's."""
    return (AmqpRaw if url.startswith("amqp") else RedisRaw)(url, timeout=timeout)


def task_event(
    type_: str, uuid: str, *, time: float, hostname: str = "raw@prove", **fields: Any
) -> dict[str, Any]:
    """An event as Celery's own dispatcher would shape it."""
    return {
        "type": type_, "uuid": uuid, "hostname": hostname, "timestamp": time, "utcoffset": 0, "pid": 77, "clock": 1,
        **fields,
    }  # fmt: skip
