"""The reference pages of the web side: made from the code, or naming everything the code has."""

import re
from pathlib import Path

from starlette.routing import Route

from tests.integration.told_history import told_history
from tests.integration.web_server import make_deps
from tests.unit.memory_reader import MemoryReader
from umbel.auth.base import Guard
from umbel.metrics.prometheus import Exposition
from umbel.web.api_page import reference_page
from umbel.web.present import Present
from umbel.web.routes import Table
from umbel.web.stream import Stream

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
PAGES = {
    "/",
    "/workers",
    "/tasks",
    "/broker",
    "/monitor",
    "/audit",
    "/revocation/{job}",
    "/queue/{name:path}",
    "/worker/{name:path}",
    "/task/{uuid:path}",
    "/static/{path:path}",
}


def test_the_page_of_the_v1_api_is_what_the_code_makes() -> None:
    hint = "run `python -m umbel.web.api_page docs/reference/api.md`"
    assert (REFERENCE / "api.md").read_text(encoding="utf-8") == reference_page(), hint


def test_every_metric_is_described(tmp_path: Path) -> None:
    page = (REFERENCE / "metrics.md").read_text(encoding="utf-8")
    with told_history(tmp_path) as told:
        told.tell_worker()
        told.tell_task("t1", at=1_700_000_000.0)
        status = told.tell_status(dropped={"x": 1}, malformed={"y": 1}, last_event_at=1.0)
        exposition = Exposition(
            told.reader, lambda: status, lambda: status.time, (0.1, 1.0, 10.0), told.reader.fetch_workers,
            limit=1000,
        )  # fmt: skip
        text = b"".join(exposition.render()).decode()
    families = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
    # the client library adds one such gauge to each counter
    families -= {name for name in families if name.startswith("umbel_") and name.endswith("_created")}
    missing = {name for name in families if f"`{name}`" not in page}
    assert missing == set()


def test_every_route_is_described(tmp_path: Path) -> None:
    deps = make_deps(MemoryReader(), tmp_path)
    present = Present(deps)
    table = Table(deps, Guard(None, {}), Stream(deps, present), present)
    pages = "".join(
        (REFERENCE / name).read_text(encoding="utf-8") for name in ("api.md", "flower-api.md", "metrics.md")
    )
    paths = {route.path for route in table.routes() if isinstance(route, Route)} - PAGES
    shown = {re.sub(r"\{(\w+):path\}", r"{\1}", path) for path in paths}
    flowers = {path: re.sub(r"\{(\w+)\}", r"<\1>", path.replace("{uuid}", "{id}")) for path in shown}
    assert {path for path in shown if f"{path}`" not in pages and f"{flowers[path]}`" not in pages} == set()
