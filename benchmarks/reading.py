"""Claim: a page of the history takes as long from ten million tasks as from a hundred thousand.

`python -m benchmarks.reading FILE…` asks each history (see `benchmarks.history`) what Flower's pages and API ask, and
prints the median milliseconds of each kind of question at the store, without HTTP. On a machine that does other work
`--cpu` says more: it counts only the milliseconds in which this process ran.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from umbel.errors import StoreUnavailable
from umbel.ingest.settings import DEFAULT_BUCKETS
from umbel.store.base import SortField, TaskQuery
from umbel.store.search import parse_search
from umbel.store.sqlite_reader import SQLiteReader

Question = Callable[[SQLiteReader], object]

#: What counting may cost is part of the answer to a table.
COUNT_LIMIT = 10_000


def page(query: TaskQuery, *, limit: int = 100, offset: int = 0) -> Question:
    """A page as the API gives it."""
    return lambda reader: reader.fetch_tasks(query, limit=limit, offset=offset)


def table(query: TaskQuery, *, limit: int = 10, offset: int = 0) -> Question:
    """A page with its count, as the table asks."""

    def ask(reader: SQLiteReader) -> object:
        return reader.fetch_tasks(query, limit=limit, offset=offset), reader.count_tasks(
            query, limit=COUNT_LIMIT
        )

    return ask


def search(text: str, sort: SortField = "received") -> TaskQuery:
    """Newest first."""
    return TaskQuery(search=parse_search(text), sort=sort)


#: Kind -> the question. A word of the stream is in most tasks, "zyxw" in none, a number in a few.
QUESTIONS: dict[str, Question] = {
    "newest 100": page(TaskQuery()),
    "received 100": page(TaskQuery(sort="received")),
    "table": table(TaskQuery(sort="received")),
    "table, offset 5,000": table(TaskQuery(sort="received"), offset=5000),
    "table, offset 50,000": table(TaskQuery(sort="received"), offset=50_000),
    "state filter": page(TaskQuery(states=("FAILURE",))),
    "state filter, received": page(TaskQuery(states=("FAILURE",), sort="received")),
    "state:FAILURE": table(search("state:FAILURE")),
    "state:PENDING": table(search("state:PENDING")),
    "name filter": page(TaskQuery(name="billing.charge_card")),
    "worker filter, started": page(TaskQuery(worker="celery@worker-0003", sort="started")),
    "common word": page(search("invoice", "updated")),
    "common word, table": table(search("invoice")),
    "two words": table(search("invoice shipped")),
    "number": table(search("471123")),
    "kwargs pair": table(search("kwargs:tenant=17")),
    "failure message": table(search("state:FAILURE name:billing")),
    "no match": page(search("zyxwvu", "updated")),
    "no match, table": table(search("zyxwvu")),
    "uuid part": table(search("4af3-8")),
    "sort name": table(TaskQuery(sort="name", descending=False)),
    "sort state": table(TaskQuery(sort="state")),
    "sort state ascending": table(TaskQuery(sort="state", descending=False)),
    "sort worker": table(TaskQuery(sort="worker")),
    "sort runtime": table(TaskQuery(sort="runtime")),
    "sort runtime ascending": table(TaskQuery(sort="runtime", descending=False)),
    "sort started ascending": table(TaskQuery(sort="started", descending=False)),
    "sort args": table(TaskQuery(sort="args")),
}


def forget(path: Path) -> None:
    """Take the files of a history out of the system's cache, as after a start of the machine."""
    for file in path.parent.glob(f"{path.name.removesuffix('.sqlite3')}.*"):
        with file.open("rb") as opened:
            os.fsync(opened.fileno())
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def ask_cold(path: Path, question: Question) -> float | None:
    """Seconds of the first question to a history that nobody has read from."""
    forget(path)
    with closing(SQLiteReader(path, buckets=DEFAULT_BUCKETS)) as reader:
        reader.open()
        return measure(reader, question, clock=time.perf_counter, rounds=1, patience=60.0)


def measure(
    reader: SQLiteReader, question: Question, *, clock: Callable[[], float], rounds: int, patience: float
) -> float | None:
    """Median seconds; fewer rounds of what takes long; None where it was given up."""
    took: list[float] = []
    while len(took) < rounds and sum(took) < patience:
        began = clock()
        try:
            question(reader)
        except StoreUnavailable:
            return None
        took.append(clock() - began)
    return statistics.median(took)


def main() -> None:
    """Print one row a question and one column a history."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--cpu", action="store_true", help="CPU time instead of the clock on the wall")
    parser.add_argument("--cold", action="store_true", help="one question each, files out of the cache")
    parser.add_argument("--only", default="", help="questions whose name contains this")
    options = parser.parse_args()
    readers = [SQLiteReader(path, buckets=DEFAULT_BUCKETS) for path in options.files]
    sizes = [f"{reader.fetch_extent().tasks:>13,}" for reader in readers]
    print(f"{'p50 ms':<26}{''.join(sizes)}")
    for kind, question in QUESTIONS.items():
        if options.only not in kind:
            continue
        clock = time.process_time if options.cpu else time.perf_counter
        if options.cold:
            found = [ask_cold(path, question) for path in options.files]
        else:
            found = [
                measure(reader, question, clock=clock, rounds=options.rounds, patience=4.0)
                for reader in readers
            ]
        cells = [f"{'given up':>13}" if value is None else f"{value * 1000:>13.2f}" for value in found]
        print(f"{kind:<26}{''.join(cells)}", flush=True)
    for reader in readers:
        reader.close()


if __name__ == "__main__":
    main()
