"""What people and machines ask a monitor all day, the same of Flower and Umbel, and how long the answers take."""

import http.client
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

#: Workers of the large fleet.
FLEET = 1_000
#: Seconds after which a connection is not trusted to be open still; servers close idle ones after 5.
IDLE = 2.0
FORM_TYPE = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True, slots=True)
class Question:
    """One request, and what its answer must hold."""

    name: str
    target: str
    #: The least that its p50 shall be better than Flower's, as a ratio.
    ratio: float
    #: Rows that a right answer has.
    rows: int
    count: Callable[[bytes], int]
    form: str = ""
    #: Seconds between two of them: what may be kept for a moment is not to be measured as if nobody had to make it.
    pause: float = 0.0


def count_tasks(body: bytes) -> int:
    """Return the tasks in an answer of `/api/tasks`."""
    return len(json.loads(body))


def count_data(body: bytes) -> int:
    """Return the rows in an answer of a table."""
    return len(json.loads(body)["data"])


def count_online(body: bytes) -> int:
    """Return the workers in an exposition."""
    return body.count(b"\nflower_worker_online{")


def write_table_form(start: int) -> str:
    """Return what the page sends for 15 rows, latest received first."""
    return urlencode(
        {
            "draw": 1,
            "start": start,
            "length": 15,
            "search[value]": "",
            "order[0][column]": 0,
            "order[0][dir]": "desc",
            "columns[0][data]": "received",
        }
    )


_TASKS = "/api/tasks?limit=100"
_TABLE = "/tasks/datatable"
#: Of a history of tasks. "customer" is in most of the stream's, "zyxwvu" in none.
TASK_QUESTIONS = (
    Question("newest 100", _TASKS, 15, 100, count_tasks),
    Question("table", _TABLE, 15, 15, count_data, form=write_table_form(0)),
    Question("deep page, row 5,000", _TABLE, 15, 15, count_data, form=write_table_form(5_000)),
    Question("state filter", f"{_TASKS}&state=FAILURE", 10, 100, count_tasks),
    Question("search, common word", f"{_TASKS}&search=customer", 10, 100, count_tasks),
    Question("search, no match", f"{_TASKS}&search=zyxwvu", 10, 0, count_tasks),
)
#: Of a fleet of `FLEET` workers.
FLEET_QUESTIONS = (
    Question("workers, 1,000", "/workers?json=1", 3, FLEET, count_data),
    Question("metrics, 1,000 workers", "/metrics", 10, FLEET, count_online, pause=1.0),
)


@dataclass(slots=True)
class Asker:
    """One client with one connection, kept while it is in use; it counts answers that are not right."""

    port: int
    wrong: int = 0
    #: Seconds by question.
    seconds: dict[str, list[float]] = field(default_factory=dict)
    _connection: http.client.HTTPConnection | None = None
    #: When the last answer was read, monotonic.
    _used: float = 0.0

    def ask(self, question: Question) -> float:
        """Return the seconds from the request to the last byte of the answer; the answer is checked after that."""
        connection = self._connect()
        method, headers = ("POST", FORM_TYPE) if question.form else ("GET", {})
        began = time.perf_counter()
        connection.request(method, question.target, question.form or None, headers)
        response = connection.getresponse()
        body = response.read()
        seconds = time.perf_counter() - began
        self._used = time.monotonic()
        if response.status != 200 or question.count(body) != question.rows:
            self.wrong += 1
        self.seconds.setdefault(question.name, []).append(seconds)
        return seconds

    def _connect(self) -> http.client.HTTPConnection:
        """Return an open connection: a new one where the server may have closed the old one as idle."""
        if self._connection is None or time.monotonic() - self._used > IDLE:
            self.close()
            self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
            self._connection.connect()
        return self._connection

    def close(self) -> None:
        """Close the connection; the next question opens another."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def forget(self) -> None:
        """Close the connection and drop what was measured; the monitor has gone or was only warmed up."""
        self.close()
        self.seconds = {}


def ask_in_turn(
    askers: Mapping[str, Asker], questions: Sequence[Question], *, patience: float, most: int = 200
) -> None:
    """Put each question to all monitors in turn, again and again, for `patience` seconds or `most` times."""
    for question in questions:
        deadline = time.monotonic() + patience
        for number in range(most):
            for asker in askers.values():
                asker.ask(question)
            if time.monotonic() > deadline and number >= 4:
                break
            time.sleep(question.pause)


def ask_round(
    asker: Asker, questions: Sequence[Question], *, seconds: float, pause: float, going: Callable[[], bool]
) -> None:
    """Put all questions in turn, as an attentive user would, for `seconds` and while `going`."""
    deadline = time.monotonic() + seconds
    asked: dict[str, float] = {}
    while time.monotonic() < deadline and going():
        for question in questions:
            if time.monotonic() - asked.get(question.name, 0.0) >= question.pause:
                asked[question.name] = time.monotonic()
                asker.ask(question)
                time.sleep(pause)
