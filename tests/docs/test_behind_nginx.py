"""The nginx how-to's own lines, in a real nginx before a real monitor."""

import re
import shlex

import pytest

from tests.conftest import UmbelFactory
from tests.docs.documents import find_blocks
from tests.servers import NginxServer

DOCUMENT = "docs/howto/behind-nginx.md"


@pytest.mark.timeout(120)
def test_the_page_and_the_stream_come_through_nginx(redis_url: str, umbel_server: UmbelFactory) -> None:
    command = next(block for block in find_blocks(DOCUMENT) if block.startswith("celery "))
    words = [word for word in shlex.split(command)[4:] if not word.startswith("--port")]
    umbel = umbel_server(redis_url, arguments=words)
    (block,) = find_blocks(DOCUMENT, "nginx")
    with NginxServer(block.replace("127.0.0.1:5555", f"127.0.0.1:{umbel.port}")) as nginx:
        assert nginx.get("/umbel/health/live").status == 200
        page = nginx.get("/umbel/")
        assert page.status == 200
        assets = re.findall(r'(?:src|href)="(/umbel/[^"]+)"', page.text)
        assert assets
        assert {nginx.get(asset).status for asset in assets} == {200}
        # Flower's API stays closed to what only looks local because the proxy is.
        assert nginx.get("/umbel/api/workers").status == 401
