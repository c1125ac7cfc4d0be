"""Totals as the store hands them to those who keep them: packed, so that what did not change is never decoded."""

import msgspec


class PackedCounts(msgspec.Struct, frozen=True, gc=False):
    """All counters of one sender, in the order of task and type: each is a JSON array."""

    #: Task names, "" when unknown or a worker event.
    tasks: str
    #: Event types ("task-received").
    types: str
    #: Totals since the history began.
    totals: str


class PackedRuntimes(msgspec.Struct, frozen=True, gc=False):
    """The run-time histograms of one worker, by task."""

    #: A JSON array of task names.
    tasks: str
    #: As many hexadecimal texts of `Runtimes` in msgpack, with commas between them.
    histograms: str
