"""Which inspector reads which kind of broker."""

from celery import Celery

from umbel.brokers.base import BrokerInspector
from umbel.brokers.management import ApiTls
from umbel.brokers.rabbitmq import RabbitInspector
from umbel.brokers.redis import RedisInspector
from umbel.brokers.virtual import COUNTABLE, SilentInspector, VirtualInspector

#: Driver types whose queue lengths Flower tells as well.
FLOWER_DRIVERS = frozenset({"amqp", "redis"})


def driver_of(app: Celery) -> str:
    """kombu's name for the kind of broker: "redis", "amqp", "sqs", …"""
    return str(app.connection_for_read().transport.driver_type)


def make_inspector(app: Celery, broker_api: str | None, api_tls: ApiTls | None = None) -> BrokerInspector:
    """The inspector for the app's broker. `broker_api` and `api_tls` are RabbitMQ's only."""
    driver = driver_of(app)
    if driver == "redis":
        return RedisInspector(app)
    if driver == "amqp":
        return RabbitInspector(app, broker_api, api_tls or ApiTls())
    return VirtualInspector(app) if driver in COUNTABLE else SilentInspector(driver)
