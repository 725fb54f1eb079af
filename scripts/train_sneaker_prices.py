"""Train the price model of Fast Sneakers and write it, the same in every run.

The model is a linear regression: the price at which a sneaker sold best, as a multiple of its list
price, from the features that the function `sneaker_features` computes, by that function's own code.
Sales to learn from are made here: prices follow `TRUTH` and a noise that no feature explains, as a
shop's would that has tried prices for two years. A fifth of them is kept from the training to say
how good the model is.

    python scripts/train_sneaker_prices.py [FILE]
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import expm1, fsum
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "handlers" / "sneaker_features"))

from features import features_of  # noqa: E402  (the function's folder is the root of its modules)

MODEL = ROOT / "handlers" / "sneaker_pricing" / "model" / "sneaker_prices.json"
SEED = 4107
SALES = 2_000
KEPT_FROM_TRAINING = 5
"""One sale in so many."""
TODAY = date(2026, 1, 1)
NAMES = ("log_interest", "log_sold", "log_stock", "years_on_sale")

TRUTH = (0.06, 0.035, -0.045, -0.08)
"""What each feature adds to the multiple of the list price."""
TRUTH_AT_ZERO = 0.98
NOISE = 0.03
"""How far chance takes a price from it, at most twice, mostly less."""

DIGITS = 6
"""What is written: less than what processors and mathematical libraries may differ in."""


@dataclass(frozen=True, slots=True)
class Sale:
    """What was known of a sneaker, and the multiple of its list price at which it sold best."""

    features: tuple[float, ...]
    factor: float


@dataclass(frozen=True, slots=True)
class LinearModel:
    """A weighted sum of features."""

    intercept: float
    coefficients: tuple[float, ...]

    def predict(self, features: Sequence[float]) -> float:
        """The multiple of the list price."""
        terms = (c * f for c, f in zip(self.coefficients, features, strict=True))
        return self.intercept + fsum(terms)


def sales(chance: random.Random) -> list[Sale]:
    """Sales of sneakers old and new, wanted and not, in numbers of every size."""
    return [_sale(chance) for _ in range(SALES)]


def _sale(chance: random.Random) -> Sale:
    known = features_of(
        expm1(chance.uniform(0, 7)),
        sold_last_day=int(expm1(chance.uniform(0, 6))),
        stock=int(expm1(chance.uniform(0, 8))),
        released_on=TODAY - timedelta(days=chance.randint(0, 700)),
        today=TODAY,
    )
    features = tuple(float(known.model_dump()[name]) for name in NAMES)
    noise = NOISE * (chance.uniform(-1, 1) + chance.uniform(-1, 1))
    return Sale(features, LinearModel(TRUTH_AT_ZERO, TRUTH).predict(features) + noise)


def fit(examples: Sequence[Sale]) -> LinearModel:
    """Least squares, by the normal equations."""
    rows = [(1.0, *sale.features) for sale in examples]
    columns = list(zip(*rows, strict=True))
    factors = [sale.factor for sale in examples]
    equations = [
        [*(_dot(column, other) for other in columns), _dot(column, factors)] for column in columns
    ]
    intercept, *coefficients = solve(equations)
    return LinearModel(intercept, tuple(coefficients))


def solve(equations: list[list[float]]) -> list[float]:
    """Gauss and Jordan, with the greatest pivot; each equation ends with its right-hand side."""
    rows = [list(equation) for equation in equations]
    for step in range(len(rows)):
        best = max(range(step, len(rows)), key=lambda number: abs(rows[number][step]))
        rows[step], rows[best] = rows[best], rows[step]
        pivot = rows[step][step]
        rows[step] = [value / pivot for value in rows[step]]
        for number, row in enumerate(rows):
            if number != step:
                rows[number] = [
                    value - row[step] * own for value, own in zip(row, rows[step], strict=True)
                ]
    return [row[-1] for row in rows]


def r_squared(model: LinearModel, examples: Sequence[Sale]) -> float:
    """How much of the differences between sales the model explains: 1 is all."""
    mean = fsum(sale.factor for sale in examples) / len(examples)
    missed = fsum((sale.factor - model.predict(sale.features)) ** 2 for sale in examples)
    return 1 - missed / fsum((sale.factor - mean) ** 2 for sale in examples)


def _dot(left: Sequence[float], right: Sequence[float]) -> float:
    return fsum(a * b for a, b in zip(left, right, strict=True))


def trained() -> tuple[LinearModel, float]:
    """The model as it is written, and how much it explains of sales that it has not seen."""
    history = sales(random.Random(SEED))
    kept = history[::KEPT_FROM_TRAINING]
    model = fit([sale for number, sale in enumerate(history) if number % KEPT_FROM_TRAINING])
    coefficients = tuple(round(value, DIGITS) for value in model.coefficients)
    model = LinearModel(round(model.intercept, DIGITS), coefficients)
    return model, r_squared(model, kept)


def main(path: Path) -> None:
    """Write the model, and say how good it is."""
    model, explained = trained()
    document = {
        "kind": "linear",
        "features": NAMES,
        "intercept": model.intercept,
        "coefficients": model.coefficients,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    print(f"R² {explained:.3f} on {SALES // KEPT_FROM_TRAINING} sales that it was not trained with")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else MODEL)
