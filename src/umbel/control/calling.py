"""Calls tasks and asks for their results, in threads of its own, so that neither a broker nor a result backend that is
slow holds up anything else. Results are polled: no result consumer is ever subscribed or shared.
"""

import asyncio
import json
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from celery import VERSION, Celery, states
from celery.backends.base import DisabledBackend
from celery.contrib.abortable import AbortableAsyncResult
from celery.exceptions import BackendError, CeleryError, ImproperlyConfigured
from kombu import Connection, Queue
from kombu.exceptions import KombuError, OperationalError

from umbel.control.call_options import TaskCall, celery_options
from umbel.control.switchboard import connect, one_line
from umbel.errors import BackendUnavailable, CallError, NoBackend

#: Questions to the result backend, and calls, under way at once.
BACKEND_THREADS = 5
BROKER_THREADS = 8
#: Seconds that a look-up waits for the result backend, whose own limits may be minutes.
LOOK_PATIENCE = 4.0

_T = TypeVar("_T")
#: What Celery, kombu and their drivers raise for arguments and options that they can't use.
_BAD_CALL = (
    TypeError, ValueError, LookupError, ArithmeticError, AttributeError, RecursionError, struct.error, CeleryError,
    KombuError,
)  # fmt: skip
#: What can come out of reading a result that something else has written.
_BAD_RESULT = (
    KombuError, ValueError, TypeError, LookupError, AttributeError, ImportError, RuntimeError, RecursionError,
    NotImplementedError, CeleryError,
)  # fmt: skip


class Calling:
    """Calls and results over one Celery app. Every method runs on the event loop and blocks nobody."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        # the RPC backend receives results on a queue of the thread that made the call: one thread does it all then
        self._is_rpc = str(app.conf.result_backend or "").startswith("rpc")
        self._backend_threads = ThreadPoolExecutor(1 if self._is_rpc else BACKEND_THREADS, "umbel-results")
        self._broker_threads = (
            self._backend_threads if self._is_rpc else ThreadPoolExecutor(BROKER_THREADS, "umbel-calls")
        )

    def stop(self) -> None:
        """Begin nothing more; what is under way is left to its own time-out."""
        self._backend_threads.shutdown(wait=False, cancel_futures=True)
        self._broker_threads.shutdown(wait=False, cancel_futures=True)

    @property
    def can_abort(self) -> bool:
        """There is a result backend that keeps a mark; RPC's only hands results to whoever called."""
        return bool(self._app.conf.result_backend) and not self._is_rpc

    def has_task(self, name: str) -> bool:
        """Whether the app itself knows this task."""
        return name in self._app.tasks

    async def send(self, name: str, call: TaskCall, *, task_id: str, registered: bool) -> None:
        """Publish one call, through the task's own `apply_async` if it is to be a registered one.

        Raises:
            CallError: Celery can't use these arguments or options.
            BackendUnavailable: The broker can't take it now.
        """
        options = {**celery_options(call.options), "task_id": task_id}
        await self._run(self._broker_threads, lambda: self._publish(name, call, options, registered))

    async def resend(self, name: str, call: TaskCall, options: dict[str, Any], queue: str) -> None:
        """Publish a task into a queue as it is, by name: nothing is declared, and no exchange asked.

        Raises:
            CallError: There is no such queue, or Celery can't use these arguments or options.
            BackendUnavailable: The broker can't take it now.
        """
        # the default exchange leads to the queue named as the routing key
        target = {"queue": Queue(queue), "exchange": "", "routing_key": queue, "declare": []}
        await self._run(
            self._broker_threads, lambda: self._publish(name, call, {**options, **target}, False, check=queue)
        )

    async def fetch_state(self, uuid: str) -> dict[str, Any]:
        """Flower's answer for one task: `task-id`, `state`, and `result` and `traceback` once it has ended.

        Raises:
            NoBackend: The app has no result backend.
            BackendUnavailable: It gives no answer, or one that can't be read.
        """
        return await self._run(self._backend_threads, lambda: self._fetch(uuid))

    async def look_up(self, uuid: str) -> dict[str, Any]:
        """What the backend keeps of a task, as Celery reads it, its moment with an offset where it is no text; within a
        few seconds.

        Raises:
            NoBackend: There is none that others can ask: RPC's hands results to whoever called.
            BackendUnavailable: It gives no answer in time, or one that can't be read.
        """
        if self._is_rpc:
            raise NoBackend("the RPC result backend hands results to whoever called, and keeps none")
        question = self._run(self._backend_threads, lambda: self._ask(partial(self._look_up, uuid)))
        try:
            meta: dict[str, Any] = await asyncio.wait_for(question, LOOK_PATIENCE)
        except TimeoutError as exc:
            raise BackendUnavailable(f"it gave no answer within {LOOK_PATIENCE:g} s") from exc
        return meta

    def _look_up(self, uuid: str, backend: Any) -> dict[str, Any]:
        meta = dict(backend.get_task_meta(uuid, cache=False))
        done = meta.get("date_done")
        if isinstance(done, datetime) and done.tzinfo is None:
            meta["date_done"] = done.replace(tzinfo=self._app.timezone if _keeps_wall_time(backend) else UTC)
        return meta

    async def abort(self, uuid: str) -> None:
        """Mark a task as to be aborted; only tasks that look for the mark stop. Raises as `fetch_state`."""
        await self._run(self._backend_threads, lambda: self._abort(uuid))

    async def _run(self, threads: ThreadPoolExecutor, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(threads, work)

    def _publish(
        self, name: str, call: TaskCall, options: dict[str, Any], registered: bool, check: str | None = None
    ) -> None:
        with connect(self._app) as connection:
            errors = (OperationalError, OSError, *connection.connection_errors, *connection.channel_errors)
            options = {"retry": False, **options, "connection": connection}
            try:
                if check is not None:
                    _check_queue(connection, check)
                backend = self._app.backend
                if not self._is_rpc:
                    # Redis' would subscribe to the result's channel, which nobody reads, as long as this thread lives
                    backend.on_task_call = _subscribe_to_nothing
                if registered:
                    self._app.tasks[name].apply_async(tuple(call.args), call.kwargs, **options)
                else:
                    self._app.send_task(name, tuple(call.args), call.kwargs, **options)
            except (*errors, *_BAD_CALL, ImproperlyConfigured, ImportError) as exc:
                if _is_callers_fault(exc):
                    raise CallError(f"Invalid arguments or options: {one_line(exc)}") from exc
                raise BackendUnavailable(one_line(exc)) from exc

    def _fetch(self, uuid: str) -> dict[str, Any]:
        # the RPC backend has no such argument: what it received once it cannot receive again
        fresh = {} if self._is_rpc else {"cache": False}
        meta = self._ask(lambda backend: backend.get_task_meta(uuid, **fresh))
        state = str(meta.get("status"))
        answer: dict[str, Any] = {"task-id": uuid, "state": state}
        if state in states.EXCEPTION_STATES & states.READY_STATES:
            answer["result"] = text_of(meta.get("result"))
            if state == states.FAILURE:
                answer["traceback"] = jsonable(meta.get("traceback"))
        elif state in states.READY_STATES:
            answer["result"] = jsonable(meta.get("result"))
        return answer

    def _abort(self, uuid: str) -> None:
        self._ask(lambda backend: AbortableAsyncResult(uuid, backend=backend, app=self._app).abort())

    def _ask(self, question: Callable[[Any], Any]) -> Any:
        """Put a question to this thread's backend: Celery makes one a thread."""
        errors: tuple[type[BaseException], ...] = (BackendError, OperationalError, OSError)
        try:
            backend = self._app.backend
            if isinstance(backend, DisabledBackend):
                raise NoBackend("no result backend is configured")
            errors = (*errors, *getattr(backend, "connection_errors", ()))
            return question(backend)
        except errors as exc:
            raise BackendUnavailable(one_line(exc)) from exc
        except _BAD_RESULT as exc:
            raise BackendUnavailable(f"the result can't be read: {one_line(exc)}") from exc


def _keeps_wall_time(backend: Any) -> bool:
    """Its times are those of the app's clock on the wall: SQL drops the offset, others turn them into UTC. (Before 5.5
    Celery's own kept UTC.)"""
    modules = {base.__module__ for base in type(backend).__mro__ if base.__name__ == "DatabaseBackend"}
    return bool(modules) and (VERSION[:2] >= (5, 5) or "celery.backends.database" not in modules)


def _check_queue(connection: Connection, queue: str) -> None:
    """Raises CallError where AMQP has no such queue: what is published to it would be thrown away. Redis keeps no
    queue that is empty, and makes one of any name."""
    if connection.transport.driver_type != "amqp":
        return
    from amqp.exceptions import NotFound

    with connection.channel() as channel:
        try:
            channel.queue_declare(queue=queue, passive=True)
        except NotFound as exc:
            raise CallError(f"There is no queue '{queue}' at the broker.") from exc


def _is_callers_fault(exc: BaseException) -> bool:
    """Whether it is the arguments that can't be used, or the broker: kombu makes an operational error of whatever
    happens while it publishes, and counts KeyError among the broker's errors."""
    if isinstance(exc, OperationalError | ImproperlyConfigured):
        exc = exc.__cause__ or exc
    return isinstance(exc, _BAD_CALL) and not isinstance(
        exc, OSError | OperationalError | ImproperlyConfigured
    )


def jsonable(value: Any) -> Any:
    """`value`, or its printed form where JSON cannot hold it: objects, bytes, NaN, what is nested too deeply."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return text_of(value)
    return value


def text_of(value: Any) -> str:
    """The printed form, whatever the value's class makes of that."""
    try:
        return repr(value)
    except Exception as exc:  # a class of the user's own may raise anything
        return f"<{type(value).__name__}, which cannot be printed: {type(exc).__name__}>"


def _subscribe_to_nothing(producer: Any, task_id: str) -> None:
    """In place of a backend's own `on_task_call`."""
