"""The dashboard of 2,000 workers: all are counted, searched and sorted, few are drawn."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.apps.tasks import make_app
from tests.servers import RedisServer, UmbelServer, wait_for

COUNT = 2_000
#: Every tenth of them says goodbye.
STOPPED = COUNT // 10
DATABASE = 1022


@pytest.fixture(scope="module")
def fleet(redis_server: RedisServer) -> Iterator[UmbelServer]:
    """A monitor that has heard 2,000 workers."""
    broker = redis_server.url_of(DATABASE)
    with UmbelServer(broker) as umbel:
        umbel.wait_until_collecting()
        app = make_app(broker)
        with (
            app.connection_for_write() as connection,
            app.events.Dispatcher(connection, enabled=True) as events,
        ):
            for number in range(COUNT):
                events.hostname = f"w{number:04d}@fleet"
                events.send("worker-online", freq=60)
                events.send("worker-heartbeat", freq=60, active=1, processed=number, loadavg=[1.0, 1.0, 1.0])
                if number % 10 == 0:
                    events.send("worker-offline", freq=60)
        app.close()

        def is_told() -> bool:
            workers = umbel.get("/api/v1/workers").json()["items"]
            return [row["status"] for row in workers].count("stopped") == STOPPED

        wait_for(is_told, 30)
        yield umbel


@pytest.mark.timeout(180)
def test_2000_workers_are_counted_searched_and_filtered_but_few_are_drawn(
    page: Page, fleet: UmbelServer
) -> None:
    page.goto(f"{fleet.url}/?sort=-hostname")
    expect(page.get_by_text("2,000 workers", exact=True)).to_be_visible()
    rows = page.locator("tbody tr:has(a)")
    expect(rows.first).to_contain_text("w1999@fleet")
    assert rows.count() < 120
    page.locator("table").locator("..").evaluate("scroll => scroll.scrollTo(0, scroll.scrollHeight)")
    expect(rows.last).to_contain_text("w0000@fleet")
    assert rows.count() < 120

    page.get_by_label("Search workers").fill("W012")
    expect(page.get_by_text("10 of 2,000 workers")).to_be_visible()
    expect(rows).to_have_count(10)
    page.get_by_label("Search workers").fill("")
    page.get_by_role("button", name=re.compile("^stopped")).click()
    expect(page.get_by_text("200 of 2,000 workers")).to_be_visible()
    assert rows.count() < 120


@pytest.mark.timeout(180)
def test_2000_workers_scroll_on_a_phone(page: Page, fleet: UmbelServer) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(f"{fleet.url}/?sort=hostname")
    cards = page.get_by_role("list", name="Workers").get_by_role("link", name=re.compile("@fleet$"))
    expect(cards.first).to_have_text("w0000@fleet")
    assert cards.count() < 60
    page.get_by_text("2,000 workers", exact=True).scroll_into_view_if_needed()
    expect(cards.last).to_have_text("w1999@fleet")
    assert cards.count() < 60
