"""Fast Sneakers gets everything twice, out of order, and in between crashes: prices stay right."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sneaker_shop import Shop, price_of
from sneaker_world import ACTIONS, SKUS, World, make_world

from esm import Harness
from esm.payloads.attribute_values import from_python

FEATURES = ("log_interest", "log_sold", "log_stock", "years_on_sale")
BOUNDS = {"list_price": 100, "min_price": 1, "max_price": 1_000}
CLICKS = st.lists(
    st.tuples(st.sampled_from(SKUS), st.sampled_from(ACTIONS), st.integers(0, 90_000)),
    min_size=1,
    max_size=14,
)


def play(world: World, clicks: list[tuple[str, str, int]]) -> dict[str, dict[str, Any]]:
    """Put the clicks, with their gaps in milliseconds, and see what the catalogue comes to."""
    for sku, action, gap_ms in clicks:
        world.click(sku, action=action)
        world.h.advance(gap_ms / 1_000)
    assert world.h.drain() == "idle"
    assert world.lag() == 0
    return world.shop.catalogue()


def versions(shop: Shop) -> dict[str, list[str]]:
    """The versions that the price of each sneaker went through."""
    found = defaultdict(list)
    for record in shop.products.records:
        image = record.json["NewImage"]
        if "price_version" in image:
            found[image["sku"]["S"]].append(image["price_version"]["S"])
    return found


@settings(max_examples=8, deadline=None)
@given(clicks=CLICKS, seed=st.integers(0, 1_000), batch_size=st.integers(1, 5))
def test_everything_twice_and_out_of_order_across_sneakers_is_as_once(
    clicks: Any, seed: int, batch_size: int
):
    """A second pair of mappings reads it all again, in other batches, lanes and at other times."""
    once = play(make_world(), clicks)

    h = Harness(seed, latency=("1ms", "20s"))
    again = {"batch_size": batch_size, "parallelization_factor": 10}
    world = make_world(h=h, readers=[{}, again])
    world.endpoint.inject.throttle(times=seed % 6)
    world.pricing[0].inject.error(when=lambda _: h.rng.random() < 0.2, times=5)
    world.features[1].inject.error(when=lambda _: h.rng.random() < 0.2, times=5)

    assert play(world, clicks) == once
    assert all(seen == sorted(set(seen)) for seen in versions(world.shop).values())


@settings(max_examples=8, deadline=None)
@given(clicks=CLICKS, crashes=st.sets(st.integers(0, 13), max_size=4))
def test_crashes_leave_the_catalogue_as_it_would_be(clicks: Any, crashes: set[int]):
    once = play(make_world(), clicks)

    world = make_world(h=Harness(latency="3s"), readers=[{"batch_size": 3}])
    for number, (sku, action, gap_ms) in enumerate(clicks):
        world.click(sku, action=action)
        world.h.advance(gap_ms / 1_000)
        if number in crashes:
            world.h.restart()
    assert play(world, []) == once


@settings(max_examples=8, deadline=None)
@given(
    inputs=st.lists(st.tuples(st.sampled_from(SKUS), st.integers(1, 6)), min_size=1, max_size=20)
)
def test_a_stale_input_never_wins(inputs: list[tuple[str, int]]):
    """Inputs in any order, many of them more than once: each version has a price of its own."""
    world = make_world(readers=[{"batch_size": 3}])
    for sku, version in inputs:
        world.shop.inputs.put_record("MODIFY", {"sku": {"S": sku}}, from_python({
            "sku": sku,
            "version": str(version).zfill(129),
            "as_of": f"2026-01-01T00:00:0{version}.000Z",
            "features": dict.fromkeys(FEATURES, Decimal(version)),
            **BOUNDS,
        }))  # fmt: skip
    assert world.h.drain() == "idle"

    for sku, priced in world.shop.catalogue().items():
        newest = max((version for of, version in inputs if of == sku), default=None)
        assert priced.get("price_version", "").lstrip("0") == str(newest or "")
        if newest is not None:
            features_then = dict.fromkeys(FEATURES, Decimal(newest))
            assert priced["price"] == price_of(features_then, BOUNDS)
