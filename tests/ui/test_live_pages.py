"""The Dashboard and Tasks in a real browser, over a real worker: they change without a reload."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.apps.tasks import make_app
from tests.conftest import UmbelFactory, WorkerFactory


@pytest.mark.timeout(120)
def test_workers_and_tasks_appear_without_a_reload(
    page: Page, redis_url: str, umbel_server: UmbelFactory, celery_worker: WorkerFactory
) -> None:
    umbel = umbel_server(redis_url, arguments=["--basic_auth=ada:pw"])
    umbel.wait_until_collecting()
    page.context.set_extra_http_headers({"Authorization": "Basic YWRhOnB3"})
    page.goto(f"{umbel.url}/")
    page.evaluate("window.sameDocument = true")

    worker = celery_worker(redis_url, hostname="checkout@shop", backend=redis_url)
    row = page.get_by_role("row").filter(has_text=worker.hostname)
    expect(row).to_contain_text(re.compile("online", re.IGNORECASE))

    app = make_app(redis_url, redis_url)
    assert app.send_task("tests.add", (2, 3)).get(timeout=20) == 5
    page.get_by_role("link", name="Tasks", exact=True).first.click()
    done = page.get_by_role("row").filter(has_text="tests.add")
    expect(done).to_contain_text(re.compile("success", re.IGNORECASE))
    app.send_task("tests.fail", ("no such order",))
    failed = page.get_by_role("row").filter(has_text="tests.fail")
    expect(failed).to_contain_text(re.compile("failure", re.IGNORECASE))
    assert page.evaluate("window.sameDocument")
    app.close()
