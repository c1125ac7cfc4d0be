"""The broker page and the page of a queue: Flower's columns, live, and what waits in a queue."""

import re

from playwright.sync_api import Page, expect

from tests.ui.conftest import Shop
from tests.ui.test_every_screen import PHONE


def fill(shop: Shop, queue: str) -> None:
    """Three messages that no worker takes; their arguments hold a secret."""
    for n in range(3):
        shop.app.send_task("shop.charge", (n,), {"password": "hunter2"}, queue=queue)


def test_the_broker_page_counts_what_comes_without_a_reload(page: Page, shop: Shop) -> None:
    page.goto(f"{shop.url}/broker?autorefresh=1")
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name="unread", exact=True))
    expect(page.get_by_role("link", name="celery", exact=True)).to_be_visible()
    expect(row).to_have_count(0)
    fill(shop, "unread")
    # a new name is found by asking the broker, which is done less often than counting
    expect(row.get_by_role("cell").nth(0)).to_have_text("3", timeout=30_000)
    expect(row.get_by_role("cell").nth(1)).to_have_text("3")
    fill(shop, "unread")
    expect(row.get_by_role("cell").nth(0)).to_have_text("6")


def test_a_queue_shows_its_messages_without_their_secrets(page: Page, shop: Shop) -> None:
    fill(shop, "looked-at")
    page.goto(f"{shop.url}/broker")
    expect(page.get_by_role("link", name="looked-at")).to_be_visible(timeout=30_000)
    page.get_by_role("link", name="looked-at").click()
    expect(page).to_have_url(re.compile("/queue/looked-at$"))
    # the legend of the graph above the messages, drawn after the first sample, has rows as well
    first = page.get_by_role("row").filter(has_text="shop.charge").first
    expect(first).to_contain_text("(0,) {'password': '[redacted]'}")
    assert "hunter2" not in page.content()
    page.get_by_role("button", name="Held by workers").click()
    expect(page.get_by_text("No worker holds a message")).to_be_visible()
    expect(page).to_have_url(re.compile("held=yes"))


def test_a_phone_shows_every_figure_of_a_queue(page: Page, shop: Shop) -> None:
    page.set_viewport_size(PHONE)
    page.goto(f"{shop.url}/broker")
    card = page.get_by_role("list", name="Queues").get_by_role("listitem").filter(has_text="celery").first
    for label in ("Messages", "Ready", "Unacked", "Consumers", "Idle since", "Oldest waits"):
        expect(card.get_by_text(label, exact=True)).to_be_in_viewport(ratio=1)
