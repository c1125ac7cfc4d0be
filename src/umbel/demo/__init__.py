"""A lifelike Celery cluster on one machine, for `umbel demo`, the tutorial and the acceptance tests.

`shop` is the Celery app, `load` its customers, `broker` chooses a broker that needs no installation,
`process` owns child processes and `run` puts them together. Imports only the standard library here,
because `celery -A umbel.demo.shop` passes through on its way to the app.
"""

from umbel.demo.run import main

__all__ = ["main"]
