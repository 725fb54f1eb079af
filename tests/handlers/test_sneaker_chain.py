"""Both functions behind their mappings: from clicks to prices, and what faults make of that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import botocore.httpsession
import pytest
from sneaker_world import ACTIONS, SKUS, World, make_world

from esm import Harness


@pytest.fixture(autouse=True, scope="module")
def no_network() -> Iterator[None]:
    """Whatever comes as far as the network fails the test."""

    def send(self: object, request: Any) -> None:
        pytest.fail(f"a request left for {request.url}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.httpsession.URLLib3Session, "send", send)
        yield


@pytest.fixture
def world() -> World:
    return make_world()


# --- what it is for ------------------------------------------------------------------------------


def test_clicks_become_prices(world: World):
    world.click("AIR-1", "AIR-1", "RUN-2")
    assert world.h.drain() == "idle"

    assert world.prices()["AIR-1"] == world.expected("AIR-1") != 120
    assert world.prices()["RUN-2"] == world.expected("RUN-2") != 120
    assert world.prices()["OLD-3"] == 120, "nobody has asked for it"


def test_what_is_wanted_becomes_dear_and_what_is_forgotten_cheap(world: World):
    prices = []
    for clicks, wait in ((1, "10s"), (300, "8h"), (1, "10s")):
        world.click(*["AIR-1"] * clicks)
        assert world.h.drain() == "idle"
        prices.append(world.prices()["AIR-1"])
        world.h.advance(wait)
    first, wanted, forgotten = prices
    assert wanted > first + 30
    assert forgotten < wanted - 30


def test_two_runs_are_the_same():
    def run() -> tuple[Any, ...]:
        world = make_world(h=Harness(seed=5, latency=("20ms", "2s")))
        world.endpoint.inject.throttle(times=5)
        for number in range(12):
            world.click(SKUS[number % 2], action=ACTIONS[number % 3])
            world.h.advance("1700ms")
        assert world.h.drain() == "idle"
        mappings = [*world.features, *world.pricing]
        return world.shop.catalogue(), [mapping.timeline() for mapping in mappings], world.h.now

    assert run() == run()


def test_a_hot_sneaker_costs_one_write_and_one_call_for_each_batch():
    window = {"maximum_batching_window_in_seconds": 10, "batch_size": 1_000}
    world = make_world(readers=[window])
    world.click(*["AIR-1"] * 900, *["RUN-2"] * 20)
    assert world.h.drain() == "idle"

    assert len(world.shop.inputs.records) == 2
    [request] = world.endpoint.requests
    assert len(request["instances"]) == 2
    assert world.prices()["AIR-1"] == world.expected("AIR-1")


def test_an_input_that_is_deleted_asks_for_no_price(world: World):
    world.click("AIR-1")
    world.h.drain()
    price = world.prices()["AIR-1"]
    world.shop.inputs.ttl_delete({"sku": "AIR-1"})
    world.h.drain()
    assert len(world.pricing[0].filtered) == 1
    assert world.prices()["AIR-1"] == price


# --- faults --------------------------------------------------------------------------------------


def test_a_throttled_endpoint_delays_prices_and_loses_none(world: World):
    """Each invocation tries twice before it gives up: three of them fail."""
    world.endpoint.inject.throttle(times=7)
    world.click(*SKUS)
    assert world.h.drain() == "idle"

    errors = [code_of(i.error) for i in world.pricing[0].invocations]
    assert errors == ["ThrottlingException"] * 3 + [None]
    assert [i.attempt for i in world.pricing[0].invocations] == [1, 2, 3, 4]
    assert world.prices() == {sku: world.expected(sku) for sku in SKUS}


def code_of(error: Any) -> str | None:
    """AWS's code of a client's error."""
    return None if error is None else str(error.response["Error"]["Code"])


@pytest.mark.parametrize("status", [500, 503, 424, 530])
def test_an_endpoint_that_fails_for_long_is_put_aside_and_the_next_click_makes_up_for_it(
    status: int,
):
    world = make_world(readers=[{"maximum_retry_attempts": 2}])
    world.endpoint.inject.error(times=50, status=status)
    world.click("AIR-1")
    assert world.h.until(lambda: world.pricing[0].discarded)
    assert [d.condition for d in world.pricing[0].discarded] == ["RetryAttemptsExhausted"]
    assert world.prices()["AIR-1"] == 120

    while world.endpoint.inject.take():  # it is mended
        pass
    world.click("AIR-1")
    assert world.h.drain() == "idle"
    assert world.prices()["AIR-1"] == world.expected("AIR-1") != 120


def test_an_endpoint_that_is_too_slow_is_asked_again(world: World):
    world.endpoint.inject.latency("40s")
    world.click("AIR-1")
    world.h.until(lambda: world.pricing[0].invocations)
    world.endpoint.inject.latency("50ms")
    assert world.h.drain() == "idle"

    first, second = world.pricing[0].invocations
    assert type(first.error).__name__ == "ReadTimeoutError", "and not the function's own timeout"
    assert (second.attempt, second.error) == (2, None)
    assert world.prices()["AIR-1"] == world.expected("AIR-1")


def test_a_price_of_long_ago_is_not_set_any_more():
    """The record's age ends retries: here an hour without a model."""
    world = make_world(readers=[{"maximum_record_age_in_seconds": 900}])
    world.pricing[0].inject.error("no model", when=lambda record: world.h.now.hour < 1)
    world.click("AIR-1")
    assert world.h.drain() == "idle"

    assert [d.condition for d in world.pricing[0].discarded] == ["RecordAgeExceeded"]
    assert world.h.now.hour == 0
    assert world.prices()["AIR-1"] == 120


def test_the_one_input_that_the_model_chokes_on_is_found():
    def model(request: Any) -> Any:
        rows = [instance["features"] for instance in request["instances"]]
        assert all(sold < 1 for _, sold, _, _ in rows), "this is more than I have learned"
        return {"predictions": [{"score": 1.25} for _ in rows]}

    alone = {"maximum_retry_attempts": 1, "bisect_batch_on_function_error": True}
    world = make_world(model=model, readers=[alone])
    world.click(*SKUS)
    assert world.h.drain() == "idle"

    put_aside = [r.json["Keys"]["sku"]["S"] for d in world.pricing[0].discarded for r in d.records]
    assert sorted(put_aside) == ["OLD-3", "RUN-2"]
    assert world.prices() == {"AIR-1": 150, "OLD-3": 120, "RUN-2": 120}


def test_poison_is_put_aside_alone_on_both_streams():
    careful = {"maximum_retry_attempts": 2, "bisect_batch_on_function_error": True}
    world = make_world(readers=[careful])
    world.click("AIR-1")
    world.clicks.put('{"sku": "AIR-1", "act', key="AIR-1")
    world.click("AIR-1", *SKUS)
    world.shop.inputs.put_item({"sku": "BAD-9", "version": "none"})
    assert world.h.drain() == "idle"

    first, second = world.features[0].discarded, world.pricing[0].discarded
    assert [r.data for d in first for r in d.records] == [b'{"sku": "AIR-1", "act']
    assert [r.json["Keys"] for d in second for r in d.records] == [{"sku": {"S": "BAD-9"}}]
    assert world.shop.input_of("AIR-1")["interest"] == 3
    assert world.prices() == {sku: world.expected(sku) for sku in SKUS}
