"""A real Chromium for the page's tests, and the servers that they share, started once.

One browser for each file, a fresh profile for each test. The browser lives no longer than a file because
Playwright's event loop would stop async tests of others.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from celery import Celery
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.apps.tasks import make_app
from tests.conftest import UmbelFactory
from tests.servers import CeleryWorker, RedisServer, UmbelServer, find_program

#: Chromium of its own accord calls home, which a closed network makes slow.
QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
    "--no-sandbox",
    "--disable-gpu",
)
#: Redis databases of the servers that several tests share; single tests count up from 1.
SHOP_DATABASE = 1021
#: The one worker of the shop.
WORKER = "checkout@shop"
#: Commands are taken from everybody.
OPEN = {"FLOWER_UNAUTHENTICATED_API": "true"}


@dataclass(frozen=True)
class Shop:
    """A worker with a result backend, the app to send it tasks, and a monitor that watches it."""

    umbel: UmbelServer
    app: Celery
    broker: str

    @property
    def url(self) -> str:
        """The monitor's address, without a slash at its end."""
        return self.umbel.url

    def send(self, name: str, *args: Any, **options: Any) -> str:
        """Send a task and return its id once it has ended."""
        sent = self.app.send_task(f"tests.{name}", args, **options)
        sent.get(timeout=20, propagate=False)
        return str(sent.id)

    def post(self, name: str, *args: Any, **options: Any) -> str:
        """Send a task and return its id at once."""
        return str(self.app.send_task(f"tests.{name}", args, ignore_result=True, **options).id)


@pytest.fixture(scope="package")
def shop(redis_server: RedisServer) -> Iterator[Shop]:
    """The shop, in which one `tests.add` has succeeded and one `tests.give_up` has failed after a retry."""
    broker = redis_server.url_of(SHOP_DATABASE)
    with redis_server.client(SHOP_DATABASE) as client:
        client.flushdb()
    with ExitStack() as stack:
        umbel = stack.enter_context(UmbelServer(broker, environment=OPEN))
        umbel.wait_until_collecting()
        stack.enter_context(CeleryWorker(broker, hostname=WORKER, backend=broker))
        app = make_app(broker, broker)
        stack.callback(app.close)
        shop = Shop(umbel, app, broker)
        shop.send("add", 2, 3)
        shop.send("give_up")
        yield shop


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium, the system's own."""
    program = find_program("chromium", "chromium-browser", "google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the page printed as errors; a test that causes some on purpose clears it."""
    return []


@pytest.fixture
def page(browser: Browser, complaints: list[str], umbel_server: UmbelFactory) -> Iterator[Page]:
    """An empty tab with a profile of its own; anything it prints as an error fails the test.

    It asks for the factory of single tests' monitors to be closed before they are.
    """
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(15_000)
    expect.set_options(timeout=15_000)
    page = context.new_page()

    def hear(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(message.text)

    page.on("console", hear)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert complaints == []
