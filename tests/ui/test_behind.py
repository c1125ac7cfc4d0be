"""The page says by how much the monitor is behind, as its collector tells, and stops saying so."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.integration.told_history import ToldHistory, told_history
from tests.integration.web_server import make_deps, serving
from umbel.app import UI_FOLDER


@pytest.fixture
def history(tmp_path: Path) -> Iterator[ToldHistory]:
    with told_history(tmp_path) as told:
        told.tell_worker()
        told.tell_task("t1", at=time.time())
        yield told


def tell_lag(history: ToldHistory, lag: float) -> None:
    history.tell_status(lag=lag, last_event_at=time.time())


@pytest.mark.timeout(120)
def test_a_page_that_is_behind_says_by_how_much(page: Page, history: ToldHistory) -> None:
    tell_lag(history, 0.3)
    with serving(make_deps(history.reader, UI_FOLDER)) as server:
        page.goto(server.url)
        expect(page.get_by_label("Monitor: Live", exact=True)).to_be_visible()
        tell_lag(history, 7.4)
        expect(page.get_by_label("Monitor: Behind by 7 s", exact=True)).to_be_visible()
        page.set_viewport_size({"width": 360, "height": 700})
        expect(page.get_by_text("Behind by 7 s")).to_be_visible()
        page.get_by_label("Monitor: Behind by 7 s").click()
        expect(page.get_by_text("catches up by itself")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        tell_lag(history, 0.2)
        expect(page.get_by_label("Monitor: Live", exact=True)).to_be_visible()
