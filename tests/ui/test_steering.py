"""Buttons over real workers: what is shown is what the worker did, refused, or never said."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.conftest import UmbelFactory, WorkerFactory
from tests.servers import CeleryWorker, wait_for
from tests.ui.conftest import Shop
from tests.ui.test_every_screen import broken_rules

#: The worker that is steered; it takes tasks from a queue of its own.
STEERED = "steered@shop"
QUEUE = "steered"


@pytest.fixture(scope="module")
def steered(shop: Shop) -> Iterator[CeleryWorker]:
    with CeleryWorker(shop.broker, hostname=STEERED, arguments=["-Q", QUEUE]) as worker:
        worker.wait_until_answering()
        wait_for(lambda: shop.umbel.get(f"/api/v1/workers/{STEERED}").status == 200)
        yield worker


def latest(page: Page) -> Locator:
    """What the page says of its latest command."""
    return page.get_by_role("status", name="Commands of this page").locator("> *").first


def fact(page: Page, term: str) -> Locator:
    """The value beside a term."""
    return page.locator("dl > div").filter(has=page.get_by_text(term, exact=True)).locator("dd")


def state(page: Page) -> Locator:
    """The page's heading with the task's state."""
    return page.locator("header").filter(has=page.get_by_role("heading", level=1))


@pytest.mark.timeout(120)
def test_a_pool_that_grows_is_shown_as_it_becomes(page: Page, shop: Shop, steered: CeleryWorker) -> None:
    page.goto(f"{shop.url}/worker/{STEERED}#tab-pool")
    expect(fact(page, "Processes")).to_have_text(re.compile(r"^1: \d+$"))
    page.get_by_role("button", name="Grow").click()
    expect(latest(page)).to_contain_text("Grow the pool by 1confirmed")
    expect(latest(page)).to_contain_text(f"{STEERED} confirmed: pool will grow")
    # Celery starts the process some seconds later
    expect(fact(page, "Processes")).to_have_text(re.compile(r"^2: \d+, \d+$"), timeout=30_000)
    page.get_by_role("button", name="Shrink").click()
    expect(latest(page)).to_contain_text("Shrink the pool by 1confirmed")
    expect(fact(page, "Processes")).to_have_text(re.compile(r"^1: \d+$"), timeout=30_000)
    # what this pool can't do is not offered
    expect(page.get_by_text("it was not started with --autoscale")).to_be_visible()
    expect(page.get_by_role("button", name="Set bounds")).to_have_count(0)
    expect(page.get_by_text("worker_pool_restarts is not set")).to_be_visible()


@pytest.mark.timeout(120)
def test_a_waiting_task_that_is_revoked_ends_as_revoked(
    page: Page, shop: Shop, steered: CeleryWorker
) -> None:
    running = shop.post("sleep", 600, queue=QUEUE)
    wait_for(lambda: shop.umbel.get(f"/api/v1/tasks/{running}").json().get("state") == "STARTED", 20.0)
    waiting = shop.post("add", 1, 2, queue=QUEUE)
    wait_for(lambda: shop.umbel.get(f"/api/v1/tasks/{waiting}").status == 200, 20.0)
    page.goto(f"{shop.url}/task/{waiting}")
    expect(state(page)).to_contain_text("RECEIVED")
    page.get_by_role("button", name="Revoke…").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(latest(page)).to_contain_text("confirmed")
    expect(page.get_by_text("known to all workers")).to_be_visible()
    # it is known, and not done: the worker is still busy
    expect(state(page)).to_contain_text("RECEIVED")

    page.goto(f"{shop.url}/task/{running}")
    page.get_by_role("button", name="Terminate…").click()
    page.get_by_label("Signal").select_option("SIGKILL")
    page.get_by_role("dialog").get_by_role("button", name="Terminate").click()
    expect(state(page)).to_contain_text("REVOKED")
    expect(page.get_by_role("button", name="Revoke…")).to_have_count(0)

    page.goto(f"{shop.url}/task/{waiting}")
    expect(state(page)).to_contain_text("REVOKED")
    expect(fact(page, "Means")).to_have_text("A worker has thrown it away or ended it.")
    page.get_by_role("link", name="Audit", exact=True).last.click()
    expect(page).to_have_url(re.compile(f"target={waiting}"))
    row = page.get_by_role("row").nth(1)
    expect(row).to_contain_text("127.0.0.1Revoke")
    expect(row).to_contain_text("confirmed")


@pytest.mark.timeout(120)
def test_a_frozen_workers_silence_is_shown_as_silence(page: Page, shop: Shop, steered: CeleryWorker) -> None:
    page.goto(f"{shop.url}/worker/{STEERED}#tab-queues")
    page.get_by_label("Queue", exact=True).fill("never-heard-of")
    steered.freeze()
    try:
        page.get_by_role("button", name="Take tasks from it").click()
        expect(latest(page)).to_contain_text("waiting")
        expect(latest(page)).to_contain_text("no answer")
        expect(latest(page)).to_contain_text(f"{STEERED} gave no answer in time; it may still do it")
        expect(latest(page)).not_to_contain_text("confirmed")
        expect(page.get_by_text("Asked again just now, it gave no answer.")).to_be_visible()
    finally:
        steered.thaw()


@pytest.mark.timeout(120)
def test_a_shutdown_asks_for_the_name_and_waits_for_the_farewell(
    page: Page, shop: Shop, celery_worker: WorkerFactory
) -> None:
    worker = celery_worker(shop.broker, hostname="leaving@shop", arguments=["-Q", "leaving"])
    worker.wait_until_answering()
    wait_for(lambda: shop.umbel.get("/api/v1/workers/leaving@shop").status == 200)
    page.goto(f"{shop.url}/worker/leaving@shop")
    page.get_by_role("button", name="Shut down…").click()
    sure = page.get_by_role("dialog").get_by_role("button", name="Shut down")
    expect(sure).to_be_disabled()
    page.get_by_label("Type leaving@shop to confirm").fill("leaving@shop")
    sure.click()
    expect(latest(page)).to_contain_text("it said goodbye")
    expect(page.get_by_text("It can't be started from here.")).to_be_visible()
    expect(page.get_by_role("button", name="Shut down…")).to_have_count(0)
    wait_for(lambda: not worker.is_running(), 10.0)


@pytest.mark.timeout(120)
def test_read_only_shows_no_buttons_and_says_why(
    page: Page, shop: Shop, steered: CeleryWorker, umbel_server: UmbelFactory
) -> None:
    server = umbel_server(shop.broker, arguments=["--read_only=true"])
    server.wait_until_collecting()
    waiting = shop.post("add", 1, 2, queue=QUEUE, countdown=3600)
    wait_for(lambda: server.get(f"/api/v1/tasks/{waiting}").status == 200, 20.0)
    why = page.get_by_text("this monitor is in read-only mode")
    page.goto(f"{server.url}/task/{waiting}")
    expect(why).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("Revoke|Terminate|Abort"))).to_have_count(0)
    for tab, text in {"pool": "Max concurrency", "queues": "Routing key", "limits": "tests.add"}.items():
        page.goto(f"{server.url}/worker/{STEERED}#tab-{tab}")
        expect(page.get_by_text(text).first).to_be_visible()
        expect(why).to_be_visible()
        named = page.locator("main").get_by_role("button").all_inner_texts()
        assert named == ["Ask again"], tab


@pytest.mark.timeout(120)
def test_a_task_that_has_ended_is_retried_with_edits_and_both_tell_of_it(
    page: Page, shop: Shop, steered: CeleryWorker
) -> None:
    old = shop.post("add", 1, 2, queue=QUEUE)
    page.goto(f"{shop.url}/tasks")
    wait_for(lambda: shop.umbel.get(f"/api/v1/tasks/{old}").json().get("state") == "SUCCESS", 20.0)
    page.goto(f"{shop.url}/task/{old}")
    page.get_by_role("button", name="Retry…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("The arguments that it received are not known")
    dialog.get_by_role("button", name="Retry with edits…").click()
    expect(dialog).to_contain_text("From the printed form: check it.")
    assert broken_rules(page) == {}
    expect(dialog.get_by_label("Arguments", exact=True)).to_have_value("[1, 2]")
    dialog.get_by_label("Arguments", exact=True).fill("[40, 2]")
    dialog.get_by_label("Queue").fill(QUEUE)
    dialog.get_by_role("button", name="Send").click()
    expect(latest(page)).to_contain_text("Retry with editsconfirmed")
    expect(fact(page, "Retried as")).to_be_visible()
    new = latest(page).get_by_role("link").inner_text()
    wait_for(lambda: shop.umbel.get(f"/api/v1/tasks/{new}").status == 200, 20.0)
    latest(page).get_by_role("link").click()
    expect(fact(page, "Retry of")).to_contain_text(old)
    expect(state(page)).to_contain_text("SUCCESS")
    expect(page.get_by_text("42", exact=True)).to_be_visible()
