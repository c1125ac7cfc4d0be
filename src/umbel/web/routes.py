"""Every URL, on one screen: path, handlers by method, whose manners, who may."""

from collections.abc import Mapping

from starlette.routing import BaseRoute, Route

from umbel.auth.base import Access, Guard
from umbel.web.api import V1
from umbel.web.deps import Deps
from umbel.web.endpoint import Endpoint, Handler
from umbel.web.flower_result import FlowerResult
from umbel.web.flower_tasks import FlowerTasks
from umbel.web.flower_workers import FlowerWorkers
from umbel.web.health import Health
from umbel.web.operations import OPERATIONS, PREFIX
from umbel.web.pages import Pages
from umbel.web.present import Present
from umbel.web.problem import Family
from umbel.web.queues import QueuesV1
from umbel.web.static_files import StaticFiles
from umbel.web.stream import Stream


class Table:
    """The route table over one bundle of dependencies."""

    def __init__(self, deps: Deps, guard: Guard, stream: Stream, present: Present) -> None:
        self._guard = guard
        self._tasks = FlowerTasks(deps)
        self._result = FlowerResult(deps)
        self._workers = FlowerWorkers(deps, present)
        self.pages = Pages(deps, present, self._workers)
        self._health = Health(deps, present)
        self._static = StaticFiles(deps.ui_folder)
        self._v1 = V1(deps, present).handlers | QueuesV1(deps).handlers | {"stream": stream.handle}

    def routes(self) -> list[BaseRoute]:
        """Everything below the prefix."""
        tasks, workers, pages, health = (
            self._tasks,
            self._workers,
            self.pages,
            self._health,
        )
        return [
            self._page("/", GET=pages.workers),
            self._page("/workers", GET=pages.workers),
            self._page("/worker/{name:path}", GET=pages.worker),
            self._page("/tasks", GET=pages.plain),
            self._page("/tasks/datatable", GET=tasks.datatable, POST=tasks.datatable),
            self._page("/task/{uuid:path}", GET=pages.task),
            self._page("/broker", GET=pages.plain),
            self._page("/queue/{name:path}", GET=pages.plain),
            self._page("/monitor", GET=pages.plain),
            *self._v1_routes(),
            self._api("/api/workers", GET=workers.workers),
            self._api("/api/tasks", GET=tasks.tasks),
            self._api("/api/task/types", GET=tasks.types),
            self._api("/api/task/info/{uuid:path}", GET=tasks.info),
            self._api("/api/task/result/{uuid:path}", GET=self._result.result),
            self._api("/api/queues/length", GET=workers.queue_lengths),
            self._open("/metrics", GET=health.metrics),
            self._open("/healthcheck", GET=health.check),
            self._open("/health/live", GET=health.live),
            self._open("/health/ready", GET=health.ready),
            self._open("/static/{path:path}", GET=self._static.file, HEAD=self._static.file),
        ]

    def root_routes(self) -> list[BaseRoute]:
        """What stands at the server's root whatever the prefix."""
        return [
            self._open("/favicon.ico", GET=self._static.favicon, HEAD=self._static.favicon),
            self._open("/robots.txt", GET=self._static.robots, HEAD=self._static.robots),
        ]

    def nowhere(self, handler: Handler) -> Endpoint:
        """What any other path below the prefix answers."""
        return Endpoint(self._guard, Family.PAGE, Access.OPEN, {"GET": handler, "POST": handler})

    def _v1_routes(self) -> list[BaseRoute]:
        return [
            self._route(
                Family.V1,
                Access.READ,
                PREFIX + _greedy(item.path),
                {"GET": self._v1[item.name]},
            )
            for item in OPERATIONS
        ]

    def _page(self, path: str, **handlers: Handler) -> Route:
        return self._route(Family.PAGE, Access.READ, path, handlers)

    def _api(self, path: str, **handlers: Handler) -> Route:
        return self._route(Family.FLOWER_API, Access.FLOWER_API, path, handlers)

    def _open(self, path: str, **handlers: Handler) -> Route:
        return self._route(Family.PLAIN, Access.OPEN, path, handlers)

    def _route(self, family: Family, access: Access, path: str, handlers: Mapping[str, Handler]) -> Route:
        return Route(path, Endpoint(self._guard, family, access, handlers))


def _greedy(path: str) -> str:
    """Ids may hold slashes, as in Flower's routes."""
    return path.replace("}", ":path}")
