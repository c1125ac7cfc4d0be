"""The tab's one event stream, behind a path prefix and a password: hidden tabs, a restart, navigation."""

import base64
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Request, expect

from tests.servers import RedisServer, UmbelServer, free_port
from tests.ui.conftest import SHOP_DATABASE, WORKER, Shop

AUTH = ("ada", "pw")
#: Lets a test say whether the tab is hidden, as a browser would.
VISIBILITY = """
let hidden = false;
Object.defineProperty(document, "hidden", { get: () => hidden });
window.setHidden = (now) => { hidden = now; document.dispatchEvent(new Event("visibilitychange")); };
"""


@pytest.fixture(scope="module")
def behind(redis_server: RedisServer) -> Iterator[UmbelServer]:
    """A second monitor of the shop, below /a/b/ and with a password, that keeps its port over a restart."""
    options = ["--url_prefix=a/b", "--basic_auth=ada:pw", f"--port={free_port()}"]
    with UmbelServer(redis_server.url_of(SHOP_DATABASE), arguments=options) as umbel:
        umbel.wait_until_collecting()
        yield umbel


@pytest.fixture
def streams(page: Page) -> list[Request]:
    """Every event stream that the page opens; the page has the password."""
    word = base64.b64encode(":".join(AUTH).encode()).decode()
    page.context.set_extra_http_headers({"Authorization": f"Basic {word}"})
    opened: list[Request] = []
    page.on("request", lambda request: opened.append(request) if request.url.endswith("/stream") else None)
    return opened


@pytest.mark.timeout(120)
def test_the_page_works_below_a_prefix(
    page: Page, streams: list[Request], behind: UmbelServer, shop: Shop
) -> None:
    assert behind.url.endswith("/a/b")
    sent = shop.send("add", 2, 3)
    page.goto(f"{behind.url}/")
    page.evaluate("window.sameDocument = true")
    expect(page.get_by_label("Monitor: Live", exact=True)).to_be_visible()
    page.get_by_role("link", name=WORKER).click()
    expect(page).to_have_url(re.compile(r"/a/b/worker/"))
    page.get_by_role("link", name="Tasks", exact=True).first.click()
    expect(page).to_have_url(f"{behind.url}/tasks")
    later = shop.send("add", 3, 4)
    page.locator(f'a[href$="/a/b/task/{later}"]').first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("tests.add")
    assert page.evaluate("window.sameDocument")
    assert len(streams) == 1
    page.goto(f"{behind.url}/task/{sent}")
    expect(page.get_by_text("Attempt 1")).to_be_visible()
    assert {request.url for request in streams} == {f"{behind.url}/api/v1/stream"}


@pytest.mark.timeout(120)
def test_a_hidden_tab_closes_its_stream_and_resumes_it(
    page: Page, streams: list[Request], behind: UmbelServer, shop: Shop
) -> None:
    page.add_init_script(VISIBILITY)
    page.goto(f"{behind.url}/tasks")
    expect(page.get_by_label("Monitor: Live", exact=True)).to_be_visible()
    with page.expect_event("requestfailed", lambda request: request == streams[0]):
        page.evaluate("setHidden(true)")
    expect(page.get_by_label("Monitor: Not live")).to_be_visible()
    sent = shop.send("add", 5, 6)
    assert len(streams) == 1
    assert page.locator(f'a[href$="{sent}"]').count() == 0
    page.evaluate("setHidden(false)")
    expect(page.get_by_label("Monitor: Live", exact=True)).to_be_visible()
    expect(page.locator(f'a[href$="{sent}"]').first).to_be_visible()
    assert "last-event-id" in streams[1].all_headers()


@pytest.mark.timeout(120)
def test_the_stream_resumes_after_the_server_was_restarted(
    page: Page, streams: list[Request], behind: UmbelServer, shop: Shop, complaints: list[str]
) -> None:
    page.goto(f"{behind.url}/tasks")
    page.evaluate("window.sameDocument = true")
    expect(page.get_by_label("Monitor: Live", exact=True)).to_be_visible()
    behind.stop()
    expect(page.get_by_label(re.compile("Monitor: (Reconnecting|No answer)"))).to_be_visible()
    behind.start()
    behind.wait_until_collecting()
    expect(page.get_by_label("Monitor: Live", exact=True)).to_be_visible()
    assert "last-event-id" in streams[-1].all_headers()
    sent = shop.send("add", 7, 8)
    expect(page.locator(f'a[href$="{sent}"]').first).to_be_visible()
    assert page.evaluate("window.sameDocument")
    # while nobody listens Chromium prints each refused request
    assert all("ERR_" in complaint or "stream" in complaint for complaint in complaints), complaints
    complaints.clear()
