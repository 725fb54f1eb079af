"""Clicks in a shop of sneakers, and what its tables have of products and orders.

Evenings are busy and nights are not. One sneaker has just come out and is a hot key. Phones without
a network send clicks minutes late, some have a clock that is ahead, old links lead to what is not
sold any more, and now and then a browser sends something that is no click.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from esm.instants import from_ms, iso_ms
from esm.scenarios import ScenarioRecord
from esm.scenarios.daily import arrivals

BUSIEST_HOUR, SWING = 20, 0.6
GONE_SKU, GONE_SHARE = "LOOP-CLASSIC", 0.01
LATE_SHARE, AHEAD_SHARE, MALFORMED_SHARE = 0.02, 0.005, 0.005

_LATE_MS = (2 * 60_000, 60 * 60_000)
_AHEAD_MS = (60_000, 24 * 3_600_000)
_PROMPT_MS = (20, 800)
_ACTIONS = {"view": 80, "save": 12, "add_to_cart": 8}
_DAY_MS = 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class Sneaker:
    """One of the shop's: its price in euros, pairs in stock, days on sale, and how wanted it is."""

    sku: str
    name: str
    list_price: int
    stock: int
    days_on_sale: int
    weight: int

    def product(self, now_ms: int) -> dict[str, object]:
        """Its item in the table of products, with a price that nobody has thought about yet."""
        return {
            "sku": self.sku,
            "name": self.name,
            "list_price": self.list_price,
            "min_price": self.list_price * 3 // 4,
            "max_price": self.list_price * 3 // 2,
            "price": self.list_price,
            "stock": self.stock,
            "released_on": (from_ms(now_ms) - timedelta(days=self.days_on_sale)).date().isoformat(),
        }


HOT = Sneaker("NOVA-ZERO", "Nova Zero", 180, 120, 1, 40)
SNEAKERS = (
    HOT,
    Sneaker("NOVA-ONE", "Nova One", 160, 640, 210, 12),
    Sneaker("AERO-TRAIL", "Aero Trail", 140, 900, 90, 10),
    Sneaker("AERO-ROAD", "Aero Road", 130, 1_400, 120, 8),
    Sneaker("COURT-77", "Court 77", 110, 2_100, 400, 7),
    Sneaker("COURT-77-RED", "Court 77 Red", 115, 80, 30, 6),
    Sneaker("LOOP-KNIT", "Loop Knit", 95, 1_750, 300, 5),
    Sneaker("LOOP-KNIT-LOW", "Loop Knit Low", 90, 1_100, 310, 4),
    Sneaker("DUNE-HIGH", "Dune High", 150, 260, 60, 4),
    Sneaker("DUNE-LOW", "Dune Low", 135, 430, 65, 2),
    Sneaker("PACE-KIDS", "Pace Kids", 60, 800, 500, 1),
    Sneaker("PACE-JUNIOR", "Pace Junior", 70, 620, 500, 1),
)


def products(start_ms: int) -> list[dict[str, object]]:
    """The items of the table of products, as the shop opens."""
    return [sneaker.product(start_ms) for sneaker in SNEAKERS]


def orders(
    rng: random.Random, start_ms: int, duration_ms: int, rate: float
) -> Iterator[dict[str, object]]:
    """The items of the table of orders, from a day before the start; `rate` a second over a day."""
    instants = arrivals(
        rng, start_ms - _DAY_MS, _DAY_MS + duration_ms, rate, busiest_hour=BUSIEST_HOUR, swing=SWING
    )
    for number, at_ms in enumerate(instants, 1):
        yield {
            "sku": _wanted(rng).sku,
            "placed": f"{iso_ms(at_ms)}#o-{number:06d}",
            "quantity": 2 if rng.random() < 0.05 else 1,
        }


def records(
    rng: random.Random, start_ms: int, duration_ms: int, rate: float
) -> Iterator[ScenarioRecord]:
    """Clicks in the order in which they arrive; `rate` a second over a day."""
    instants = arrivals(rng, start_ms, duration_ms, rate, busiest_hour=BUSIEST_HOUR, swing=SWING)
    for at_ms in instants:
        sku = GONE_SKU if rng.random() < GONE_SHARE else _wanted(rng).sku
        click = _click(sku, _clicked_ms(at_ms, rng), rng)
        data = _spoilt(click, rng) if rng.random() < MALFORMED_SHARE else click
        yield ScenarioRecord(at_ms, sku, data)


def _wanted(rng: random.Random) -> Sneaker:
    [sneaker] = rng.choices(SNEAKERS, [sneaker.weight for sneaker in SNEAKERS])
    return sneaker


def _clicked_ms(at_ms: int, rng: random.Random) -> int:
    """When a click was made that arrives now, by the clock of who made it."""
    chance = rng.random()
    if chance < AHEAD_SHARE:
        return at_ms + rng.randint(*_AHEAD_MS)
    return at_ms - rng.randint(*(_LATE_MS if chance < AHEAD_SHARE + LATE_SHARE else _PROMPT_MS))


def _click(sku: str, clicked_ms: int, rng: random.Random) -> dict[str, object]:
    [action] = rng.choices([*_ACTIONS], [*_ACTIONS.values()])
    session = f"s-{rng.randrange(10**8):08d}"
    return {"sku": sku, "action": action, "clicked_at": iso_ms(clicked_ms), "session": session}


def _spoilt(click: dict[str, object], rng: random.Random) -> bytes:
    """Cut off in the middle, or of an action that nobody knows."""
    if rng.random() < 0.5:
        text = json.dumps(click)
        return text[: rng.randrange(1, len(text))].encode()
    return json.dumps({**click, "action": "undefined"}).encode()
