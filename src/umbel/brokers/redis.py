"""Queue lengths on Redis, read through kombu's own channel.

kombu's channel brings TLS, ACL users, unix sockets, Sentinel, the global key prefix, priority steps and their
separator exactly as the workers use them; a queue is the sum of its priority lists.
"""

from collections.abc import Collection

from celery import Celery
from kombu.exceptions import OperationalError

from umbel.brokers.base import BrokerInspector, Capabilities, QueueDepth
from umbel.errors import BrokerUnavailable

#: Seconds; a user's own transport options win.
_TIMEOUTS = {"socket_connect_timeout": 1, "socket_timeout": 2}
_NO_RETRY = {
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0,
    "interval_max": 0,
    "retry_on_timeout": False,
}


class RedisInspector(BrokerInspector):
    """One pipeline of LLEN per question, on a connection that is closed again."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities()

    def fetch_queues(self, names: Collection[str]) -> list[QueueDepth]:
        ordered = sorted(names)
        options = {**_TIMEOUTS, **self._app.conf.broker_transport_options, **_NO_RETRY}
        connection = self._app.connection_for_read(transport_options=options)
        errors = (
            OperationalError,
            OSError,
            ValueError,
            *connection.connection_errors,
            *connection.channel_errors,
        )
        try:
            with (
                connection,
                connection.transport.create_channel(connection.connection) as channel,
            ):
                steps = channel.priority_steps
                pipeline = channel.client.pipeline(transaction=False)
                for name in ordered:
                    for step in steps:
                        pipeline.llen(channel._q_for_pri(name, step))
                lengths = pipeline.execute(raise_on_error=False)
        except errors as exc:
            raise BrokerUnavailable(str(exc)) from exc
        width = len(steps)
        # a key of another type at a queue's name is an error of that key alone: it holds no messages
        counts = [length if isinstance(length, int) else 0 for length in lengths]
        return [
            QueueDepth(name=name, messages=sum(counts[at * width : (at + 1) * width]))
            for at, name in enumerate(ordered)
        ]
