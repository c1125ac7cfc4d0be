"""A real Chromium for the page's tests: one for each file, a fresh profile for each test.

The browser lives no longer than a file because Playwright's event loop would stop async tests of others.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.conftest import UmbelFactory
from tests.servers import find_program

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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium, the system's own."""
    program = find_program("chromium", "chromium-browser", "google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, umbel_server: UmbelFactory) -> Iterator[Page]:
    """An empty tab with a profile of its own; anything it prints as an error fails the test.

    It asks for the monitors' factory to be closed before they are.
    """
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(15_000)
    expect.set_options(timeout=15_000)
    page = context.new_page()
    complaints: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(message.text)

    page.on("console", hear)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert complaints == []
