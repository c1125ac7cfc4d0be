"""Every exception Umbel raises on purpose.

UmbelError
├── ConfigError          a setting is wrong; the message says which, where and what is allowed
│   └── NotBuilt         the setting is real but this version cannot honour it yet
├── QueryError           a search or filter cannot be understood
│   ├── SearchError      the search text breaks the grammar; has `position`
│   └── CursorError      a paging cursor is not one of ours
├── StoreError           the history store
│   ├── StoreUnavailable no answer in time, or the disk refuses
│   ├── StoreRefused     the file is foreign, a directory or of a newer schema; it was left alone
│   ├── StoreLocked      another process writes this history
│   └── StoreEnded       the process that writes the history has ended, and so must who has it written
├── SourceError          the event source lost its broker or was refused
├── DecodeError          a message is not a Celery event; has `cause`
├── InspectError         the workers could not be asked, or told
├── CallError            a task can't be called like that
├── Unusable             what a task received can't be told from there
├── NotReadable          a printed form can't be used
├── NoBackend            the app has no result backend
├── BackendUnavailable   the broker or the result backend can't be used now
└── BrokerError          the broker's queues
    ├── BrokerUnavailable they can't be read now
    ├── NoSuchQueue      the broker has no queue of this name
    └── NotSupported     this kind of broker can't do that
"""


class UmbelError(Exception):
    """Something Umbel knows how to explain went wrong."""


class ConfigError(UmbelError):
    """A setting is wrong."""


class NotBuilt(ConfigError):
    """A real setting that this version cannot honour yet."""


class QueryError(UmbelError):
    """A search or filter cannot be understood."""


class SearchError(QueryError):
    """The search text breaks the grammar of `docs/reference/search.md`.

    `position` is the 0-based offset in the trimmed query, None where no single place is at fault.
    """

    def __init__(self, message: str, position: int | None = None) -> None:
        self.position = position
        suffix = "" if position is None else f" at position {position}"
        super().__init__(f"{message}{suffix}.")


class CursorError(QueryError):
    """A paging cursor is not one that this server gave out for this sort order."""


class StoreError(UmbelError):
    """The history store cannot do what was asked."""


class StoreUnavailable(StoreError):
    """The store gave no answer in time, or the disk refuses to take more."""


class StoreRefused(StoreError):
    """What lies at the store's place is not ours to use; it was left untouched."""


class StoreLocked(StoreError):
    """Another process is writing this history."""


class StoreEnded(StoreError):
    """The process that writes the history for us has ended."""


class SourceError(UmbelError):
    """The event source lost its broker, or the broker refused it."""


class DecodeError(UmbelError):
    """A message is not a Celery event. `cause` is a short, countable label."""

    def __init__(self, cause: str, message: str) -> None:
        self.cause = cause
        super().__init__(message)


class InspectError(UmbelError):
    """The workers could not be asked: broker or result backend unavailable."""


class CallError(UmbelError):
    """A task can't be called with these arguments and options."""


class Unusable(UmbelError):
    """What a task received can't be told from its message or its result; the message says why, as a sentence."""


class NotReadable(UmbelError):
    """A printed form can't be used; the message says why, as the end of a sentence."""


class NoBackend(UmbelError):
    """The application has no result backend."""


class BackendUnavailable(UmbelError):
    """The broker took no call, or the result backend gave no usable answer."""


class BrokerError(UmbelError):
    """Something is wrong with a question to the broker about its queues."""


class BrokerUnavailable(BrokerError):
    """The broker, or its management interface, gave no usable answer."""


class NoSuchQueue(BrokerError):
    """The broker has no queue of this name."""


class NotSupported(BrokerError):
    """This kind of broker can't do what was asked."""
