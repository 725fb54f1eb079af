"""How clicks become interest, and what is known of a sneaker the features of the price model.

Interest halves every hour. It is brought forward click by click and rounded each time, so that the
same clicks give the same interest however they were batched. The price model is trained with
`features_of` itself: what it sees in production is what it saw then.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import reduce
from math import log1p

from models import Action, ClickPayload, Features, version_of

HALF_LIFE = timedelta(hours=1)
WEIGHTS = {Action.VIEW: 1.0, Action.SAVE: 3.0, Action.ADD_TO_CART: 5.0}
DIGITS = 6


@dataclass(frozen=True, slots=True)
class SeenClick:
    """A click as the stream brought it."""

    sku: str
    sequence_number: str
    action: Action
    clicked_at: datetime
    arrived_at: datetime

    @property
    def version(self) -> str:
        """Which of two clicks on a sneaker came later."""
        return version_of(self.sequence_number)


@dataclass(frozen=True, slots=True)
class Interest:
    """How much a sneaker is wanted, at an instant: the weights of its clicks, decayed."""

    value: float
    as_of: datetime

    def after(self, click: SeenClick) -> Interest:
        """With one more click, which counts from when it was made; a clock ahead is not believed.

        A click that was late on its way has decayed by then, and never turns time back.
        """
        as_of = max(self.as_of, click.arrived_at)
        clicked_at = min(click.clicked_at, click.arrived_at)
        kept = self.value * left_after(as_of - self.as_of)
        added = WEIGHTS[click.action] * left_after(as_of - clicked_at)
        return Interest(round(kept + added, DIGITS), as_of)


def seen(payload: ClickPayload, arrived_at: datetime) -> SeenClick:
    """The click of a record."""
    click = payload.data
    return SeenClick(click.sku, payload.sequenceNumber, click.action, click.clicked_at, arrived_at)


def left_after(age: timedelta) -> float:
    """What is left of a weight."""
    return float(0.5 ** (age / HALF_LIFE))


def interest_after(clicks: Iterable[SeenClick], start: Interest) -> Interest:
    """Interest brought forward through clicks, in their order."""
    return reduce(Interest.after, clicks, start)


def features_of(
    interest: float, *, sold_last_day: int, stock: int, released_on: date, today: date
) -> Features:
    """The features of a sneaker; numbers of people and shoes count by their orders of size."""
    days_on_sale = max((today - released_on).days, 0)
    return Features(
        log_interest=rounded(log1p(interest)),
        log_sold=rounded(log1p(sold_last_day)),
        log_stock=rounded(log1p(stock)),
        years_on_sale=rounded(days_on_sale / 365),
    )


def rounded(number: float) -> Decimal:
    """As tables keep numbers: exactly what is read is what was written."""
    return Decimal(str(round(number, DIGITS)))
