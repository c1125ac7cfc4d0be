"""Which inspector reads which kind of broker."""

from celery import Celery

from umbel.brokers.base import BrokerInspector
from umbel.brokers.rabbitmq import RabbitInspector
from umbel.brokers.redis import RedisInspector


def driver_of(app: Celery) -> str:
    """kombu's name for the kind of broker: "redis", "amqp", "sqs", …"""
    return str(app.connection_for_read().transport.driver_type)


def make_inspector(app: Celery, broker_api: str | None) -> BrokerInspector | None:
    """The inspector for the app's broker, None where this kind can't be read. `broker_api` is RabbitMQ's only."""
    driver = driver_of(app)
    if driver == "redis":
        return RedisInspector(app)
    if driver == "amqp":
        return RabbitInspector(app, broker_api)
    return None
