"""Watches readiness from outside, as a load balancer does: was the monitor ready at a given moment?"""

import threading
import time
from bisect import bisect_right
from types import TracebackType
from typing import Self

from tests.prove.page import fetch_status_code

#: Seconds between two looks.
INTERVAL = 0.2
#: A moment between two looks that are further apart than this was not watched.
LONGEST_STEP = 1.0


class ReadinessWatch:
    """Asks `/health/ready` every 0.2 s from a thread of its own; times are epoch seconds UTC."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/") + "/health/ready"
        #: (asked at, answered at, status code; 0 for no answer).
        self.looks: list[tuple[float, float, int]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="readiness", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._stop.wait(INTERVAL):
            asked = time.time()
            code = fetch_status_code(self._url)
            self.looks.append((asked, time.time(), code))

    def was_ready(self, moment: float) -> bool:
        """The last look begun before `moment` and the first one ended after it both said 200."""
        looks = list(self.looks)
        after = bisect_right(looks, moment, key=lambda look: look[0])
        if not 0 < after < len(looks):
            return False
        before, later = looks[after - 1], looks[after]
        return before[2] == later[2] == 200 and later[1] - before[0] <= LONGEST_STEP

    def was_ready_throughout(self, start: float, end: float) -> bool:
        """Every look between the one before `start` and the one after `end` said 200."""
        if not (self.was_ready(start) and self.was_ready(end)):
            return False
        return all(code == 200 for asked, _, code in list(self.looks) if start <= asked <= end)

    def first(self, code_is_200: bool, after: float) -> float | None:
        """When the first look asked after `after` was answered with 200 (or anything else); None: not yet."""
        for asked, answered, code in list(self.looks):
            if asked >= after and (code == 200) is code_is_200:
                return answered
        return None
