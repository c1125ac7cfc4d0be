"""Writes down every event of a broker, one JSON object a line with the time of receipt: a witness without Umbel in it.

    python -m tests.prove.recorder BROKER FILE

Prints "ready" when it listens; ends with SIGTERM.
"""

import json
import signal
import sys
import time
from pathlib import Path

from celery import Celery
from celery.events.event import get_exchange
from kombu import Consumer, Message, Queue


def main(broker: str, path: Path) -> None:
    """Record until SIGTERM."""
    app = Celery("recorder", broker=broker, set_as_current=False)
    stopped = False

    def stop(*_: object) -> None:
        nonlocal stopped
        stopped = True

    signal.signal(signal.SIGTERM, stop)
    with path.open("a", buffering=1 << 16) as out, app.connection_for_read() as connection:

        def take(message: Message) -> None:
            body = json.loads(message.body)
            heard = time.time()
            for event in body if isinstance(body, list) else [body]:
                out.write(json.dumps({**event, "heard": heard}) + "\n")

        exchange = get_exchange(connection, name=app.conf.event_exchange)
        queue = Queue("witness", exchange, routing_key="#", auto_delete=True, durable=False)
        with Consumer(connection, [queue], on_message=take, no_ack=True, accept=["json"]):
            print("ready", flush=True)
            while not stopped:
                try:
                    connection.drain_events(timeout=0.2)
                except TimeoutError:
                    out.flush()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
