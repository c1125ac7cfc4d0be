"""What is stored as it goes from one to another: packed, so that nobody decodes what he only keeps or passes on."""

import msgspec

from umbel.model.worker import Worker

_encode = msgspec.msgpack.Encoder().encode
_decode_worker = msgspec.msgpack.Decoder(Worker).decode


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


class PackedWorker(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A worker's row."""

    hostname: str
    first_seen: float
    #: `Worker.skew`.
    skew: float | None
    #: The `Worker` in msgpack, which is what is stored.
    data: bytes


def pack_worker(worker: Worker) -> PackedWorker:
    """The row of a worker as it is now."""
    return PackedWorker(worker.hostname, worker.first_seen, worker.skew, _encode(worker))


def unpack_worker(data: bytes) -> Worker:
    """The worker of a row's `data`."""
    return _decode_worker(data)
