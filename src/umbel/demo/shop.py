"""The demo's Celery app: a small web shop, with every way a task can live and end.

Started as `celery -A umbel.demo.shop worker`. The broker comes from a settings module that
`umbel.demo.broker` writes and names in the variable UMBEL_DEMO_SETTINGS. Who calls the tasks: `load` and beat.
"""

# mypy: disallow-untyped-decorators=False, warn-return-any=False

import random
import time
from typing import Any

from celery import Celery, chord, group
from celery.exceptions import Reject, SoftTimeLimitExceeded

app = Celery("shop", set_as_current=True)
app.conf.update(
    task_default_queue="orders",
    task_routes={
        "shop.orders.*": {"queue": "orders"},
        "shop.payments.*": {"queue": "payments"},
        "shop.fraud.*": {"queue": "payments"},
        "shop.stock.*": {"queue": "warehouse"},
        "shop.parcels.*": {"queue": "warehouse"},
        "shop.images.*": {"queue": "warehouse"},
        "shop.mail.*": {"queue": "mail"},
        "shop.reports.*": {"queue": "reports"},
    },
    beat_schedule={
        "sales report": {"task": "shop.reports.sales", "schedule": 10.0, "kwargs": {"period": "minute"}},
        "stock check": {"task": "shop.stock.find_shortages", "schedule": 15.0},
    },
    task_send_sent_event=True,
    worker_send_task_events=True,
    task_track_started=True,
    worker_prefetch_multiplier=2,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    result_extended=True,
    result_expires=3600,
)
app.config_from_envvar("UMBEL_DEMO_SETTINGS", silent=True)


class PaymentDeclined(Exception):
    """The bank said no."""


class IssuerUnavailable(Exception):
    """The bank did not answer; worth another try."""


class AddressNotFound(LookupError):
    """No such street in that town."""


def work(least: float, most: float) -> float:
    """Take between `least` and `most` seconds, as if something was computed or waited for."""
    seconds = random.uniform(least, most)
    time.sleep(seconds)
    return round(seconds, 3)


@app.task(name="shop.orders.place")
def place_order(order: int, customer: str, items: list[str], *, coupon: str | None = None) -> dict[str, Any]:
    """Quick; refuses a coupon that has run out."""
    work(0.01, 0.08)
    if coupon == "SPRING–2019":
        raise ValueError(f"coupon {coupon!r} ran out on 2019-05-31")
    return {
        "order": order,
        "customer": customer,
        "lines": len(items),
        "total": round(random.uniform(8, 400), 2),
    }


@app.task(
    name="shop.payments.authorize",
    autoretry_for=(IssuerUnavailable,),
    retry_backoff=2,
    retry_backoff_max=12,
    retry_jitter=False,
    max_retries=3,
)
def authorize_payment(placed: dict[str, Any], *, method: str = "card") -> dict[str, Any]:
    """Now and then retried with a growing delay (direct debit mostly), sometimes declined for good."""
    work(0.05, 0.4)
    if random.random() < (0.6 if method == "direct debit" else 0.12):
        raise IssuerUnavailable(f"no answer from the issuer of {placed['customer']}'s {method} within 0.4 s")
    if random.random() < 0.06:
        raise PaymentDeclined(
            f"order {placed['order']}: {placed['total']:.2f} € declined (“insufficient funds”)"
        )
    return {**placed, "authorized": True, "method": method}


@app.task(name="shop.payments.capture")
def capture_payment(authorized: dict[str, Any]) -> dict[str, Any]:
    """Quick; ends the chain of a basket and starts the packing of its parcels."""
    work(0.02, 0.1)
    pack_order.delay(authorized["order"], parcels=random.randint(2, 4))
    send_confirmation.apply_async((authorized["customer"],), {"order": authorized["order"]}, countdown=5)
    return {**authorized, "captured": True}


@app.task(name="shop.fraud.score")
def score_fraud(order: int, country: str) -> float:
    """Rejects what it cannot judge: the message is dropped, the task ends rejected."""
    work(0.02, 0.2)
    if country == "??":
        raise Reject(f"order {order}: no country to judge by", requeue=False)
    return round(random.random(), 3)


@app.task(name="shop.parcels.pack")
def pack_order(order: int, *, parcels: int) -> str:
    """Starts a chord: label every parcel, then dispatch them all."""
    work(0.02, 0.1)
    labels = group(print_label.s(order, number) for number in range(1, parcels + 1))
    chord(labels)(dispatch_parcels.s(order=order))
    return f"{parcels} parcels"


@app.task(name="shop.parcels.print_label")
def print_label(order: int, number: int) -> str:
    """Quick to middling."""
    work(0.05, 0.4)
    return f"{order}-{number:02d}"


@app.task(name="shop.parcels.dispatch")
def dispatch_parcels(labels: list[str], *, order: int) -> str:
    """The chord's end; a few addresses do not exist."""
    work(0.05, 0.2)
    if random.random() < 0.1:
        raise AddressNotFound(f"order {order}: ‘Straße des 17. Juni 999’ is not in the street register")
    return f"van {random.randint(1, 9)}: {', '.join(labels)}"


@app.task(name="shop.stock.recount")
def recount_shelf(shelf: str) -> dict[str, Any]:
    """Slow: somebody walks along the shelf."""
    seconds = work(4, 9)
    return {"shelf": shelf, "counted": random.randint(40, 4000), "took": seconds}


@app.task(name="shop.stock.find_shortages")
def find_shortages() -> list[str]:
    """Periodic and quick."""
    work(0.1, 0.3)
    return random.sample(["tulip bulbs", "Gießkanne", "花瓶", "garden gnome (“Günther”)"], 2)


@app.task(name="shop.images.resize")
def resize_image(path: str, *, width: int, height: int) -> str:
    """Middling; a few pictures are broken."""
    work(0.1, 0.7)
    if random.random() < 0.05:
        raise OSError(f"{path}: image file is truncated ({random.randint(1, 90)} bytes not processed)")
    return f"{path}@{width}x{height}.webp"


@app.task(name="shop.mail.send_confirmation", rate_limit="20/s")
def send_confirmation(customer: str, *, order: int) -> str:
    """Quick; called with a countdown."""
    work(0.02, 0.15)
    return f"mailed to {customer}, order {order}"


@app.task(name="shop.mail.send_reminder")
def send_reminder(customer: str, basket: list[str]) -> str:
    """Called with an ETA or an expiry; often revoked before its time comes."""
    work(0.02, 0.1)
    return f"reminded {customer} of {len(basket)} things"


@app.task(name="shop.reports.sales", soft_time_limit=3.0)
def build_sales_report(*, period: str) -> str:
    """Periodic; gives up with the part that is done when its soft time limit strikes."""
    try:
        work(1.0, 3.4)
    except SoftTimeLimitExceeded:
        return f"sales of the last {period}: unfinished after 3 s"
    return f"sales of the last {period}: {random.randint(900, 9000)} €"


@app.task(name="shop.reports.top_customers")
def find_top_customers(orders: list[str]) -> str:
    """The end of a group of reports; middling."""
    work(0.3, 1.2)
    return f"best of {len(orders)}"
