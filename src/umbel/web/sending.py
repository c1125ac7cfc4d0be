"""Sends one request's command and turns what can go wrong into refusals, for Flower's endpoints and `/api/v1` alike."""

from starlette.requests import Request

from umbel.control.commander import Dispatch
from umbel.control.commands import Command
from umbel.errors import InspectError, StoreError
from umbel.store.audit import Asker
from umbel.web.deps import Deps
from umbel.web.endpoint import identity_of
from umbel.web.problem import Refused

#: Flower's words for a broker or a result backend in trouble.
UNAVAILABLE = "Broker or result backend unavailable"


def asker_of(request: Request) -> Asker:
    """Who made this request, and from where; the guard has let them in."""
    identity = identity_of(request)
    return Asker(identity.name, identity.method, request.client.host if request.client else "")


async def send(deps: Deps, request: Request, command: Command, *, timeout: float | None = None) -> Dispatch:
    """Write the command down and send it. Raises Refused (503)."""
    try:
        return await deps.commander.send(command, asker_of(request), timeout=timeout)
    except StoreError as exc:
        raise not_written(exc) from exc
    except InspectError as exc:
        raise Refused(503, UNAVAILABLE) from exc


def not_written(exc: StoreError) -> Refused:
    """A command that can't be written into the audit is not sent."""
    return Refused(503, f"Not sent, because it can't be written into the audit: {exc}")
