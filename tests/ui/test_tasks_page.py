"""What a reader does with the tasks: narrow the list, choose its columns, open a task of any id."""

import re
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.ui.conftest import WORKER, Shop


@pytest.mark.timeout(120)
@pytest.mark.parametrize("narrowing", ["name=TESTS.add", f"worker={WORKER}"])
def test_a_state_buttons_number_is_the_length_of_its_list(page: Page, shop: Shop, narrowing: str) -> None:
    page.goto(f"{shop.url}/tasks?{narrowing}")
    for state in ("All", "Succeeded", "Failed"):
        button = page.get_by_role("group", name="Filter by state").get_by_role(
            "button", name=re.compile(f"^{state}")
        )
        expect(button).to_have_text(re.compile(r"\d$"))
        count = button.inner_text().removeprefix(state).strip()
        button.click()
        expect(button).to_have_attribute("aria-pressed", "true")
        expect(page.get_by_text(re.compile(rf"^\S+ of {count}$"))).to_be_visible()


@pytest.mark.timeout(120)
def test_a_search_takes_the_numbers_away(page: Page, shop: Shop) -> None:
    page.goto(f"{shop.url}/tasks?search=give_up")
    expect(page.locator("tbody tr")).to_have_count(1)
    buttons = page.get_by_role("group", name="Filter by state").get_by_role("button")
    expect(buttons.first).to_have_text("All")
    assert not any(re.search(r"\d", text) for text in buttons.all_inner_texts())


@pytest.mark.timeout(120)
def test_chosen_columns_are_in_the_url_and_remembered(page: Page, shop: Shop) -> None:
    page.goto(f"{shop.url}/tasks")
    headers = page.locator("thead th")
    expect(headers.filter(has_text="Name")).to_be_visible()
    usual = headers.all_inner_texts()
    assert "Routing key" not in usual
    page.get_by_role("button", name="Columns").click()
    page.get_by_label("Routing key").check()
    page.get_by_label("UUID").uncheck()
    expect(headers.filter(has_text="Routing key")).to_be_visible()
    expect(headers.filter(has_text="UUID")).to_have_count(0)
    expect(page).to_have_url(re.compile("columns=.*routing_key"))
    page.goto(f"{shop.url}/tasks")
    expect(headers.filter(has_text="Routing key")).to_be_visible()
    page.get_by_role("button", name="Columns").click()
    page.get_by_role("button", name="Back to the default columns").click()
    expect(headers).to_have_text(usual)


@pytest.mark.timeout(120)
def test_a_task_id_may_hold_slashes_and_marks(page: Page, shop: Shop) -> None:
    uuid = "orders/2026/#7?x=1&y=%2F ü"
    shop.send("add", 1, 1, task_id=uuid)
    page.goto(f"{shop.url}/tasks?search={quote('orders/2026')}")
    page.get_by_role("link", name="tests.add").click()
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text("tests.add")
    expect(page.get_by_text(uuid, exact=True).first).to_be_visible()
    for address in (page.url, f"{shop.url}/task/{quote(uuid)}", f"{shop.url}/task/{quote(uuid, safe='')}"):
        page.goto(address)
        expect(heading).to_have_text("tests.add")
        expect(page.get_by_text(uuid, exact=True).first).to_be_visible()
