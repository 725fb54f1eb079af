"""The loop: skipping empty polls changes nothing, nor does the process, and real time works."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from esm import Harness, Settings
from esm.clock import SystemClock
from esm.trace import read

# --- a run that may be anything ------------------------------------------------------------------

EVEN = '{"data": {"n": [0, 2, 4]}}'


@dataclass(frozen=True)
class Behaviour:
    """What a function does: every so many records it fails, so often; it sleeps, and passes on."""

    fails_on: int = 0
    failures: int = 1
    reports: bool = False
    sleep_ms: int = 0
    passes_on: bool = False


@dataclass(frozen=True)
class Plan:
    """A mapping; `properties` are AWS's. `fan_out`: through a consumer of its own."""

    source: int
    behaviour: Behaviour
    latency_ms: tuple[int, int]
    properties: dict[str, Any]
    fan_out: bool = False


@dataclass(frozen=True)
class Scenario:
    shards: tuple[int, int]
    retention: str
    mappings: list[Plan]
    steps: list[tuple[Any, ...]]


behaviours = st.builds(
    Behaviour,
    fails_on=st.sampled_from([0, 0, 2, 3, 7]),
    failures=st.integers(1, 6),
    reports=st.booleans(),
    sleep_ms=st.sampled_from([0, 0, 1, 250, 1_000, 4_000]),
    passes_on=st.booleans(),
)
one_lane_windows = st.sampled_from(
    [{}, {}, {"tumbling_window_in_seconds": 2}, {"tumbling_window_in_seconds": 60}]
)
filters = st.sampled_from([{}, {}, {"filter_criteria": {"Filters": [{"Pattern": EVEN}]}}])
plain_properties = st.fixed_dictionaries(
    {
        "batch_size": st.sampled_from([1, 2, 5, 100]),
        "parallelization_factor": st.integers(1, 3),
        "maximum_batching_window_in_seconds": st.sampled_from([0, 0, 1, 3]),
        "maximum_retry_attempts": st.integers(0, 4),
        "bisect_batch_on_function_error": st.booleans(),
        "starting_position": st.sampled_from(["TRIM_HORIZON", "LATEST"]),
    }
)


def together(plain: dict[str, Any], window: dict[str, int], criteria: dict[str, Any]) -> Any:
    lanes = {"parallelization_factor": 1} if window else {}
    return {**plain, **window, **criteria, **lanes}


properties = st.builds(together, plain_properties, one_lane_windows, filters)
latencies = st.sampled_from([(0, 0), (0, 0), (1, 1), (500, 500), (1_000, 1_000), (0, 2_500)])
fan_outs = st.sampled_from([False, False, True])
plans = st.builds(Plan, st.integers(0, 1), behaviours, latencies, properties, fan_outs)
pauses = st.sampled_from([0, 1, 499, 500, 999, 1_000, 1_001, 2_500, 7_000, 301_000])
steps = st.one_of(
    st.tuples(st.just("put"), st.integers(0, 1), st.integers(1, 6)),
    st.tuples(st.just("advance"), pauses),
    st.tuples(st.just("drain"), pauses),
    st.tuples(st.just("until"), st.integers(1, 9), pauses),
    st.tuples(st.just("split"), st.integers(0, 1)),
    st.tuples(st.just("expire"), st.integers(0, 1)),
    st.tuples(st.sampled_from(["disable", "enable", "update"]), st.integers(0, 2)),
    st.tuples(st.just("restart")),
)
scenarios = st.builds(
    Scenario,
    st.tuples(st.integers(1, 2), st.integers(1, 2)),
    st.sampled_from(["24h", "24h", "8s"]),
    st.lists(plans, min_size=1, max_size=3),
    st.lists(steps, min_size=1, max_size=12),
)


@dataclass
class World:
    """A scenario at work in a Harness."""

    scenario: Scenario
    skip: bool
    harness: Harness = field(init=False)
    tries: dict[tuple[str, str], int] = field(default_factory=dict)

    def run(self) -> World:
        harness = self.harness = Harness(
            seed=3, freeze=False, settings=Settings(skip_idle_polls=self.skip)
        )
        self.streams = [
            harness.kinesis(name, shards=shards, retention=self.scenario.retention)
            for name, shards in zip("ab", self.scenario.shards, strict=True)
        ]
        self.mappings = [
            self.map(number, plan) for number, plan in enumerate(self.scenario.mappings)
        ]
        for name, *arguments in self.scenario.steps:
            getattr(self, name)(*arguments)
        harness.drain("1m")
        return self

    def map(self, number: int, plan: Plan) -> Any:
        name = f"m{number}"
        reports = ["ReportBatchItemFailures"] if plan.behaviour.reports else []
        stream = self.streams[plan.source]
        mapping = self.harness.map(
            stream.consumer(name) if plan.fan_out else stream,
            self.handler(name, plan),
            name=name,
            function_response_types=reports,
            **plan.properties,
        )
        low, high = plan.latency_ms
        mapping.inject.latency((low / 1000, high / 1000))
        return mapping

    def handler(self, name: str, plan: Plan) -> Callable[..., Any]:
        does, target = plan.behaviour, self.streams[1]

        def handle(event: dict[str, Any], context: Any) -> Any:
            if does.sleep_ms:
                time.sleep(does.sleep_ms / 1000)
            state = (
                {"state": {"calls": event["state"].get("calls", 0) + 1}} if "state" in event else {}
            )
            for record in event["Records"]:
                number = record["kinesis"]["sequenceNumber"]
                key = record["kinesis"]["partitionKey"]
                if does.fails_on and int(key) % does.fails_on == 0:
                    tries = self.tries[name, number] = self.tries.get((name, number), 0) + 1
                    if tries <= does.failures and does.reports:
                        return {**state, "batchItemFailures": [{"itemIdentifier": number}]}
                    if tries <= does.failures:
                        raise ValueError(f"cannot take {key}")
            if does.passes_on and plan.source == 0:
                target.put({"of": len(event["Records"]), "n": 1})
            return state

        return handle

    def put(self, stream: int, count: int) -> None:
        self.streams[stream].put_many({"n": n} for n in range(count))

    def advance(self, pause_ms: int) -> None:
        self.harness.advance(pause_ms / 1000)

    def drain(self, pause_ms: int) -> None:
        self.harness.drain(pause_ms / 1000)

    def until(self, count: int, pause_ms: int) -> None:
        mapping = self.mappings[0]
        self.harness.until(lambda: len(mapping.delivered) >= count, limit=pause_ms / 1000)

    def split(self, stream: int) -> None:
        open_shards = [shard for shard in self.streams[stream].shards if shard.is_open]
        if len(open_shards) < 4:
            self.streams[stream].split(open_shards[0].shard_id)

    def expire(self, stream: int) -> None:
        self.streams[stream].expire_iterators()

    def disable(self, number: int) -> None:
        self.mappings[number % len(self.mappings)].disable()

    def enable(self, number: int) -> None:
        self.mappings[number % len(self.mappings)].enable()

    def update(self, number: int) -> None:
        mapping = self.mappings[number % len(self.mappings)]
        if mapping.properties.tumbling_window_in_seconds:
            mapping.update(tumbling_window_in_seconds=number * 30)
            return
        mapping.update(parallelization_factor=mapping.properties.parallelization_factor % 3 + 1)

    def restart(self) -> None:
        self.harness.restart()

    def told(self) -> list[dict[str, Any]]:
        return [line for line in self.harness.trace if line["type"] != "idle"]


@given(scenarios)
def test_empty_polls_can_be_skipped(scenario: Scenario) -> None:
    skipping, polling = World(scenario, skip=True).run(), World(scenario, skip=False).run()

    assert skipping.told() == polling.told()
    assert skipping.harness.now == polling.harness.now
    event(f"{sum(line['type'] == 'Invoke' for line in skipping.told()) // 5 * 5} invocations")


@pytest.mark.parametrize("skip", [True, False])
def test_a_poll_that_was_skipped_has_taken_its_iterator(skip: bool) -> None:
    h = Harness(freeze=False, settings=Settings(skip_idle_polls=skip))
    stream = h.kinesis(shards=2)
    m = h.map(stream, lambda event, context: None)
    stream.put("a", explicit_hash_key=2**127)
    h.until(lambda: m.delivered)  # the first shard was read in vain, nobody was told
    stream.expire_iterators()
    h.advance("1s")
    assert [line["type"] for line in h.trace].count("PollFailed") == 2


# --- the same in every process -------------------------------------------------------------------

SCRIPT = """
    import sys, time
    from pathlib import Path
    from esm import Harness

    h = Harness(seed=11, latency=("10ms", "2s"))
    orders, copies = h.kinesis("orders", shards=3), h.kinesis("copies")
    dead = h.bucket("dead")

    def copy(event, context):
        time.sleep(0.5)
        for record in event["Records"]:
            copies.put(record["kinesis"]["data"], record["kinesis"]["partitionKey"])

    def fail(event, context):
        if len(event["Records"]) % 2:
            raise ValueError(f"cannot take {object()}")

    h.map(orders, copy, batch_size=7, parallelization_factor=10)
    h.map(copies, fail, batch_size=5, parallelization_factor=4, maximum_retry_attempts=2,
          bisect_batch_on_function_error=True, on_failure=dead)
    orders.put_many(({"id": n} for n in range(60)), key=lambda item: f"customer-{item['id'] % 13}")
    h.advance("3s")
    orders.split("shardId-000000000001")
    h.restart()
    orders.put_many({"id": n} for n in range(20))
    h.drain()
    h.trace.write(Path(sys.argv[1]))
"""


def test_two_processes_write_the_same_trace(tmp_path: Path) -> None:
    for hash_seed in ("1", "2"):
        subprocess.run(
            [sys.executable, "-c", textwrap.dedent(SCRIPT), str(tmp_path / hash_seed)],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            check=True,
        )
    first, second = ((tmp_path / name).read_text() for name in ("1", "2"))

    assert first == second
    assert {"Failed", "SendToDestination", "CloseShard", "Restarted"} <= {
        line["type"] for line in read(tmp_path / "1")
    }


# --- in real time --------------------------------------------------------------------------------


def test_the_loop_runs_in_real_time_too() -> None:
    harness = Harness(freeze=False, settings=Settings(backoff_first="30ms", backoff_cap="30ms"))
    clock = harness.clock = harness.runner.clock = SystemClock()  # type: ignore[assignment]
    stream = harness.kinesis("orders")
    calls: list[float] = []

    def fail_once(event: dict[str, Any], context: Any) -> None:
        calls.append(time.monotonic())
        if len(calls) == 1:
            raise ValueError("not yet")

    stream.put({"id": 1})
    mapping = harness.map(stream, fail_once)
    began = time.monotonic()
    harness.runner.run(clock.now_ms() + 60, to_idle=False)

    assert [invocation.attempt for invocation in mapping.invocations] == [1, 2]
    assert calls[1] - calls[0] >= 0.029
    assert 0.059 <= time.monotonic() - began < 5
    assert len(mapping.delivered) == 1


# --- what does not come back ---------------------------------------------------------------------


class Stop(KeyboardInterrupt):
    """Ctrl-C, as the handler of one test sends it to itself."""


@pytest.mark.parametrize("factor", [1, 4])
def test_an_interrupted_run_can_go_on(factor: int) -> None:
    harness = Harness()
    stream = harness.kinesis("orders")
    seen: list[int] = []

    def interrupted_once(event: dict[str, Any], context: Any) -> None:
        seen.append(len(event["Records"]))
        if len(seen) == 1:
            raise Stop

    mapping = harness.map(stream, interrupted_once, parallelization_factor=factor)
    stream.put_many({"id": number} for number in range(20))
    with pytest.raises(Stop):
        harness.drain()

    assert harness.drain() == "idle"
    assert mapping.lag() == 0
    assert sorted(record.ordinal for record in mapping.delivered) == list(range(1, 21))
    assert len(mapping.invocations) == factor


def test_an_interruption_is_in_the_trace_and_costs_no_attempt() -> None:
    harness = Harness()
    stream = harness.kinesis("orders")

    def interrupted(event: dict[str, Any], context: Any) -> None:
        pytest.fail("seen enough")

    harness.map(stream, interrupted)
    stream.put({"id": 1})
    with pytest.raises(pytest.fail.Exception, match="seen enough"):
        harness.drain()
    with pytest.raises(pytest.fail.Exception, match="seen enough"):
        harness.drain()

    tries = [line for line in harness.trace if line["type"] in ("Invoke", "Throttled")]
    assert [(line["t"], line.get("attempt"), line.get("error")) for line in tries] == [
        (0.0, 1, None),
        (0.0, None, "interrupted"),
        (1.0, 1, None),
    ]
