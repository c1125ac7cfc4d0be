"""Publishes bodies of any kind to the event exchange on RabbitMQ, past kombu and Celery."""

from collections.abc import Iterable

import amqp


def connect(url: str) -> amqp.Connection:
    server, _, virtual_host = url.rpartition("/")
    return amqp.Connection(server.rpartition("@")[2], virtual_host=virtual_host or "/")


def publish(channel: amqp.Channel, bodies: Iterable[bytes], **properties: object) -> None:
    properties = {
        "content_type": "application/json",
        "content_encoding": "utf-8",
        "delivery_mode": 1,
        **properties,
    }
    for body in bodies:
        channel.basic_publish(amqp.Message(body, **properties), exchange="celeryev", routing_key="task.multi")
