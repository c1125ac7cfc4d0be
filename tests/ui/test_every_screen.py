"""Every screen, in both schemes and on a phone: fits, prints no error, and passes axe's accessibility rules."""

import re
from importlib.resources import files

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.servers import wait_for
from tests.ui.conftest import WORKER, Shop

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
DESK: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 360, "height": 740}

JSON = {"content-type": "application/json"}

#: Columns whose text does not begin (or, for numbers, end) where the text of their header does, in px.
EDGES_APART = """() => {
  const edges = (cell) => {
    const text = document.createRange();
    const within = cell.querySelector("button") ?? cell;
    text.selectNodeContents(within);
    const boxes = [...text.getClientRects()].filter(({ width }) => width > 0);
    const words = cell.tagName === "TH" && cell.querySelector("button") ? [boxes[0]] : boxes;
    return { left: Math.min(...words.map((b) => b.left)), right: Math.max(...words.map((b) => b.right)) };
  };
  const row = [...document.querySelectorAll("tbody tr")][0].children;
  return [...document.querySelectorAll("thead th")].flatMap((head, at) => {
    const side = head.dataset.align === "right" ? "right" : "left";
    const apart = edges(head)[side] - edges(row[at])[side];
    return Math.abs(apart) > 1 ? [[head.textContent, side, apart]] : [];
  });
}"""


@pytest.fixture(scope="module")
def screens(shop: Shop) -> dict[str, str]:
    """Address of each screen -> a text that shows when it is drawn."""
    failed = wait_for(
        lambda: shop.umbel.get("/api/v1/tasks?state=FAILURE&name=tests.give_up").json()["items"]
    )
    waiting = shop.post("ignore", countdown=3600)
    wait_for(lambda: shop.umbel.get(f"/api/v1/tasks/{waiting}").status == 200)
    for uuid in (failed[0]["uuid"], waiting):
        asked = shop.umbel.send("POST", f"/api/v1/tasks/{uuid}/revocation", body="{}", headers=JSON)
        assert asked.status in (200, 202), asked.text
    worker = f"{shop.url}/worker/{WORKER}"
    jobs = "/api/v1/revocation-jobs"
    job = shop.umbel.send("POST", jobs, body='{"ids": ["never-seen"]}', headers=JSON).json()["id"]
    begun = shop.umbel.send("POST", f"{jobs}/{job}/start", body='{"confirm": 1}', headers=JSON)
    assert begun.status == 202, begun.text
    return {
        f"{shop.url}/": WORKER,
        f"{shop.url}/tasks": "tests.add",
        f"{shop.url}/monitor": "Outcomes per minute",
        f"{shop.url}/task/{failed[0]['uuid']}": "Attempt 1",
        f"{shop.url}/task/{waiting}": "Terminate…",
        worker: "Process id",
        f"{worker}#tab-pool": "Max concurrency",
        f"{worker}#tab-queues": "Add a consumer",
        f"{worker}#tab-tasks": "Taken since its start",
        f"{worker}#tab-limits": "tests.add",
        f"{worker}#tab-config": "result_extended",
        f"{worker}#tab-system": "Resources used",
        f"{worker}#tab-other": "Uptime",
        f"{shop.url}/audit": "127.0.0.1",
        f"{shop.url}/revocation/{job}": "never-seen",
        f"{shop.url}/broker": "Oldest waits",
        f"{shop.url}/queue/celery": "No message waits",
    }


@pytest.mark.timeout(180)
def test_every_screen_fits_a_phone(page: Page, screens: dict[str, str]) -> None:
    page.set_viewport_size(PHONE)
    for address, text in screens.items():
        page.goto(address)
        expect(page.get_by_text(text).first).to_be_visible()
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{address} scrolls sideways by {wide} px"


def broken_rules(page: Page) -> dict[str, list[str]]:
    """What axe finds wrong with the page as it is now."""
    # evaluate goes through the debugger, which the content security policy does not stop
    page.evaluate(AXE)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return {rule["id"]: [node["html"][:160] for node in rule["nodes"][:3]] for rule in found["violations"]}


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("scheme", "size"), [("light", DESK), ("dark", DESK), ("light", PHONE)])
def test_every_screen_passes_the_accessibility_rules(
    page: Page, screens: dict[str, str], scheme: str, size: ViewportSize
) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size(size)
    for address, text in screens.items():
        page.goto(address)
        expect(page.get_by_text(text).first).to_be_visible()
        broken = broken_rules(page)
        assert broken == {}, f"{address} ({scheme}): {broken}"


@pytest.mark.timeout(180)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_dialogs_pass_the_accessibility_rules(page: Page, screens: dict[str, str], scheme: str) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    worker = next(address for address in screens if address.endswith(WORKER))
    waiting = next(address for address, text in screens.items() if text == "Terminate…")
    for address, button, within in (
        (worker, "Shut down…", "Type"),
        (f"{worker}#tab-limits", "Change the limits of tests.add", "Starts at most"),
        (waiting, "Terminate…", "Signal"),
        (f"{waiting.partition('/task/')[0]}/tasks?name=tests.ignore", "Revoke matching…", "not ended"),
        (f"{waiting.partition('/task/')[0]}/queue/celery", "Purge…", "What workers hold stays"),
    ):
        page.goto(address)
        page.get_by_role("button", name=button).click()
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_text(within).first).to_be_visible()
        if within == "Type":
            dialog.get_by_role("textbox").fill(WORKER)
        expect(dialog).to_have_css("opacity", "1")
        assert broken_rules(page) == {}, f"{button} ({scheme})"
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)


@pytest.mark.timeout(180)
def test_a_pasted_address_shows_the_same_view(page: Page, shop: Shop) -> None:
    page.goto(f"{shop.url}/tasks")
    page.get_by_role("button", name="Failed").click()
    page.get_by_role("button", name="Runtime").click()
    page.get_by_label("Search tasks").fill("give_up")
    expect(page).to_have_url(re.compile("search=give_up"))
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(1)
    address = page.url
    page.goto(f"{shop.url}/")
    page.goto(address)
    expect(rows).to_have_count(1)
    expect(page.get_by_label("Search tasks")).to_have_value("give_up")
    expect(page.get_by_role("button", name="Failed")).to_have_attribute("aria-pressed", "true")


@pytest.mark.timeout(180)
def test_unknown_task_worker_and_route_say_so(browser: Browser, shop: Shop) -> None:
    # a tab of its own: here the browser's complaint about a 404 is right
    page = browser.new_page()
    for path, text in {
        "/task/nope": "This task is not known",
        "/worker/nope": "This worker is not known",
        "/nope": "There is no such page",
    }.items():
        answer = page.goto(f"{shop.url}{path}")
        assert answer is not None
        assert answer.status == 404
        expect(page.get_by_role("heading", name=text)).to_be_visible()
    page.close()


@pytest.mark.timeout(180)
def test_the_keyboard_reaches_search_pages_and_help(page: Page, shop: Shop) -> None:
    page.goto(f"{shop.url}/")
    expect(page.get_by_text(WORKER).first).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("t")
    expect(page).to_have_title("Tasks · Umbel")
    page.keyboard.press("/")
    expect(page.get_by_label("Search tasks")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()


@pytest.mark.timeout(180)
def test_a_header_and_its_figures_share_one_edge(page: Page, shop: Shop) -> None:
    for path in ("/?sort=-processed", "/broker", "/tasks?sort=-runtime&columns=name,received,runtime,retries"):
        page.goto(f"{shop.url}{path}")
        expect(page.locator("tbody tr").first).to_be_visible()
        apart = page.evaluate(EDGES_APART)
        assert apart == [], path


def test_a_phone_shows_every_figure_of_a_worker(page: Page, shop: Shop) -> None:
    page.set_viewport_size(PHONE)
    page.goto(f"{shop.url}/")
    card = page.get_by_role("list", name="Workers").get_by_role("listitem").filter(has_text=WORKER)
    expect(card.get_by_text("online")).to_be_visible()
    for label in ("Active", "Processed", "Failed", "Succeeded", "Retried", "Load average"):
        expect(card.get_by_text(label)).to_be_in_viewport(ratio=1)
    cut = card.evaluate(
        "card => [...card.querySelectorAll('dd')].filter(dd => dd.scrollWidth > dd.clientWidth).length"
    )
    assert cut == 0
    page.get_by_label("Sort by").select_option("Sort by Processed")
    expect(page).to_have_url(re.compile(r"sort=-processed"))
