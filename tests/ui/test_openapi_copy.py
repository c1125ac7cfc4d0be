"""The API document that the page's types are generated from is the one the server serves."""

import json
from pathlib import Path

from umbel.web.openapi import document

COPY = Path(__file__).parents[2] / "ui" / "openapi.json"


def test_the_committed_document_is_current() -> None:
    copy = json.loads(COPY.read_text(encoding="utf-8"))
    assert copy == json.loads(json.dumps(document())), (
        "run: python -m umbel.web.openapi > ui/openapi.json, then npm run types in ui/"
    )
