"""The way to a stream is bad for a while: nothing is lost, and each problem is told in a line."""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import re
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

import pytest
import road
from roads import REGION, SHARDS, Changes, Pushed, Traffic, journey

from esm.embedded.aws import EmbeddedAws
from esm.settings import Settings
from esm.sources.live_clients import live_client

KINDS = (Traffic, Pushed, Changes)
TROUBLES = (
    road.reset,
    road.bad_request,
    road.denied,
    road.throttled,
    road.broken_server,
    road.page,
    road.cut_off,
    road.half,
)
MOST_WORDS = 3
"""A trouble may show itself in as many ways: where records are asked for, and where a place is."""
_names = itertools.count()


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws(port=0, fan_out_delay_ms=0) as aws:
        yield aws


@pytest.fixture(scope="module")
def clients(aws: EmbeddedAws) -> Iterator[Callable[[str], Any]]:
    """Those of whoever puts: they have a road of their own."""
    made = {each: live_client(each, aws.url, REGION) for each in ("kinesis", "dynamodb")}
    yield made.__getitem__
    for each in made.values():
        each.close()


@pytest.fixture(params=KINDS, ids=["polled", "pushed", "table"])
def traffic(request: pytest.FixtureRequest, clients: Callable[[str], Any]) -> Traffic:
    made: Traffic = request.param(f"orders-{next(_names)}", clients)
    return made


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda each: each.__name__)
def test_what_comes_in_the_place_of_an_answer(trouble, traffic: Traffic, aws: EmbeddedAws):
    with journey(traffic, aws) as going:
        going.road.trouble = trouble
        going.road.cut()  # also what has been well until now
        asked = len(going.road.asked)
        going.put(20)
        going.world.until(lambda: len(going.road.asked) >= asked + 6)
        going.road.trouble = None
        going.until_all_has_arrived()
    if trouble is road.throttled:
        assert not going.lines  # it is as usual as another reader
    else:
        require_clear_lines(going.lines)


def test_an_endpoint_that_is_down(traffic: Traffic, aws: EmbeddedAws):
    with journey(traffic, aws) as going:
        going.road.close()
        going.put(20)
        going.world.until(lambda: going.lines)
        going.road.open()
        going.until_all_has_arrived()
    require_clear_lines(going.lines)
    assert "Could not connect" in going.lines[0]


def test_troubles_that_take_turns_are_told_once_each(traffic: Traffic, aws: EmbeddedAws):
    turns = itertools.cycle([road.broken_server, road.bad_request, road.denied])
    with journey(traffic, aws) as going:
        going.road.trouble = lambda traveller: next(turns)(traveller)
        going.road.cut()
        asked = len(going.road.asked)
        going.world.until(lambda: len(going.road.asked) >= asked + 20)
        going.road.trouble = None
    require_clear_lines(going.lines)


@pytest.mark.parametrize("seconds", [float(os.environ.get("ESM_OUTAGE_S", "3"))])
def test_while_the_endpoint_is_down_it_is_asked_less_and_less(seconds, aws: EmbeddedAws, clients):
    """With the settings that a user has."""
    traffic = Traffic(f"orders-{next(_names)}", clients)
    with journey(traffic, aws, Settings()) as going:
        going.road.trouble = road.broken_server
        asked, end = len(going.road.asked), monotonic() + seconds
        going.put(20)
        going.world.until(lambda: monotonic() >= end)
        tries = len(going.road.asked) - asked
        going.road.trouble = None
        going.until_all_has_arrived()
    # At 0, 1, 3, 7 … seconds, each shard; an iterator that was answered so twice is taken anew.
    assert tries <= SHARDS * (2 + math.log2(seconds + 1))
    require_clear_lines(going.lines)


def test_reads_that_hang_keep_nobody_waiting_who_reads_elsewhere(
    traffic: Traffic, aws: EmbeddedAws, clients: Callable[[str], Any]
):
    """The end of the run does not wait for them either."""
    fine, hole = Traffic(f"fine-{next(_names)}", clients), road.Road(aws.url)
    with contextlib.closing(hole):
        with journey(fine, aws, beside=[(traffic, hole)]) as going:
            traffic.put(20)
            going.world.until(lambda: traffic.has_arrived)
            hole.trouble = road.black_hole
            hole.cut()
            going.world.until(lambda: hole.held)
            traffic.put(20)
            for _ in range(3):
                going.put(10)
                going.until_all_has_arrived()
            began = monotonic()
        assert monotonic() - began < 3
        assert len(traffic.arrived) == 20


def require_clear_lines(lines: list[str]) -> None:
    """Each problem is told once, in words, and at last that it is over."""
    *told, last = lines
    assert told
    assert len(set(told)) == len(told) <= MOST_WORDS
    for line in told:
        assert re.fullmatch(
            r"mapping-0, shard \w+: cannot be read, and is tried again: \S.*", line
        ), line
        assert len(line) < 200
        assert "0x7" not in line
    assert re.fullmatch(r"mapping-0: is read again, after \d+s", last)
