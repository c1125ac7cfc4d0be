"""Every URL, on one screen: path, handlers by method, whose manners, who may."""

from collections.abc import Mapping

from starlette.routing import BaseRoute, Route

from umbel.auth.base import Access, Guard
from umbel.web.api import V1
from umbel.web.commands import Commands
from umbel.web.deps import Deps
from umbel.web.endpoint import Endpoint, Handler
from umbel.web.flower_calls import FlowerCalls
from umbel.web.flower_control import FlowerControl
from umbel.web.flower_result import FlowerResult
from umbel.web.flower_tasks import FlowerTasks
from umbel.web.flower_workers import FlowerWorkers
from umbel.web.health import Health
from umbel.web.inspection import Inspection
from umbel.web.operations import OPERATIONS, PREFIX, Operation
from umbel.web.pages import Pages
from umbel.web.preparing import Usual
from umbel.web.present import Present
from umbel.web.problem import Family
from umbel.web.purging import Purging
from umbel.web.queues import QueuesV1
from umbel.web.retry import Retries
from umbel.web.revocation_jobs import RevocationJobsV1
from umbel.web.static_files import StaticFiles
from umbel.web.stream import Stream
from umbel.web.v1_calls import Calls

#: A table of Flower's, the latest tasks first; and a word that no task has.
_LATEST = "draw=1&start=0&length=15&order[0][column]=0&order[0][dir]=desc&columns[0][data]=received"
_NOWHERE = "qxzjqwvk"
#: Pages that are there whatever is asked for; the page itself says what is not known.
_PLAIN_PAGES = ("/tasks", "/broker", "/monitor", "/audit", "/queue/{name:path}", "/revocation/{job}")


class Table:
    """The route table over one bundle of dependencies."""

    def __init__(self, deps: Deps, guard: Guard, stream: Stream, present: Present) -> None:
        self._guard = guard
        self._tasks = FlowerTasks(deps)
        self._result = FlowerResult(deps)
        self._control = FlowerControl(deps)
        self._calls = FlowerCalls(deps)
        self._workers = FlowerWorkers(deps, present)
        self.pages = Pages(deps, present, self._workers)
        self._health = Health(deps, present)
        self._static = StaticFiles(deps.ui_folder)
        own = V1(deps, present, guard).handlers | QueuesV1(deps).handlers
        own |= Purging(deps).handlers | RevocationJobsV1(deps).handlers
        own |= Commands(deps).handlers | Calls(deps).handlers | Inspection(deps).handlers
        own |= Retries(deps).handlers
        self._v1 = own | {"stream": stream.handle}

    def routes(self) -> list[BaseRoute]:
        """Everything below the prefix."""
        tasks, workers, pages, health = self._tasks, self._workers, self.pages, self._health
        control, calls = self._control, self._calls
        return [
            self._page("/", GET=pages.workers),
            self._page("/workers", GET=pages.workers),
            self._page("/worker/{name:path}", GET=pages.worker),
            self._reads_by_post("/tasks/datatable", tasks.datatable),
            self._page("/task/{uuid:path}", GET=pages.task),
            *(self._page(path, GET=pages.plain) for path in _PLAIN_PAGES),
            *self._v1_routes(),
            self._api("/api/workers", GET=workers.workers),
            self._api("/api/tasks", GET=tasks.tasks),
            self._api("/api/task/types", GET=tasks.types),
            self._api("/api/task/info/{uuid:path}", GET=tasks.info),
            self._api("/api/task/result/{uuid:path}", GET=self._result.result),
            self._api("/api/queues/length", GET=workers.queue_lengths),
            self._command("/api/worker/shutdown/{worker:path}", control.shutdown),
            self._command("/api/worker/pool/restart/{worker:path}", control.pool_restart),
            self._command("/api/worker/pool/grow/{worker:path}", control.pool_grow),
            self._command("/api/worker/pool/shrink/{worker:path}", control.pool_shrink),
            self._command("/api/worker/pool/autoscale/{worker:path}", control.pool_autoscale),
            self._command("/api/worker/queue/add-consumer/{worker:path}", control.add_consumer),
            self._command("/api/worker/queue/cancel-consumer/{worker:path}", control.cancel_consumer),
            self._command("/api/task/apply/{task:path}", calls.apply),
            self._command("/api/task/async-apply/{task:path}", calls.async_apply),
            self._command("/api/task/send-task/{task:path}", calls.send_task),
            self._command("/api/task/abort/{uuid:path}", calls.abort),
            self._command("/api/task/revoke/{uuid:path}", control.revoke),
            self._command("/api/task/timeout/{task:path}", control.time_limit),
            self._command("/api/task/rate-limit/{task:path}", control.rate_limit),
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

    def usual(self) -> list[Usual]:
        """What is asked of every monitor sooner or later: those that the first to ask would wait for."""
        tasks = self._tasks
        return [
            Usual(self._workers.table),
            Usual(self._v1["listWorkers"]),
            Usual(tasks.tasks, "limit=100"),
            Usual(tasks.tasks, "limit=100&state=FAILURE"),
            Usual(tasks.datatable, _LATEST),
            Usual(tasks.datatable, _LATEST.replace("start=0", "start=5000")),
            Usual(self._v1["listTasks"]),
            Usual(tasks.tasks, f"limit=100&search={_NOWHERE}", is_search=True),
            Usual(tasks.datatable, f"{_LATEST}&search[value]={_NOWHERE}", is_search=True),
        ]

    def nowhere(self, handler: Handler) -> Endpoint:
        """What any other path below the prefix answers."""
        return Endpoint(
            self._guard, Family.PAGE, Access.OPEN, {"GET": handler, "POST": handler}, reads_by_post=True
        )

    def _v1_routes(self) -> list[BaseRoute]:
        """One route a path, in the order of the operations, with the access that each method needs."""
        by_path: dict[str, dict[str, Operation]] = {}
        for item in OPERATIONS:
            by_path.setdefault(item.path, {})[item.method] = item
        routes: list[BaseRoute] = []
        for path, methods in by_path.items():
            handlers = {method: self._v1[item.name] for method, item in methods.items()}
            access = {
                method: Access.COMMAND if item.is_command else Access.READ for method, item in methods.items()
            }
            routes.append(Route(PREFIX + _greedy(path), Endpoint(self._guard, Family.V1, access, handlers)))
        return routes

    def _page(self, path: str, **handlers: Handler) -> Route:
        return self._route(Family.PAGE, Access.READ, path, handlers)

    def _api(self, path: str, **handlers: Handler) -> Route:
        return self._route(Family.FLOWER_API, Access.FLOWER_API, path, handlers)

    def _command(self, path: str, handler: Handler) -> Route:
        return self._route(Family.FLOWER_API, Access.FLOWER_COMMAND, path, {"POST": handler})

    def _reads_by_post(self, path: str, handler: Handler) -> Route:
        handlers = {"GET": handler, "POST": handler}
        return Route(path, Endpoint(self._guard, Family.PAGE, Access.READ, handlers, reads_by_post=True))

    def _open(self, path: str, **handlers: Handler) -> Route:
        return self._route(Family.PLAIN, Access.OPEN, path, handlers)

    def _route(self, family: Family, access: Access, path: str, handlers: Mapping[str, Handler]) -> Route:
        return Route(path, Endpoint(self._guard, family, access, handlers))


def _greedy(path: str) -> str:
    """Ids may hold slashes, as in Flower's routes."""
    return path.replace("}", ":path}")
