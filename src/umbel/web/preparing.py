"""What the first questions after a start would pay for, done before they come: statements are made, the upper pages of
the indexes are read, and each worker's totals are known.

Runs once, a few seconds after the server began to answer, one question after the other; then nothing is left of it.
"""

import asyncio
import logging
import threading
from collections.abc import Sequence
from typing import NamedTuple

from starlette.requests import Request

from umbel.errors import StoreError
from umbel.store.base import HistoryReader
from umbel.web.endpoint import Handler
from umbel.web.problem import Refused

logger = logging.getLogger(__name__)

#: Seconds after the start: the first pages come first, then what the cluster is asked.
START_AFTER = 2.5
#: Seconds between two questions, so that whoever asks meanwhile waits for one of them at most.
PAUSE = 0.05
#: Rows that the search index may not know: a search looks at each of them.
MOST_UNKNOWN = 2_000


class Usual(NamedTuple):
    """A question that many ask: an endpoint that only reads, and its query string."""

    handler: Handler
    query: str = ""
    #: A search for what no task has, which without an index would read all of them.
    is_search: bool = False


class Preparation:
    """Asks the usual questions, in a thread with an event loop of its own. Their answers are thrown away."""

    def __init__(
        self, reader: HistoryReader, questions: Sequence[Usual], *, start_after: float = START_AFTER
    ) -> None:
        self._reader = reader
        self._questions = questions
        self._start_after = start_after
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="umbel-prepare", daemon=True)

    def start(self) -> None:
        """Begin, in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Ask no more. Nothing waits for the question under way: nobody wants its answer."""
        self._stopping.set()

    @property
    def is_done(self) -> bool:
        """All was asked, or given up."""
        return not self._thread.is_alive()

    def _run(self) -> None:
        if self._stopping.wait(self._start_after):
            return
        try:
            asyncio.run(self._ask())
        except (StoreError, Refused) as exc:
            # a history that is not there yet, or in trouble, is told to those who ask
            logger.debug("The usual questions could not be prepared: %s", exc)
        except Exception:
            logger.exception("The usual questions could not be prepared")

    async def _ask(self) -> None:
        for question in self._questions:
            if not question.is_search or self._is_indexed():
                await question.handler(_request(question.query))
            if self._stopping.wait(PAUSE):
                return

    def _is_indexed(self) -> bool:
        unknown = self._reader.fetch_search_backlog()
        return unknown is not None and unknown <= MOST_UNKNOWN


def _request(query: str) -> Request:
    return Request(
        {"type": "http", "method": "GET", "path": "/", "query_string": query.encode(), "headers": []}
    )
