"""The contract of a broker inspector on kombu's other transports."""

from pathlib import Path
from typing import Any

import pytest

from tests.apps.queues import make_app
from tests.contract.broker_contract import BrokerContract, BrokerShop
from umbel.brokers.base import COLUMNS
from umbel.brokers.registry import make_inspector


class TestMemory(BrokerContract):
    """The transport inside of one process."""

    @pytest.fixture
    def shop(self) -> BrokerShop:
        app = make_app("memory://")
        with app.connection_for_write() as connection, connection.channel() as channel:
            for name in ("orders", "mails"):
                app.amqp.queues[name](channel).declare()
                channel.queue_purge(name)
        return BrokerShop(app, make_inspector(app, None), lambda: pytest.skip("it is always there"))


class TestFilesystem(BrokerContract):
    """Messages as files in a folder."""

    @pytest.fixture
    def shop(self, tmp_path: Path) -> BrokerShop:
        def make(name: str) -> Any:
            folders = {
                key: str(tmp_path / name) for key in ("data_folder_in", "data_folder_out", "control_folder")
            }
            return make_app("filesystem://", broker_transport_options=folders)

        def unreachable() -> Any:
            (tmp_path / "file").write_text("no folder")
            return make_inspector(make("file"), None)

        (tmp_path / "queues").mkdir()
        app = make("queues")
        return BrokerShop(app, make_inspector(app, None), unreachable)


class SilentShop(BrokerShop):
    """Nothing is sent, for nothing is read."""

    def send(self, queue: str, count: int = 1, **options: Any) -> list[str]:
        return []


class TestSilent(BrokerContract):
    """A transport that can't be read without making queues: SQLAlchemy's. It is never connected to."""

    @pytest.fixture
    def shop(self, tmp_path: Path) -> BrokerShop:
        app = make_app(f"sqla+sqlite:///{tmp_path}/broker.sqlite3")
        return SilentShop(app, make_inspector(app, None), lambda: pytest.skip("it is never asked"))

    def test_names_are_those_of_tasks(self, shop: BrokerShop) -> None:
        assert shop.inspector.fetch_names() == set()

    def test_the_reason_is_told(self, shop: BrokerShop) -> None:
        reading = shop.inspector.fetch_queues(["orders"])
        assert [getattr(reading.queues[0], column) for column in COLUMNS] == [None] * len(COLUMNS)
        assert "type sql" in reading.problems[0]
