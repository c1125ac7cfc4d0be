"""Commands, what pools can, and what answers amount to: the pure parts of control."""

import pytest

from umbel.auth.base import CROSS_ORIGIN, CROSS_SITE, READ_ONLY, Access, Asked, Denial, Guard, Identity
from umbel.auth.basic import BasicAuthenticator
from umbel.control.abilities import ACTIONS, Nature, nature_of
from umbel.control.call_options import celery_options, read_call
from umbel.control.commands import outcome_of, signal_of
from umbel.errors import CallError

OPEN = {"FLOWER_UNAUTHENTICATED_API": "1"}
ANN = b"Basic YW5uOnNlY3JldA=="


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("SIGTERM", "SIGTERM"),
        ("kill", "SIGKILL"),
        ("sigusr1", "SIGUSR1"),
        ("9", "SIGKILL"),
        ("SIGSTOP", None),
        ("19", None),
        ("0", None),
        ("99", None),
        ("٩", None),
        ("", None),
        ("SIG", None),
        ("TERM; rm", None),
    ],
)
def test_only_signals_that_end_a_task_are_taken(given: str, name: str | None) -> None:
    assert signal_of(given) == name


@pytest.mark.parametrize(
    ("confirmed", "refused", "silent", "state"),
    [
        (1, 0, 0, "confirmed"),
        (1, 1, 0, "partly"),
        (1, 0, 1, "partly"),
        (0, 1, 0, "refused"),
        (0, 1, 1, "silent"),
        (0, 0, 1, "silent"),
        (0, 0, 0, "silent"),
    ],
)
def test_silence_is_never_success(confirmed: int, refused: int, silent: int, state: str) -> None:
    told = outcome_of(
        {f"c{n}": "ok" for n in range(confirmed)},
        {f"r{n}": "no" for n in range(refused)},
        [f"s{n}" for n in range(silent)],
    )
    assert told.state == state


def stats(pool: str, **more: object) -> dict[str, object]:
    told = {"implementation": f"celery.concurrency.{pool}:TaskPool", "max-concurrency": 4, **more}
    return {"stats": {"pool": told}, "conf": {}}


def test_abilities_follow_the_pool() -> None:
    assert nature_of(stats("solo")).why_not("pool_grow") == "its pool (solo) cannot do that"
    assert nature_of(stats("thread")).pool == "threads"
    assert nature_of(stats("prefork", processes=[1, 2])).concurrency == 2
    assert nature_of(stats("gevent")).why_not("terminate") == ""
    assert nature_of(stats("prefork")).why_not("pool_restart") == "worker_pool_restarts is not set"
    assert (
        nature_of({**stats("prefork"), "conf": {"worker_pool_restarts": True}}).why_not("pool_restart") == ""
    )
    scaling = {"stats": {**stats("prefork")["stats"], "autoscaler": {"min": 1, "max": 3, "qty": 0}}}  # type: ignore[dict-item]
    assert nature_of(scaling).autoscale == {"min": 1, "max": 3}
    assert "scales itself" in str(nature_of(scaling).why_not("pool_grow"))
    assert nature_of(scaling).why_not("autoscale") == ""


def test_what_is_not_known_is_neither_possible_nor_impossible() -> None:
    for answers in (
        {},
        {"stats": None},
        {"stats": {"pool": "x"}},
        {"stats": {"pool": {"implementation": 5}}},
    ):
        nature = nature_of(answers)
        assert {nature.why_not(action) for action in ACTIONS} == {None}
        assert nature.why_not_shrink(9) == ""
    own = nature_of({"stats": {"pool": {"implementation": "my.pool:Pool"}}})
    assert (own.pool, own.why_not("pool_grow")) == ("my.pool:Pool", None)
    assert Nature().why_not("revoke") == ""


def test_one_process_stays() -> None:
    nature = Nature(pool="prefork", concurrency=3)
    assert nature.why_not_shrink(2) == ""
    assert nature.why_not_shrink(3) == "its pool has 3 processes, and one must stay"


def test_options_keep_what_they_are() -> None:
    call = read_call(
        b'{"args": [1], "kwargs": {"a": null}, "queue": "q", "countdown": "1.5", "eta": null, "x": [1]}'
    )
    assert (call.args, call.kwargs) == ([1], {"a": None})
    assert celery_options(call.options) == {"queue": "q", "countdown": 1.5, "x": [1]}
    assert read_call(b" \n") == read_call(b"{}")
    with pytest.raises(CallError, match="expected a number, got 'true") as caught:
        celery_options({"countdown": "true" * 100})
    assert len(str(caught.value)) < 200


def guard(*, login: bool = False, read_only: bool = False, is_open: bool = False) -> Guard:
    authenticator = BasicAuthenticator(["ann:secret"]) if login else None
    return Guard(authenticator, OPEN if is_open else {}, read_only=read_only)


@pytest.mark.parametrize("access", [Access.COMMAND, Access.FLOWER_COMMAND])
def test_a_command_needs_a_login_or_the_variable_and_no_read_only_mode(access: Access) -> None:
    asked, known = Asked(), Asked(authorization=ANN)
    assert isinstance(guard().check(access, asked), Denial)
    assert isinstance(guard(is_open=True).check(access, asked), Identity)
    assert isinstance(guard(login=True, is_open=True).check(access, asked), Denial)
    assert guard(login=True).check(access, known) == Identity("ann", "basic")
    refused = guard(login=True, read_only=True).check(access, known)
    assert refused == Denial(READ_ONLY, None, 403)
    assert isinstance(guard(login=True, read_only=True).check(Access.READ, known), Identity)


def test_other_sites_are_kept_out() -> None:
    here = Asked(authorization=ANN, origin="https://Mon.example:5555", host="mon.example:5555")
    assert isinstance(guard(login=True).check(Access.COMMAND, here), Identity)
    for asked, reason in (
        (Asked(authorization=ANN, origin="https://mon.example", host="mon.example:5555"), CROSS_ORIGIN),
        (Asked(authorization=ANN, origin="null", host="mon.example"), CROSS_ORIGIN),
        (Asked(authorization=ANN, fetch_site="same-site", host="mon.example"), CROSS_SITE),
    ):
        assert guard(login=True).check(Access.FLOWER_COMMAND, asked) == Denial(reason, None, 403)
        assert guard(is_open=True).check(Access.COMMAND, asked) == Denial(reason, None, 403)
        # without a login Flower lets every page in, once the API was opened
        assert isinstance(guard(is_open=True).check(Access.FLOWER_COMMAND, asked), Identity)
