"""Dashboard and Tasks over a real worker: they change without a reload, at the pace that was asked for."""

import re
import time

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.servers import wait_for
from tests.ui.conftest import WORKER, Shop

#: Seconds in which a task's end must show.
PROMPT = 2.0


def figure(page: Page, column: str) -> Locator:
    """The cell of the worker's row under a header."""
    headers = page.locator("thead th")
    expect(headers.filter(has_text=column)).to_be_visible()  # the table comes with its first answer
    return page.get_by_role("row").filter(has_text=WORKER).locator("th, td").nth(headers.all_inner_texts().index(column))


def stored(shop: Shop) -> int:
    """What the server counts as succeeded on the worker now."""
    return int(shop.umbel.get(f"/api/v1/workers/{WORKER}").json()["succeeded"])


def number(cell: Locator) -> int:
    return int(cell.inner_text().replace(",", ""))


@pytest.mark.timeout(120)
def test_the_dashboard_shows_a_tasks_end_in_two_seconds_without_a_reload(page: Page, shop: Shop) -> None:
    page.goto(f"{shop.url}/")
    expect(page.get_by_label("Monitor: Live", exact=True)).to_be_visible()
    page.evaluate("window.sameDocument = true")
    succeeded = figure(page, "Succeeded")
    delays = []
    for _ in range(3):  # the best of three: the machine may be busy
        before = number(succeeded)
        shop.send("add", 1, 2)
        ended = time.monotonic()
        expect(succeeded).to_have_text(f"{before + 1:,}")
        delays.append(time.monotonic() - ended)
    assert min(delays) <= PROMPT, delays
    assert page.evaluate("window.sameDocument")


@pytest.mark.timeout(120)
def test_the_tasks_show_a_tasks_end_in_two_seconds_without_a_reload(page: Page, shop: Shop) -> None:
    page.goto(f"{shop.url}/tasks")
    expect(page.get_by_label("Monitor: Live", exact=True)).to_be_visible()
    page.evaluate("window.sameDocument = true")
    delays = []
    for number in range(3):
        sent = shop.send("fail", f"no such order {number}")
        ended = time.monotonic()
        row = page.get_by_role("row").filter(has=page.locator(f'a[href$="{sent}"]'))
        expect(row).to_contain_text("FAILURE")
        delays.append(time.monotonic() - ended)
    assert min(delays) <= PROMPT, delays
    assert page.evaluate("window.sameDocument")


@pytest.mark.timeout(120)
def test_the_second_page_keeps_its_rows_while_tasks_come_in(page: Page, shop: Shop) -> None:
    for number in range(40):
        shop.post("echo", number)
    page.goto(f"{shop.url}/tasks?name=tests.echo&limit=15&state=SUCCESS")
    expect(page.get_by_text("1–15 of 40")).to_be_visible()
    expect(page.locator("tbody tr:has(a)")).to_have_count(15)
    first = page.locator("tbody tr").first.inner_text()
    page.get_by_role("button", name="Next page").click()
    expect(page.get_by_text("16–30 of 40")).to_be_visible()
    # the rows before stay until the next ones are there
    wait_for(lambda: page.locator("tbody tr").first.inner_text() != first, 10)
    before = page.locator("tbody tr").all_inner_texts()
    for number in range(3):
        shop.send("echo", number)
    expect(page.get_by_text("16–30 of 43")).to_be_visible()
    assert page.locator("tbody tr").all_inner_texts() == before
    page.get_by_role("button", name="Previous page").click()
    expect(page.get_by_text("1–15 of 43")).to_be_visible()


@pytest.mark.timeout(120)
def test_a_paused_list_stands_still_until_it_goes_on(page: Page, shop: Shop) -> None:
    shop.send("sleep", 0)
    page.goto(f"{shop.url}/tasks?name=tests.sleep")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(1)
    page.get_by_role("button", name="Pause").click()
    shop.send("add", 1, 1)
    shop.post("sleep", 0)
    # the buttons' numbers go on, so they tell when the new task has reached the page
    expect(page.get_by_role("button", name=re.compile("^All"))).to_have_text(re.compile("2$"))
    expect(rows).to_have_count(1)
    page.get_by_role("button", name="Paused: go on").click()
    expect(rows).to_have_count(2)


@pytest.mark.timeout(120)
def test_autorefresh_0_holds_the_dashboard_and_5_slows_it(page: Page, shop: Shop) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.split("/api/v1/")[-1]))
    page.goto(f"{shop.url}/workers?autorefresh=0")
    expect(page.get_by_label("Monitor: Paused")).to_be_visible()
    held = number(figure(page, "Succeeded"))
    shop.send("add", 1, 2)
    wait_for(lambda: stored(shop) > held)
    assert number(figure(page, "Succeeded")) == held
    assert "stream" not in asked

    page.goto(f"{shop.url}/?autorefresh=5")
    expect(page.get_by_label("Monitor: Live, slowed")).to_be_visible()
    before = number(figure(page, "Succeeded"))
    shop.send("add", 1, 2)
    expect(figure(page, "Succeeded")).to_have_text(f"{before + 1:,}")
    assert "stream" not in asked
    page.get_by_role("link", name="Tasks", exact=True).first.click()
    expect(page.get_by_label("Monitor: Live", exact=True)).to_be_visible()
    assert "stream" in asked
