"""Sends a spooled burst at an even rate, as a process of its own that no measuring client can hold up.

`python -m benchmarks.pacer BROKER FILE RATE`; RATE 0 is as fast as the broker takes it. Prints one line of JSON with
the events, the seconds, and how far it was behind its own plan at worst.
"""

import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.burst import iter_spooled
from benchmarks.wire import connect


@dataclass(frozen=True, slots=True)
class Paced:
    """What was sent."""

    events: int
    seconds: float
    #: Seconds that the slowest slice left later than planned: of the machine or of the broker, not of the receiver.
    late: float

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds


def pace(broker_url: str, path: Path, rate: float) -> Paced:
    """Send the burst in `path` at `rate` events a second."""
    sender = connect(broker_url)
    began = time.monotonic()
    events, late = 0, 0.0
    for data, taken in iter_spooled(path):
        ahead = began + events / rate - time.monotonic() if rate else 0.0
        if ahead > 0:
            time.sleep(ahead)
        late = max(late, -ahead)
        sender.send(data)
        events += taken
    sender.finish()
    return Paced(events, time.monotonic() - began, late)


def main(argv: list[str]) -> int:
    """Send and print."""
    broker_url, path, rate = argv
    print(json.dumps(asdict(pace(broker_url, Path(path), float(rate)))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
