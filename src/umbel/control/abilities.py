"""What a worker can do, known before it is asked: from its pool and its settings, as inspection told them. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

_POOLS = {
    "celery.concurrency.prefork": "prefork",
    "celery.concurrency.thread": "threads",
    "celery.concurrency.solo": "solo",
    "celery.concurrency.gevent": "gevent",
    "celery.concurrency.eventlet": "eventlet",
}
_GREEN = frozenset({"gevent", "eventlet"})
#: Action -> pools that can, as Celery implements them.
_ABLE = {
    "pool_grow": frozenset({"prefork", *_GREEN}),
    "pool_shrink": frozenset({"prefork", *_GREEN}),
    "pool_restart": frozenset({"prefork"}),
    "autoscale": frozenset({"prefork", *_GREEN}),
    "terminate": frozenset({"prefork", *_GREEN}),
    "soft_time_limit": frozenset({"prefork"}),
    "hard_time_limit": frozenset({"prefork", *_GREEN}),
}
#: The setting by its names; workers tell only what is not the default.
_RESTARTS = ("worker_pool_restarts", "CELERYD_POOL_RESTARTS")
_SCALES_ITSELF = "it scales itself: change its bounds instead"


class Nature(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker told of itself."""

    #: "prefork", "threads", …, or the class of a pool of somebody's own; None until known.
    pool: str | None = None
    concurrency: int | None = None
    #: Its present bounds; None where it does not scale itself.
    autoscale: dict[str, int] | None = None
    #: `worker_pool_restarts`; None until known.
    may_restart: bool | None = None

    def why_not(self, action: str) -> str | None:
        """Why the worker cannot do it, as a sentence without its subject; "" when it can, None when nobody knows."""
        able = _ABLE.get(action)
        if able is None:
            return ""
        if self.pool is None:
            return None
        if self.pool in _POOLS.values() and self.pool not in able:
            return f"its pool ({self.pool}) cannot do that"
        if action in ("pool_grow", "pool_shrink") and self.autoscale is not None:
            return _SCALES_ITSELF
        if action == "autoscale" and self.autoscale is None:
            return "it was not started with --autoscale"
        if action == "pool_restart" and self.may_restart is not True:
            return None if self.may_restart is None else "worker_pool_restarts is not set"
        return "" if self.pool in able else None

    def why_not_shrink(self, n: int) -> str:
        """As `why_not`, for taking `n` processes away: Celery takes all idle ones before it refuses, and a worker
        without processes does nothing any more."""
        if self.concurrency is not None and n >= self.concurrency:
            return f"its pool has {self.concurrency} processes, and one must stay"
        return ""


ACTIONS = tuple(_ABLE)


def nature_of(answers: Mapping[str, Any]) -> Nature:
    """Read a worker's inspect answers (`stats`, `conf`); whatever is odd there counts as unknown."""
    stats, conf = answers.get("stats"), answers.get("conf")
    if not isinstance(stats, dict):
        return Nature()
    pool = stats.get("pool")
    pool = pool if isinstance(pool, dict) else {}
    name = pool.get("implementation")
    size = pool.get("max-concurrency")
    processes = pool.get("processes")
    scaling = stats.get("autoscaler")
    restarts = any(conf.get(key) for key in _RESTARTS) if isinstance(conf, dict) else None
    return Nature(
        pool=_POOLS.get(name.partition(":")[0], name) if isinstance(name, str) else None,
        concurrency=len(processes)
        if isinstance(processes, list)
        else size
        if isinstance(size, int)
        else None,
        autoscale=_bounds(scaling),
        may_restart=restarts,
    )


def _bounds(scaling: Any) -> dict[str, int] | None:
    if not isinstance(scaling, dict):
        return None
    return {name: scaling[name] for name in ("min", "max", "current") if isinstance(scaling.get(name), int)}
