"""The Monitor page tells what the history holds: whose tasks, how many, and when nothing is known."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.servers import wait_for
from tests.ui.conftest import WORKER, Shop


def succeeded(shop: Shop, **narrowing: str) -> int:
    """What the server counts in the last hour."""
    query = "&".join(f"{name}={value}" for name, value in narrowing.items())
    items = shop.umbel.get(f"/api/v1/rollups?{query}").json()["items"]
    return sum(item["succeeded"] for item in items)


@pytest.mark.timeout(120)
def test_the_sums_are_the_servers_and_follow_without_a_reload(page: Page, shop: Shop) -> None:
    page.goto(f"{shop.url}/monitor")
    caption = page.locator("figcaption").first
    expect(caption).to_contain_text(f"{succeeded(shop, kind='all')} succeeded")
    expect(page.locator("figure canvas")).to_have_count(4, timeout=20_000)
    before = succeeded(shop, kind="all")
    shop.send("add", 1, 2)
    wait_for(lambda: succeeded(shop, kind="all") > before)
    expect(caption).to_contain_text(f"{before + 1} succeeded", timeout=15_000)


@pytest.mark.timeout(120)
def test_one_task_or_one_worker_can_be_chosen_and_the_address_keeps_it(page: Page, shop: Shop) -> None:
    page.goto(f"{shop.url}/monitor")
    page.get_by_role("combobox", name="Task").click()
    page.get_by_role("option", name="tests.give_up").click()
    expect(page).to_have_url(re.compile(r"task=tests\.give_up"))
    expect(page.locator("figcaption").first).to_contain_text("0 succeeded")
    page.reload()
    expect(page.get_by_role("combobox", name="Task")).to_have_value("tests.give_up")
    page.get_by_role("combobox", name="Worker").click()
    page.get_by_role("option", name=WORKER).click()
    expect(page).not_to_have_url(re.compile("task="))
    own = succeeded(shop, kind="worker", label=WORKER)
    expect(page.locator("figcaption").first).to_contain_text(f"{own} succeeded")


def test_a_longer_time_has_wider_buckets(page: Page, shop: Shop) -> None:
    page.goto(f"{shop.url}/monitor?range=7d")
    expect(page.get_by_role("heading", name="Outcomes per hour")).to_be_visible()
    page.get_by_text("1 year").click()
    expect(page.get_by_role("heading", name="Outcomes per day")).to_be_visible()


def test_a_task_that_never_ran_is_told_as_such(page: Page, shop: Shop) -> None:
    page.goto(f"{shop.url}/monitor?task=tests.nobody")
    expect(page.locator("figcaption").first).to_contain_text("no task ended in this time")


@pytest.mark.timeout(90)
def test_queue_lengths_are_drawn_for_the_longest_queues_or_one(page: Page, shop: Shop) -> None:
    for n in range(150):  # more than other tests of the shop leave waiting
        shop.app.send_task("shop.charge", (n,), queue="unsent")
    wait_for(lambda: shop.umbel.get("/api/v1/queue-rollups?queue=unsent").json()["items"], 45.0)
    page.goto(f"{shop.url}/monitor")
    lengths = page.locator("figure").filter(has=page.get_by_role("heading", name="Queue lengths"))
    # the legend names the queues, the longest first
    expect(lengths.locator(".u-legend th").nth(1)).to_have_text("unsent")
    page.get_by_role("combobox", name="Queue").click()
    page.get_by_role("option", name="unsent").click()
    expect(page).to_have_url(re.compile("queue=unsent"))
    expect(lengths.locator(".u-legend")).to_contain_text("Most unacked")
    page.goto(f"{shop.url}/queue/unsent")
    expect(page.get_by_role("heading", name="Length over time")).to_be_visible()
    expect(page.locator("section canvas")).to_have_count(1)
    page.get_by_role("button", name="24 hours").click()
    expect(page).to_have_url(re.compile("range=24h"))
    expect(page.locator("section canvas")).to_have_count(1)
