"""The shop's customers: a gentle, endless load of about 7 tasks a second on `umbel.demo.shop`.

Run as `python -m umbel.demo.load` by `run`; ends by signal only. Decides nothing about how tasks end: the tasks do.
"""

import itertools
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from celery import chain, group
from kombu.exceptions import OperationalError

from umbel.demo import shop

CUSTOMERS = (
    "Zoë Ångström",
    "李小龍",
    "Amélie d'Arc",
    "Jürgen Groß",
    "Олена Коваль",
    'Bob "Bobby" Tables',
    "🌷 Tulip Ltd",
)
GOODS = ("tulip bulbs", "Gießkanne", "花瓶", "pruning shears (left-handed)", "seeds, mixed", "garden gnome")
COUNTRIES = ("DE", "FR", "TW", "UA", "SE", "GB", "??")


class Customers:
    """Makes one visit to the shop after another; `chance` is the only source of luck."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._orders = itertools.count(chance.randint(10_000, 90_000))
        #: (weight, visit): what happens how often.
        self._visits: tuple[tuple[int, Callable[[], None]], ...] = (
            (30, self._buy),
            (12, self._ask_for_pictures),
            (8, self._leave_basket),
            (5, self._change_mind),
            (4, self._come_too_late),
            (4, self._recount),
            (3, self._report),
            (1, self._use_old_link),
        )

    def open_shop(self) -> None:
        """Make every kind of visit once, so that all kinds of tasks are to be seen in the first seconds."""
        for _, visit in self._visits:
            visit()
        self._recount()
        shop.place_order.delay(next(self._orders), "Jürgen Groß", ["Gießkanne"], coupon="SPRING–2019")
        shop.score_fraud.delay(next(self._orders), "??")
        for total in (12.5, 99.0, 240.75):
            placed = {"order": next(self._orders), "customer": self._customer(), "lines": 1, "total": total}
            shop.authorize_payment.delay(placed, method="direct debit")

    def visit(self) -> None:
        """Make one visit, chosen by weight."""
        weights = [weight for weight, _ in self._visits]
        visit = self._chance.choices([visit for _, visit in self._visits], weights)[0]
        visit()

    def _customer(self) -> str:
        return self._chance.choice(CUSTOMERS)

    def _basket(self) -> list[str]:
        return self._chance.choices(GOODS, k=self._chance.randint(1, 4))

    def _buy(self) -> None:
        order = next(self._orders)
        coupon = "SPRING–2019" if self._chance.random() < 0.06 else None
        method = self._chance.choice(("card", "invoice", "direct debit"))
        placed = shop.place_order.s(order, self._customer(), self._basket(), coupon=coupon)
        chain(placed, shop.authorize_payment.s(method=method), shop.capture_payment.s()).delay()
        shop.score_fraud.delay(order, self._chance.choice(COUNTRIES))

    def _ask_for_pictures(self) -> None:
        path = f"pictures/{self._chance.choice(GOODS)}.png"
        sizes = ((320, 200), (640, 400), (1280, 800))
        group(shop.resize_image.s(path, width=width, height=height) for width, height in sizes).delay()

    def _leave_basket(self) -> None:
        eta = datetime.now(UTC) + timedelta(seconds=self._chance.randint(10, 60))
        shop.send_reminder.apply_async((self._customer(), self._basket()), eta=eta)

    def _change_mind(self) -> None:
        """Revoke a reminder before its time: the worker ends it when the time comes."""
        reminder = shop.send_reminder.apply_async((self._customer(), self._basket()), countdown=4)
        reminder.revoke()

    def _come_too_late(self) -> None:
        """Send something that has expired on arrival: the worker revokes it."""
        late = datetime.now(UTC) - timedelta(seconds=1)
        shop.send_reminder.apply_async((self._customer(), self._basket()), expires=late)

    def _recount(self) -> None:
        """Start a slow task, and stop one in five in the middle of its work."""
        shelf = f"{self._chance.choice('ABCDEF')}-{self._chance.randint(1, 40):02d}"
        recount = shop.recount_shelf.delay(shelf)
        if self._chance.random() < 0.2:
            recount.revoke(terminate=True)

    def _report(self) -> None:
        orders = [str(next(self._orders)) for _ in range(self._chance.randint(2, 30))]
        shop.find_top_customers.delay(orders)

    def _use_old_link(self) -> None:
        """Send a task that no worker knows any more."""
        shop.app.send_task("shop.legacy.sync_erp", args=(self._customer(),), queue="orders")


def main() -> None:
    """Visit the shop for ever, 2.2 times a second on average; wait where the broker is away."""
    chance = random.Random()
    customers = Customers(chance)
    customers.open_shop()
    while True:
        time.sleep(chance.expovariate(2.2))
        try:
            customers.visit()
        except OperationalError:
            time.sleep(1.0)


if __name__ == "__main__":
    main()
