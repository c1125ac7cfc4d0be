"""Our clock, as far as deleting may rest on it: a machine that boots with a wrong time must not have retention take
what is not old.

What it says is believed only once it has said so for a while, where it is much later than the steady time that passed
allows. Used by a history's writer.
"""

#: Seconds that our clock may be ahead of what has passed, and for which it must be so to be believed: a wrong clock is
#: set right within minutes, and what is old may wait for an hour.
JUMP, BELIEVED_AFTER = 3600.0, 3600.0


class TrustedClock:
    """Follows our clock, back at once, and ahead with caution.

    Args:
        since: The time that was gone by last, epoch seconds UTC.
        tick: The steady clock now, in seconds from anywhere.
    """

    def __init__(self, since: float, tick: float) -> None:
        self._time = since
        self._tick = tick
        self._doubted_since: float | None = None

    def get_time(self, now: float, tick: float) -> float:
        """The time to go by, epoch seconds UTC: `now`, or less while that is not believed."""
        expected = self._time + tick - self._tick
        if now > expected + JUMP:
            if self._doubted_since is None:
                self._doubted_since = tick
            if tick - self._doubted_since < BELIEVED_AFTER:
                return expected
        self._time, self._tick, self._doubted_since = now, tick, None
        return now
