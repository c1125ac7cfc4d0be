"""A queue of messages on disk, for a burst that memory has no room for: a file without a name that ends with us.

Redis keeps nothing for a reader that is slow, so what it sends must be put somewhere at once. Used by `ingest.buffer`,
which holds a lock around every call.
"""

import logging
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import msgspec

from umbel.ingest.source import Message

_log = logging.getLogger("umbel.ingest.spool")

#: Bytes before each batch that give its length.
_HEAD = 4


class Spool:
    """Batches of messages in the order in which they came."""

    def __init__(self, folder: Path, limit: int) -> None:
        """`folder` is where the file is made, once it is needed; `limit` is its greatest length in bytes."""
        self._folder = folder
        self._limit = limit
        self._file: IO[bytes] | None = None
        self._begin = self._end = 0
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(list[Message]).decode

    @property
    def size(self) -> int:
        """Bytes that wait."""
        return self._end - self._begin

    def put(self, messages: Sequence[Message]) -> bool:
        """Take messages; False when there is no room for them, or the disk refuses."""
        data = self._encode(messages)
        if self._end + _HEAD + len(data) > self._limit:
            return False
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=self._folder, prefix="umbel-")  # noqa: SIM115 (kept open)
            written = os.pwrite(self._file.fileno(), len(data).to_bytes(_HEAD) + data, self._end)
        except OSError as error:
            _log.warning("A burst cannot be kept on disk: %s", error)
            return False
        if written < _HEAD + len(data):
            return False  # the disk is full; the next batch begins where this one should have
        self._end += written
        return True

    def take(self) -> list[Message]:
        """The oldest batch, which leaves the queue; nothing when it is empty."""
        if not self.size or self._file is None:
            return []
        handle = self._file.fileno()
        length = int.from_bytes(os.pread(handle, _HEAD, self._begin))
        batch = self._decode(os.pread(handle, length, self._begin + _HEAD))
        self._begin += _HEAD + length
        if self._begin == self._end:
            # the space goes back, and the limit begins anew
            self._begin = self._end = 0
            self._file.truncate(0)
        return batch

    def close(self) -> None:
        """Let the file go."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._begin = self._end = 0
