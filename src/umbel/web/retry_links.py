"""Which task is a retry of which, as the audit tells it: each retry has a row about the old task that names the new.

A new task's parent is the one that it repeats, so that its row is found by an index.
"""

import logging
from collections.abc import Iterable

from umbel.errors import StoreError
from umbel.model.task import Task
from umbel.store.audit import AuditLog

logger = logging.getLogger(__name__)

ACTION = "retry"
#: Retries of one task that are told.
MOST = 100
_NOT_SENT = ("failed", "refused")


def fetch_links(audit: AuditLog, task: Task) -> tuple[str | None, list[str]]:
    """The task that this one repeats, and those that repeat it; nothing while the audit can't be read."""
    try:
        parent = task.parent_id
        is_retry = parent is not None and task.uuid in _fetch_retries(audit, parent)
        return parent if is_retry else None, list(_fetch_retries(audit, task.uuid))[::-1]
    except StoreError as exc:
        logger.warning("Which tasks are retries can't be read from the audit: %s", exc)
        return None, []


def _fetch_retries(audit: AuditLog, uuid: str) -> Iterable[str]:
    """The newest first."""
    rows, _ = audit.fetch(limit=MOST, action=ACTION, target=uuid)
    return {str(row.parameters.get("task_id")): None for row in rows if row.outcome not in _NOT_SENT}
