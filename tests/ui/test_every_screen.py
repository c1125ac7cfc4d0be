"""Every screen, in both schemes and on a phone: fits, prints no error, and passes axe's accessibility rules."""

import re
from importlib.resources import files

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.apps.tasks import make_app
from tests.conftest import UmbelFactory, WorkerFactory
from tests.servers import UmbelServer

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
PHONE = {"width": 360, "height": 740}


@pytest.fixture
def shop(
    page: Page, redis_url: str, umbel_server: UmbelFactory, celery_worker: WorkerFactory
) -> tuple[UmbelServer, str]:
    """A monitor that knows one worker and two tasks, and the id of the one that failed."""
    umbel = umbel_server(redis_url)
    umbel.wait_until_collecting()
    celery_worker(redis_url, hostname="checkout@shop", backend=redis_url)
    app = make_app(redis_url, redis_url)
    app.send_task("tests.add", (2, 3)).get(timeout=20)
    failed = app.send_task("tests.give_up")
    failed.get(timeout=20, propagate=False)
    app.close()
    page.goto(f"{umbel.url}/tasks?state=FAILURE")
    expect(page.locator("tbody tr")).to_have_count(1)
    return umbel, str(failed.id)


def screens(umbel: UmbelServer, failed: str) -> dict[str, str]:
    """Address of each screen -> a text that shows when it is drawn."""
    return {
        f"{umbel.url}/": "checkout@shop",
        f"{umbel.url}/tasks": "tests.add",
        f"{umbel.url}/task/{failed}": "Attempt 1",
        f"{umbel.url}/worker/checkout@shop": "Process id",
    }


@pytest.mark.timeout(180)
def test_every_screen_fits_a_phone(page: Page, shop: tuple[UmbelServer, str]) -> None:
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    for address, text in screens(*shop).items():
        page.goto(address)
        expect(page.get_by_text(text).first).to_be_visible()
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{address} scrolls sideways by {wide} px"


@pytest.mark.timeout(240)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_screen_passes_the_accessibility_rules(
    page: Page, shop: tuple[UmbelServer, str], scheme: str
) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    for address, text in screens(*shop).items():
        page.goto(address)
        expect(page.get_by_text(text).first).to_be_visible()
        # evaluate goes through the debugger, which the content security policy does not stop
        page.evaluate(AXE)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        broken = {
            rule["id"]: [node["html"][:160] for node in rule["nodes"][:3]] for rule in found["violations"]
        }
        assert broken == {}, f"{address} ({scheme}): {broken}"


@pytest.mark.timeout(180)
def test_a_pasted_address_shows_the_same_view(page: Page, shop: tuple[UmbelServer, str]) -> None:
    umbel, _ = shop
    page.goto(f"{umbel.url}/tasks")
    page.get_by_role("button", name="Failed").click()
    page.get_by_role("button", name="Runtime").click()
    page.get_by_label("Search tasks").fill("give_up")
    expect(page).to_have_url(re.compile("search=give_up"))
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(1)
    address = page.url
    page.goto(f"{umbel.url}/")
    page.goto(address)
    expect(rows).to_have_count(1)
    expect(page.get_by_label("Search tasks")).to_have_value("give_up")
    expect(page.get_by_role("button", name="Failed")).to_have_attribute("aria-pressed", "true")


@pytest.mark.timeout(180)
def test_unknown_task_worker_and_route_say_so(
    browser: Browser, redis_url: str, umbel_server: UmbelFactory
) -> None:
    umbel = umbel_server(redis_url)
    umbel.wait_until_collecting()
    # a tab of its own: here the browser's complaint about a 404 is right
    page = browser.new_page()
    for path, text in {
        "/task/nope": "This task is not known",
        "/worker/nope": "This worker is not known",
        "/nope": "There is no such page",
    }.items():
        answer = page.goto(f"{umbel.url}{path}")
        assert answer is not None
        assert answer.status == 404
        expect(page.get_by_role("heading", name=text)).to_be_visible()
    page.close()


@pytest.mark.timeout(240)
def test_the_second_page_keeps_its_rows_while_tasks_come_in(
    page: Page, redis_url: str, umbel_server: UmbelFactory, celery_worker: WorkerFactory
) -> None:
    umbel = umbel_server(redis_url)
    umbel.wait_until_collecting()
    celery_worker(redis_url, hostname="checkout@shop", backend=redis_url)
    app = make_app(redis_url, redis_url)
    for number in range(40):
        app.send_task("tests.add", (number, 1))
    page.goto(f"{umbel.url}/tasks?name=tests.add&limit=15&state=SUCCESS")
    expect(page.get_by_text("1–15 of 40")).to_be_visible()
    page.get_by_role("button", name="Next page").click()
    expect(page.get_by_text("16–30 of 40")).to_be_visible()
    before = page.locator("tbody tr").all_inner_texts()
    for number in range(3):
        app.send_task("tests.add", (number, 2)).get(timeout=20)
    app.close()
    expect(page.get_by_text("16–30 of 43")).to_be_visible()
    assert page.locator("tbody tr").all_inner_texts() == before
    page.get_by_role("button", name="Previous page").click()
    expect(page.get_by_text("1–15 of 43")).to_be_visible()


@pytest.mark.timeout(180)
def test_the_keyboard_reaches_search_pages_and_help(page: Page, shop: tuple[UmbelServer, str]) -> None:
    umbel, _ = shop
    page.goto(f"{umbel.url}/")
    expect(page.get_by_text("checkout@shop").first).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("t")
    expect(page).to_have_title("Tasks · Umbel")
    page.keyboard.press("/")
    expect(page.get_by_label("Search tasks")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
