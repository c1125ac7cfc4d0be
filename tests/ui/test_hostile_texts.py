"""Hostile texts in every field a worker or client can fill are shown as text, and no script of theirs runs (AU6)."""

import time
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.apps.tasks import make_app
from tests.conftest import UmbelFactory
from tests.servers import UmbelServer

CORPUS = (
    "<script>window.pwned=1</script>",
    "<img src=x onerror=window.pwned=2>",
    '"><svg/onload=window.pwned=3>',
    "'-window.pwned=4-'",
    "javascript:window.pwned=5",
    "{{constructor.constructor('window.pwned=6')()}}",
    "__UMBEL_NONCE__</script><script>window.pwned=7</script>",
    "${window.pwned=8}%3Cscript%3Ewindow.pwned=9%3C/script%3E",
)


def send_hostile_events(broker: str) -> dict[str, str]:
    """Publish, as workers would, one failed task per text of the corpus; return task id -> text."""
    app = make_app(broker)
    sent = {}
    for number, text in enumerate(CORPUS):
        uuid = f"{number:08d}-0000-4000-8000-000000000000"
        sent[uuid] = text
        with app.connection_for_write() as connection:
            events = app.events.Dispatcher(connection, hostname=f"{text}@evil", enabled=True)
            events.send("worker-online", sw_ident=text, sw_ver=text, sw_sys=text, freq=2)
            events.send("worker-heartbeat", sw_ident=text, sw_ver=text, sw_sys=text, freq=2, active=1)
            events.send("task-received", uuid=uuid, name=text, args=text, kwargs=text, eta=text, retries=0)
            events.send("task-started", uuid=uuid)
            events.send("task-failed", uuid=uuid, exception=text, traceback=text)
            events.close()
    app.close()
    return sent


def wait_until_stored(umbel: UmbelServer, count: int) -> None:
    """Wait for the tasks to be in the history; at most 20 s."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if umbel.get("/api/v1/facets").json()["total"] >= count:
            return
        time.sleep(0.1)
    raise AssertionError("the events were not stored within 20 s")


@pytest.mark.timeout(180)
def test_hostile_texts_are_shown_as_texts(page: Page, redis_url: str, umbel_server: UmbelFactory) -> None:
    umbel = umbel_server(redis_url)
    umbel.wait_until_collecting()
    sent = send_hostile_events(redis_url)
    wait_until_stored(umbel, len(sent))

    page.goto(f"{umbel.url}/tasks?columns=name,uuid,state,args,kwargs,exception,eta,worker")
    expect(page.locator("tbody tr")).to_have_count(len(sent))
    for text in sent.values():
        expect(page.get_by_role("row").filter(has_text=text).first).to_be_visible()
    assert page.evaluate("window.pwned") is None

    for uuid, text in sent.items():
        page.goto(f"{umbel.url}/task/{uuid}")
        expect(page.get_by_role("heading", level=1)).to_have_text(text)
        assert page.evaluate("window.pwned") is None

    page.goto(f"{umbel.url}/")
    expect(page.locator("tbody tr")).to_have_count(len(sent))
    for text in sent.values():
        page.goto(f"{umbel.url}/worker/{quote(f'{text}@evil', safe='')}")
        expect(page.get_by_role("heading", level=1)).to_have_text(f"{text}@evil")
    page.goto(
        f"{umbel.url}/tasks?search={quote(CORPUS[1])}&worker={quote(CORPUS[0])}&name={quote(CORPUS[2])}"
    )
    expect(page.get_by_role("searchbox").or_(page.get_by_label("Search tasks"))).to_be_visible()
    assert page.evaluate("window.pwned") is None
