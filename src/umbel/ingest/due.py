"""When something is due that is done at intervals, by a clock that may be set back. Pure."""


def is_due(at: float, now: float, *, every: float) -> bool:
    """Whether `now` has come to `at`, or lies so long before it that the clock was set back since. All in seconds."""
    return not at - every <= now < at
