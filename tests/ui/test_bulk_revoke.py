"""Revoking all tasks of a filtered list, and purging a queue, from the page: what it asks, and what it then shows."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.servers import wait_for
from tests.ui.conftest import Shop


@pytest.mark.timeout(120)
def test_matching_tasks_are_revoked_after_their_number_was_typed(page: Page, shop: Shop) -> None:
    waiting = [shop.post("echo", f"bulk-{number}", countdown=3600) for number in range(3)]
    spared = shop.post("echo", "spared", countdown=3600)
    for uuid in (*waiting, spared):
        wait_for(lambda uuid=uuid: shop.umbel.get(f"/api/v1/tasks/{uuid}").status == 200, 20.0)  # type: ignore[misc]
    page.goto(f"{shop.url}/tasks")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect(page.get_by_role("button", name="Revoke matching…")).to_have_count(0)
    page.goto(f"{shop.url}/tasks?search=args:bulk")
    page.get_by_role("button", name="Revoke matching…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("3 tasks", exact=True)).to_be_visible()
    sure = dialog.get_by_role("button", name="Revoke 3 tasks")
    expect(sure).to_be_disabled()
    dialog.get_by_label("Type 3 to confirm").fill("3")
    sure.click()
    expect(page).to_have_url(re.compile(r"/revocation/\d+$"))
    expect(page.get_by_role("list", name="Outcomes")).to_have_text("revoked before start 3", timeout=30_000)
    expect(page.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "100")
    expect(page.get_by_role("button", name="Stop")).to_have_count(0)
    expect(page.get_by_role("row")).to_have_count(4)
    page.get_by_role("link", name="All bulk revocations").click()
    row = page.get_by_role("row").nth(1)
    expect(row).to_contain_text("Revoke many")
    expect(row).to_contain_text("3 revoked before start")
    row.get_by_role("link", name="Job").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Bulk revocation")
    assert shop.umbel.get(f"/api/v1/tasks/{spared}").json()["state"] == "RECEIVED"


@pytest.mark.timeout(60)
def test_a_queue_is_purged_after_its_name_was_typed(page: Page, shop: Shop) -> None:
    for _ in range(3):
        shop.post("add", 1, 2, queue="nobody-takes-it")
    wait_for(lambda: shop.umbel.get("/api/v1/queues/nobody-takes-it").json().get("ready") == 3, 30.0)
    page.goto(f"{shop.url}/queue/nobody-takes-it")
    page.get_by_role("button", name="Purge…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("What waits (3 messages now)")).to_be_visible()
    dialog.get_by_label("Type nobody-takes-it to confirm").fill("nobody-takes-it")
    dialog.get_by_role("button", name="Purge").click()
    told = page.get_by_role("status", name="Commands of this page")
    expect(told).to_contain_text("Purge nobody-takes-it")
    expect(told).to_contain_text("3 messages were thrown away.")
    expect(page.get_by_text("No message waits")).to_be_visible()
