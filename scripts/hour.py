"""An hour of the four applications of `template.yaml`, in virtual time, and what became of it.

Generated readings, scans, clicks and sign-ups come in at their instants; everything behind them
happens through the mappings, tables and topics of the template. `make demo` ends with this.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from heapq import merge
from itertools import groupby
from pathlib import Path
from typing import Any

import boto3

from esm import Harness
from esm.assembly import TemplateMappings
from esm.instants import from_ms, to_ms
from esm.scenarios import (
    ScenarioRecord,
    abc2badge,
    abc4logistics,
    fast_sneakers,
    internet_provider,
)
from esm.sources.memory import KinesisStream

ROOT = Path(__file__).resolve().parent.parent
START = "2026-03-02T09:00:00Z"  # the keynote begins, and all readers are busy
HOUR_MS = 3_600_000
TICK_MS = 1_000
REPORT_EVERY_MS = 900_000
PARAMETERS = {"LogLevel": "ERROR", "WindowSeconds": "60"}
SEED = 7

Generate = Callable[[random.Random, int, int, float], Iterator[ScenarioRecord]]


@dataclass(frozen=True)
class Application:
    """A stream that is fed, and the mappings that what comes in goes through, one after another."""

    name: str
    stream: str
    generate: Generate
    rate: float
    mappings: tuple[str, ...]
    made: Callable[[World], str]


@dataclass
class World:
    """The applications in a Harness."""

    h: Harness
    app: TemplateMappings
    reports: list[dict[str, Any]] = field(default_factory=list)

    def count(self, resource: str) -> int:
        """What a resource of the template got."""
        return self.app.written()[resource]

    def table(self, logical_id: str) -> Any:
        """A table of the template, as boto3 shows it."""
        with self.h.guarded():
            return boto3.resource("dynamodb").Table(self.app.template.tables[logical_id].name)

    def items(self, logical_id: str) -> list[dict[str, Any]]:
        """The items of a small table."""
        table = self.table(logical_id)
        with self.h.guarded():
            items: list[dict[str, Any]] = table.scan()["Items"]
        return items

    def stream(self, logical_id: str) -> KinesisStream:
        """A stream of the template."""
        return self.h.streams[self.app.template.streams[logical_id].name]


def _enriched(world: World) -> str:
    return f"{world.count('EnrichedSignUps'):,} enriched sign-ups"


def _alerts(world: World) -> str:
    told = world.app.topics["DriverAlerts"].published
    return f"{world.count('TruckDeviations')} deviation, {len(told)} driver told"


def _zones(world: World) -> str:
    named = {zone["zone"] for report in world.reports for zone in report["zones"]}
    statements = world.app.warehouses["BadgeWorkgroup"].statements
    loads = sum(
        part.sql.startswith("COPY") and part.status == "FINISHED"
        for statement in statements
        for part in statement.parts
    )
    return f"{loads} loads, {len(named)} busy zones named"


def _prices(world: World) -> str:
    changed = sum(each["price"] != each["list_price"] for each in world.items("SneakerProducts"))
    return f"{changed} prices changed"


APPLICATIONS = (
    Application(
        "InternetProvider", "SignUps", internet_provider.records, 0.2,
        ("BandwidthEnrichmentSignups",), _enriched,
    ),
    Application(
        "ABC2Badge", "BadgeScans", abc2badge.records, 0.5,
        ("BadgeLoadScans", "BadgeWindowsScans"), _zones,
    ),
    Application(
        "Fast Sneakers", "SneakerClicks", fast_sneakers.records, 0.15,
        ("SneakerFeaturesClicks", "SneakerPricingInputs"), _prices,
    ),
    Application(
        "ABC4Logistics", "TruckReadings", abc4logistics.records, 0.3,
        ("TruckDetectionReadings", "TruckAlertsDeviations", "TruckArchiveReadings"), _alerts,
    ),
)  # fmt: skip


def run() -> World:
    """Feed an hour, and run until nothing is left to do."""
    h = Harness(seed=SEED, start=START)
    world = World(h, h.template(ROOT / "template.yaml", PARAMETERS))
    start_ms = to_ms(h.now)
    open_the_shop(world, start_ms)
    for application in APPLICATIONS:
        for name in application.mappings:
            _ = world.app[name]  # a mapping begins when it is asked for
    for instant_ms, puts in groupby(feed(start_ms), key=lambda put: put[0]):
        h.advance((instant_ms - to_ms(h.now)) / 1000)
        for _, stream, record in puts:
            data = record.data if isinstance(record.data, bytes) else dict(record.data)
            world.stream(stream).put(data, key=record.key)
        if (instant_ms - start_ms) // REPORT_EVERY_MS > len(world.reports):
            report(world)
    h.drain()
    report(world)
    return world


def feed(start_ms: int) -> Iterable[tuple[int, str, ScenarioRecord]]:
    """Every record with its stream, in the order of the ticks at which they are put."""

    def of(number: int, each: Application) -> Iterator[tuple[int, str, ScenarioRecord]]:
        rng = random.Random(SEED + number)
        for record in each.generate(rng, start_ms, HOUR_MS, each.rate):
            tick_ms = -(-(record.at_ms - start_ms) // TICK_MS) * TICK_MS
            yield start_ms + tick_ms, each.stream, record

    feeds = [of(number, each) for number, each in enumerate(APPLICATIONS)]
    return merge(*feeds, key=lambda put: put[:2])


def open_the_shop(world: World, start_ms: int) -> None:
    """Fast Sneakers has products, and orders of the day before."""
    rng = random.Random(SEED)
    stock = {
        "SneakerProducts": fast_sneakers.products(start_ms),
        "SneakerOrders": list(fast_sneakers.orders(rng, start_ms, 0, 0.002)),
    }
    for name, items in stock.items():
        table = world.table(name)
        with world.h.guarded(), table.batch_writer() as batch:
            for item in items:
                batch.put_item(Item=item)


def report(world: World) -> None:
    """The schedule of the report is due."""
    world.reports.append(world.app.invoke("BadgeReport", {"time": world.h.now.isoformat()}))


def table_of(world: World) -> list[str]:
    """A line for each mapping: what became of its records, and what came of it."""
    lines = [f"{'':<24}{'in':>7}{'delivered':>11}{'filtered':>10}{'discarded':>11}{'lag':>5}"]
    for application in APPLICATIONS:
        lines.append(f"{application.name}: {application.made(world)}")
        for name in application.mappings:
            mapping = world.app[name]
            discarded = sum(len(each.records) for each in mapping.discarded)
            fates = len(mapping.delivered), len(mapping.filtered), discarded
            came_in = mapping.source.record_count
            lines.append(
                f"  {name:<22}{came_in:>7,}{fates[0]:>11,}{fates[1]:>10,}{fates[2]:>11,}"
                f"{mapping.lag():>5}"
            )
    return lines


def main() -> None:
    """Run the hour and print the table."""
    world = run()
    took = world.h.now - from_ms(world.h.trace.start_ms)
    print("\n".join(table_of(world)))
    print(f"\nAWS would have taken {str(took).split('.')[0]}.")


if __name__ == "__main__":
    main()
