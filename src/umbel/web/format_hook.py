"""The user's `format_task` hook, kept harmless: it gets a copy, and what it raises hides nothing and breaks nothing."""

import logging
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

logger = logging.getLogger(__name__)


class Hooked(SimpleNamespace):
    """A task as the hook sees it: Flower's keys as attributes, to read and to replace."""


def apply_hook(hook: Callable[[Any], Any] | None, item: dict[str, Any]) -> dict[str, Any]:
    """`item` as the hook wants it shown, in the same key order; unchanged where there is no hook or it fails."""
    if hook is None:
        return item
    try:
        shown = hook(Hooked(**item))
        return {key: getattr(shown, key) for key in item}
    except Exception:  # the user's code: anything may come out of it
        logger.exception("format_task failed for task %s; it is shown as it is", item.get("uuid"))
        return item
