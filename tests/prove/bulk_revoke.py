"""The scenario of bulk revocation: workers run while thousands of their waiting tasks are revoked, and a ledger that
they keep says which of them ran."""

import json
import time
from contextlib import ExitStack
from typing import Any

import msgspec
from celery import Celery

from tests.prove.stage import Broker, QuietWorker, make_broker
from tests.servers import UmbelServer, wait_for
from tests.servers.cluster import Pool

OPEN = {"FLOWER_UNAUTHENTICATED_API": "true"}


class Revoked(msgspec.Struct, kw_only=True):
    """What a bulk revocation said, and what the ledger says."""

    #: What was sent, and what the preview pinned and left out.
    sent: list[str]
    previewed: int
    left_out: int
    preview_states: dict[str, int]
    previewed_at: float
    preview_seconds: float
    state: str
    silent: list[str]
    outcomes: dict[str, int]
    #: uuid -> outcome.
    fates: dict[str, str]
    job_seconds: float
    #: uuid -> when it started, by the ledger at the very end.
    ran: dict[str, float]
    #: Other tasks in the same queue, and those of the same name that were sent after the preview.
    others: list[str]
    late: list[str]
    #: REVOKED tasks in the history at the end.
    shown_revoked: int
    audit: dict[str, Any]


class Caller:
    """Asks a monitor."""

    def __init__(self, umbel: UmbelServer) -> None:
        self.umbel = umbel

    def get(self, path: str) -> Any:
        return self.umbel.get(f"/api/v1/{path}", timeout=30.0).json()

    def post(self, path: str, body: Any) -> Any:
        answer = self.umbel.send(
            "POST", f"/api/v1/revocation-jobs{path}", body=json.dumps(body), timeout=60.0,
            headers={"content-type": "application/json"},
        )  # fmt: skip
        assert answer.status in (200, 202), answer.text
        return answer.json()

    def fates(self, job: int) -> dict[str, str]:
        found: dict[str, str] = {}
        cursor = ""
        while True:
            page = self.get(f"revocation-jobs/{job}/items?limit=1000{cursor}")
            for item in page["items"]:
                assert item["uuid"] not in found
                found[item["uuid"]] = item["outcome"]
            if page["next"] is None:
                return found
            cursor = f"&cursor={page['next']}"


class Depot(Caller):
    """A broker, workers, and a monitor that watches them."""

    def __init__(self, stack: ExitStack, broker: Broker, *, pool: Pool = "prefork") -> None:
        self._stack = stack
        self._pool = pool
        server = make_broker(broker)
        stack.enter_context(server)
        self.url = server.url
        super().__init__(stack.enter_context(UmbelServer(self.url, environment=OPEN)))
        self.umbel.wait_until_collecting(120.0)
        self.ledger = self.umbel.folder / "ledger"
        self.ledger.touch()
        self.app = Celery("customer", broker=self.url, set_as_current=False)
        self.app.conf.update(task_send_sent_event=True, task_default_queue="depot")
        for number in range(2):
            self.add_worker(f"depot{number}@prove")

    def add_worker(self, hostname: str) -> None:
        environment = {"PROVE_BROKER": self.url, "PROVE_LEDGER": str(self.ledger)}
        worker = QuietWorker(
            self.url, app="tests.prove.depot", pool=self._pool, concurrency=2, hostname=hostname,
            environment=environment, arguments=("--loglevel=WARNING",),
        )  # fmt: skip
        self._stack.enter_context(worker)
        wait_for(lambda: self.get(f"workers/{hostname}")["status"] == "online", 60.0, retry=(KeyError,))

    def send(self, name: str, count: int) -> list[str]:
        with self.app.connection_for_write() as connection, self.app.amqp.Producer(connection) as producer:
            return [
                str(self.app.send_task(f"depot.{name}", (number,), producer=producer).id)
                for number in range(count)
            ]

    def known(self, name: str) -> int:
        """How many tasks of this name the history holds."""
        states = self.get(f"facets?name=depot.{name}")["states"]
        return sum(entry["count"] for entry in states)

    def unfinished(self) -> int:
        """Tasks of all names that have not ended."""
        states = self.get("facets")["states"]
        return sum(one["count"] for one in states if one["value"] in ("PENDING", "RECEIVED", "STARTED"))

    def read_ledger(self) -> dict[str, float]:
        lines = (line.split() for line in self.ledger.read_text().splitlines())
        return {uuid: float(at) for uuid, at in lines}


def revoke_many(depot: Depot, count: int, *, newcomer: bool) -> Revoked:
    """Send, preview by a filter, start, and wait until workers have gone through all that is left."""
    others = depot.send("stock", 100)
    sent = depot.send("ship", count // 2)
    others += depot.send("stock", 100)
    sent += depot.send("ship", count - count // 2)
    others += depot.send("stock", 100)
    wait_for(lambda: depot.known("ship") == count, 120.0, message=lambda: str(depot.known("ship")))
    begun = time.monotonic()
    job = depot.post("", {"filter": {"name": "depot.ship"}})
    preview_seconds, previewed_at = time.monotonic() - begun, time.time()
    late = depot.send("ship", 50)
    begun = time.monotonic()
    depot.post(f"/{job['id']}/start", {"confirm": job["total"]})
    if newcomer:
        # it begins to take tasks while others are told
        depot.add_worker("newcomer@prove")
    done = wait_for(
        lambda: (got := depot.get(f"revocation-jobs/{job['id']}"))["state"] != "running" and got, 180.0
    )
    job_seconds = time.monotonic() - begun
    wait_for(lambda: depot.unfinished() == 0, 300.0, message=lambda: str(depot.get("facets")["states"]))
    # later events may have changed an outcome
    done = depot.get(f"revocation-jobs/{job['id']}")
    return Revoked(
        sent=sent,
        previewed_at=previewed_at,
        previewed=job["total"],
        left_out=sum(entry["count"] for entry in job["left_out"]),
        preview_states={str(entry["state"]): entry["count"] for entry in job["states"]},
        preview_seconds=preview_seconds,
        state=done["state"],
        silent=done["silent"],
        outcomes={entry["outcome"]: entry["count"] for entry in done["outcomes"]},
        fates=depot.fates(job["id"]),
        job_seconds=job_seconds,
        ran=depot.read_ledger(),
        others=others,
        late=late,
        shown_revoked=sum(
            one["count"] for one in depot.get("facets?name=depot.ship")["states"] if one["value"] == "REVOKED"
        ),
        audit=depot.get(f"audit?action=revoke_many&target={job['id']}")["items"][0],
    )
