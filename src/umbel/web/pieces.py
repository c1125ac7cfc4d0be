"""An answer that is too large to be put together: pieces of text that answers share, sent some at a time."""

from collections.abc import Iterator, Sequence

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

#: Bytes sent at a time, at least.
STEP = 256_000


class PiecesResponse(Response):
    """200 with these pieces as its body; `tag` must be another one for other bytes."""

    def __init__(self, pieces: Sequence[bytes], content_type: str, tag: str) -> None:
        super().__init__(None, 200)
        self._pieces = pieces
        headers = (
            ("content-length", str(sum(map(len, pieces)))),
            ("content-type", content_type),
            ("etag", f'"{tag}"'),
        )
        self.raw_headers = [(name.encode(), value.encode()) for name, value in headers]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for part in _steps(self._pieces):
            # waits for the client: nothing piles up here
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def _steps(pieces: Sequence[bytes]) -> Iterator[bytes]:
    begun, size = 0, 0
    for index, piece in enumerate(pieces, 1):
        size += len(piece)
        if size >= STEP:
            yield b"".join(pieces[begun:index])
            begun, size = index, 0
    yield b"".join(pieces[begun:])
