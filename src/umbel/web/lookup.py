"""One task by its id: from the history, or from the result backend where no event of it was seen.

Used by the page, `/api/v1` and Flower's `/api/task/info`.
"""

import msgspec
from anyio.to_thread import run_sync

from umbel.control.stored_result import StoredResult, read_meta, task_of
from umbel.errors import BackendUnavailable, NoBackend
from umbel.model.task import Record
from umbel.store.base import TaskDetail
from umbel.web.deps import Deps
from umbel.web.problem import Refused

FROM_BACKEND = "From the result backend: no event of it is stored."


class Found(msgspec.Struct, frozen=True):
    """A task, and where it was found."""

    detail: TaskDetail
    #: What the backend keeps; None for a task of the history, for which nobody asked there.
    stored: StoredResult | None = None

    @property
    def note(self) -> str:
        """One sentence for one that is not from events."""
        return FROM_BACKEND if self.stored else ""


async def find_task(deps: Deps, uuid: str) -> Found:
    """The task of this id.

    Raises:
        StoreError: The history can't be read now.
        Refused: Nobody knows it (404), or the result backend gives no answer (503).
    """
    detail = await run_sync(deps.reader.fetch_task, uuid)
    if detail is not None:
        return Found(detail)
    try:
        stored = await fetch_stored(deps, uuid)
    except NoBackend:
        stored = None
    except BackendUnavailable as exc:
        message = f"No event of '{uuid}' is stored, and the result backend can't be asked: {exc}"
        raise Refused(503, message) from exc
    if stored is None:
        raise Refused(404, f"Unknown task '{uuid}'")
    task = task_of(stored, deps.redactor, deps.config.max_text)
    return Found(TaskDetail(task, Record(uuid, (), {}), list(stored.children)), stored)


async def fetch_stored(deps: Deps, uuid: str) -> StoredResult | None:
    """What the result backend keeps of a task; None for nothing. Raises NoBackend, BackendUnavailable."""
    if not uuid:
        return None
    return read_meta(uuid, await deps.calling.look_up(uuid))
