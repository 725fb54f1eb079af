"""Write the events of `events/fast_sneakers/`, the same in every run.

They are what the functions of Fast Sneakers get in a Harness, where the clicks of the scenario
`fast_sneakers` go through the first of them, and its writes feed the second.

    python scripts/make_sneaker_events.py [FOLDER]
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

from esm import Function, Harness
from esm.instants import parse_instant
from esm.isolation import load_function
from esm.scenarios import fast_sneakers
from esm.sources.dynamodb_table import DynamoDbTable
from esm.sources.memory import KinesisStream

ROOT = Path(__file__).resolve().parent.parent
EVENTS = ROOT / "events"
FOLDER = "fast_sneakers"
SEED = 41
START = "2026-03-02T19:00:00Z"
DURATION_MS = 60_000
CLICKS_A_SECOND, ORDERS_A_SECOND = 0.25, 0.002
TABLES = {
    "PRODUCTS_TABLE": "sneaker-products",
    "ORDERS_TABLE": "sneaker-orders",
    "INFERENCE_INPUTS_TABLE": "sneaker-inference-inputs",
}
ENVIRONMENT = {**TABLES, "AWS_DEFAULT_REGION": "us-east-1", "POWERTOOLS_LOG_LEVEL": "CRITICAL"}
REPORTS = ["ReportBatchItemFailures"]


def documents() -> dict[str, dict[str, Any]]:
    """Each file's name and what is in it."""
    h, chance = Harness(start=START), random.Random(SEED)
    inputs = open_shop(h, chance)
    clicks = h.kinesis("sneaker-clicks")
    features = h.map(
        clicks,
        load_function(ROOT / "handlers" / "sneaker_features", "app.handler", ENVIRONMENT),
        function=Function("SneakerFeatures", timeout=30, environment=ENVIRONMENT),
        maximum_batching_window_in_seconds=60,
        function_response_types=REPORTS,
    )
    pricing = h.map(
        inputs, lambda event, context: None, name="pricing", maximum_batching_window_in_seconds=5
    )
    start_ms = parse_instant(START)
    for record in fast_sneakers.records(chance, start_ms, DURATION_MS, CLICKS_A_SECOND):
        if isinstance(record.data, dict):
            h.advance((record.at_ms - h.clock.now_ms()) / 1_000)
            clicks.put(record.data, key=record.key)
    h.drain()
    spoil(h, clicks)
    h.advance("1m")
    return {
        "clicks.json": features.invocations[0].event,
        "poison.json": features.invocations[1].event,
        "inference-inputs.json": pricing.invocations[0].event,
    }


def open_shop(h: Harness, chance: random.Random) -> DynamoDbTable:
    """Fill the tables of products and orders; gives that of the inputs."""
    products = h.dynamodb(TABLES["PRODUCTS_TABLE"], keys=("sku",))
    orders = h.dynamodb(TABLES["ORDERS_TABLE"], keys=("sku", "placed"))
    start_ms = parse_instant(START)
    for product in fast_sneakers.products(start_ms):
        products.put_item(product)
    for order in fast_sneakers.orders(chance, start_ms, DURATION_MS, ORDERS_A_SECOND):
        orders.put_item(order)
    return h.dynamodb(TABLES["INFERENCE_INPUTS_TABLE"], keys=("sku",), view="NEW_IMAGE")


def spoil(h: Harness, clicks: KinesisStream) -> None:
    """Six clicks, of which the third is cut off, and the fifth has a session as its key."""
    sku = fast_sneakers.HOT.sku
    for number in range(1, 7):
        h.advance("700ms")
        click = {"sku": sku, "action": "view", "clicked_at": h.now.isoformat()}
        text = json.dumps(click)
        data = text[: len(text) // 2] if number == 3 else text
        clicks.put(data, key="s-04871302" if number == 5 else sku)


def texts() -> dict[str, str]:
    """The name and text of each file."""
    return {name: json.dumps(document, indent=2) + "\n" for name, document in documents().items()}


def main(events: Path) -> None:
    """Write the folder into one."""
    (events / FOLDER).mkdir(parents=True, exist_ok=True)
    for name, text in texts().items():
        (events / FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else EVENTS)
