"""Realistic events at a steady rate for as long as it runs, from `benchmarks.event_stream`.

python -m tests.prove.load BROKER EVENTS_PER_SECOND
"""

import random
import sys
import time
import uuid

from benchmarks.event_stream import EventStream
from benchmarks.wire import connect, encode_redis


def main(url: str, rate: float) -> None:
    """Publish to the Redis at `url` until killed; behind its rate, as fast as it can."""
    chance = random.Random(7)
    sender = connect(url)
    begun = time.time()
    sent = 0
    # a seed of its own for each run: task ids must not come again
    for message in EventStream(begun, seed=int(begun * 1000), rate=rate):
        sender.send(encode_redis(message, uuid.UUID(int=chance.getrandbits(128))))
        sent += len(message.events)
        ahead = begun + sent / rate - time.time()
        if ahead > 0:
            time.sleep(ahead)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
