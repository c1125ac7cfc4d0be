"""What every broker inspector must do: a broker's tests subclass this and supply the fixture `shop`."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from celery import Celery
from kombu import Consumer, Queue

from tests.servers import wait_for
from umbel.brokers.base import COLUMNS, BrokerInspector, Mark, QueueFigures, mark_of
from umbel.errors import BrokerUnavailable, NotSupported

#: Seconds within which figures must be right: RabbitMQ's management API tells some of them late.
PATIENCE = 20.0


class BrokerShop:
    """An app on an empty broker, its inspector, and ways to fill queues and to hold messages."""

    def __init__(
        self, app: Celery, inspector: BrokerInspector, unreachable: Callable[[], BrokerInspector]
    ) -> None:
        self.app = app
        self.inspector = inspector
        self.unreachable = unreachable

    def send(self, queue: str, count: int = 1, **options: Any) -> list[str]:
        """Send tasks that nobody takes; return their ids."""
        with self.app.connection_for_write() as connection:
            return [
                str(
                    self.app.send_task(
                        "shop.charge", (n,), {"to": "ann"}, queue=queue, connection=connection, **options
                    )
                )
                for n in range(count)
            ]

    @contextmanager
    def holding(self, queue: str, count: int) -> Iterator[None]:
        """Take messages as a worker does, without acknowledging them; they go back at the end."""
        with ExitStack() as stack:
            connection = stack.enter_context(self.app.connection_for_read())
            channel = stack.enter_context(connection.channel())
            channel.basic_qos(0, count, False)
            taken: list[Any] = []
            consumer = Consumer(
                channel, [self.app.amqp.queues[queue]], on_message=taken.append, accept=["json"]
            )
            stack.enter_context(consumer)
            while len(taken) < count:
                connection.drain_events(timeout=10)
            yield

    def figures(self, name: str) -> QueueFigures:
        """The one queue."""
        (found,) = self.inspector.fetch_queues([name]).queues
        return found

    def wait_for_figures(self, name: str, **expected: int | None) -> QueueFigures:
        """The one queue, once these of its figures are as expected."""

        def told() -> dict[str, int | None]:
            found = self.figures(name)
            return {column: getattr(found, column) for column in expected}

        wait_for(lambda: told() == expected, PATIENCE, message=lambda: f"{told()}, not {expected}")
        return self.figures(name)


class BrokerContract:
    """Figures, names, marks, failures, looking and purging."""

    def test_messages_that_wait_are_counted(self, shop: BrokerShop) -> None:
        shop.send("orders", 3)
        shop.send("mails")
        can = shop.inspector.capabilities
        shop.wait_for_figures("orders", ready=3 if can.ready else None, messages=3 if can.messages else None)
        shop.wait_for_figures("mails", ready=1 if can.ready else None)

    def test_every_queue_asked_for_is_told_once_in_order(self, shop: BrokerShop) -> None:
        shop.send("orders")
        reading = shop.inspector.fetch_queues(["orders", "absent", "mails", "orders"])
        assert [queue.name for queue in reading.queues] == ["absent", "mails", "orders"]

    def test_a_queue_that_is_not_there_holds_nothing(self, shop: BrokerShop) -> None:
        absent = shop.figures("absent")
        can = shop.inspector.capabilities
        assert absent.exists in (False, None)
        assert absent.messages == (0 if can.messages else None)

    def test_every_column_is_marked_as_this_kind_of_broker_says(self, shop: BrokerShop) -> None:
        shop.send("orders")
        can = shop.inspector.capabilities
        found = shop.wait_for_figures("orders", messages=1 if can.messages else None)
        for column in COLUMNS:
            mark = mark_of(column, found, can)
            assert (mark is Mark.UNSUPPORTED) == (not getattr(can, column)), column
            assert (getattr(found, column) is None) == (mark is not Mark.KNOWN), column

    def test_what_a_consumer_holds_is_unacknowledged(self, shop: BrokerShop) -> None:
        can = shop.inspector.capabilities
        if not can.unacked:
            pytest.skip("this broker does not tell")
        shop.send("orders", 5)
        with shop.holding("orders", 2):
            shop.wait_for_figures("orders", messages=5, ready=3, unacked=2)
        shop.wait_for_figures("orders", messages=5, ready=5, unacked=0)

    def test_names_are_those_of_tasks(self, shop: BrokerShop) -> None:
        shop.send("orders")
        control = Queue("celeryev.spy")
        with shop.app.connection_for_write() as connection, connection.channel() as channel:
            control(channel).declare()
        known = {"orders"} if shop.inspector.capabilities.names else set()
        wait_for(lambda: shop.inspector.fetch_names() == known, PATIENCE)

    def test_looking_changes_nothing(self, shop: BrokerShop) -> None:
        if not shop.inspector.capabilities.peek:
            with pytest.raises(NotSupported):
                shop.inspector.peek("orders")
            with pytest.raises(NotSupported):
                shop.inspector.find("some-id", ["orders"])
            return
        ids = shop.send("orders", 12)
        for _ in range(20):
            peek = shop.inspector.peek("orders", offset=0, limit=50)
            assert [message.task_id for message in peek.messages] == ids
            assert [message.position for message in peek.messages] == list(range(1, 13))
            assert peek.total == 12
        assert shop.figures("orders").ready == 12

    def test_a_purge_tells_how_many_it_took_and_leaves_what_is_held(self, shop: BrokerShop) -> None:
        can = shop.inspector.capabilities
        if not can.purge:
            with pytest.raises(NotSupported):
                shop.inspector.purge("orders")
            return
        shop.send("orders", 4)
        shop.send("mails", 2)
        shop.wait_for_figures("orders", ready=4)
        if can.unacked:
            with shop.holding("orders", 1):
                assert shop.inspector.purge("orders") == 3
                shop.wait_for_figures("orders", ready=0, unacked=1)
        assert shop.inspector.purge("orders") in (1, 4)
        shop.wait_for_figures("orders", ready=0)
        shop.wait_for_figures("mails", ready=2)

    def test_flowers_lengths_are_told(self, shop: BrokerShop) -> None:
        if not shop.inspector.capabilities.ready:
            with pytest.raises(NotSupported):
                shop.inspector.fetch_lengths(["orders"])
            return
        shop.send("orders", 2)
        shop.wait_for_figures("orders", ready=2)
        (length,) = shop.inspector.fetch_lengths(["orders"])
        assert (length["name"], length["messages"]) == ("orders", 2)

    def test_a_broker_that_is_gone_is_unavailable(self, shop: BrokerShop) -> None:
        if not shop.inspector.capabilities.ready:
            pytest.skip("this broker is never asked")
        with pytest.raises(BrokerUnavailable):
            shop.unreachable().fetch_queues(["orders"])
