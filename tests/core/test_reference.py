"""The machine makes the calls of the straight-line model, in its order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import reference
from driver import Loop, Rec, ScriptedShard, state_after
from hypothesis import event, given
from hypothesis import strategies as st

from esm.core import messages as m
from esm.core.model import Envelope, Fate, Policy, TrimHorizon
from esm.core.shard import ShardMachine


@dataclass
class Script:
    """The outcomes of a function, one after the other; after the last one it succeeds.

    The first letter: (s)ucceeds, (f)ails, (t)hrottled; a number: reports that record as failed.
    """

    outcomes: Sequence[str | int]
    used: int = field(default=0)

    def next(self, lane: int, batch: int, size: int) -> m.Outcome:
        outcome = self.outcomes[self.used] if self.used < len(self.outcomes) else "s"
        self.used += 1
        match outcome:
            case int(index) if size:
                return m.PartlyFailed(lane, batch, index % size)
            case int() | "f":
                return m.Failed(lane, batch)
            case "t":
                return m.Throttled(lane, batch)
            case _:
                return m.Succeeded(lane, batch)

    def to_read(self, now_ms: int) -> tuple[int, m.PollFailed | None]:
        return 0, None

    def to_invoke(self, command: m.Invoke, now_ms: int) -> tuple[int, m.Outcome]:
        outcome = self.next(command.lane, command.batch, len(command.records))
        match outcome:
            case m.Succeeded():
                outcome = replace(outcome, state=state_after(command, len(command.records)))
            case m.PartlyFailed(failed_from=count):
                outcome = replace(outcome, state=state_after(command, count))
            case _:
                pass
        return reference.TAKES_MS, outcome

    def to_send(self, command: m.SendToDestination, now_ms: int) -> tuple[int, m.LaneInput]:
        return 0, m.DestinationDelivered(command.lane, command.batch)


def calls_of(loop: Loop) -> list[tuple[str, list[int], int]]:
    calls: list[tuple[str, list[int], int]] = []
    for entry in loop.log:
        match entry.message:
            case m.Invoke(records=records, attempt=attempt, window=window):
                what = window.closing or "invoke" if window else "invoke"
                shown = f" {window.start_ms} {window.state}" if window else ""
                calls.append((what + shown, [r.position for r in records], attempt))
            case m.StateDropped():
                calls.append(("dropped", [], 0))
            case m.SendToDestination(records=records, info=info):
                count = info.approximate_invoke_count
                calls.append((str(info.condition), [r.position for r in records], count))
            case m.Resolved(records=records, fate=Fate.EXPIRED):
                calls.append(("expired", [r.position for r in records], 0))
            case _:
                pass
    return calls


plain_policies = st.builds(
    Policy,
    batch_size=st.integers(1, 8),
    bisect_batch_on_function_error=st.booleans(),
    maximum_retry_attempts=st.sampled_from([-1, 0, 1, 2, 4]),
    maximum_record_age_ms=st.sampled_from([-1, -1, 2_000, 5_000, 60_000]),
    payload_limit_bytes=st.sampled_from([60, 100, 1_000]),
    has_destination=st.just(True),
)
windowed_policies = st.builds(
    replace,
    plain_policies,
    payload_limit_bytes=st.sampled_from([80, 120, 1_000]),
    tumbling_window_ms=st.sampled_from([1_000, 1_500, 4_000]),
    tumbling_idle_grace_ms=st.sampled_from([0, 1_500, 3_000]),
    state_limit_bytes=st.sampled_from([4, 12, 1_000]),
    hands_over_oversize_state=st.booleans(),
)
outcomes = st.lists(
    st.one_of(st.sampled_from(["s", "f", "f", "f", "t"]), st.integers(0, 7)), max_size=40
)
arrivals = st.lists(st.tuples(st.integers(0, 9_000), st.integers(1, 110)), max_size=25)


@given(
    policy=plain_policies | windowed_policies,
    script=outcomes,
    arrivals=arrivals,
    retention_ms=st.sampled_from([None, None, 4_000]),
    filtered=st.frozensets(st.integers(1, 25)),
)
def test_the_machine_makes_the_calls_of_the_straight_line_model(
    policy: Policy,
    script: list[str | int],
    arrivals: list[tuple[int, int]],
    retention_ms: int | None,
    filtered: frozenset[int],
) -> None:
    envelope = Envelope(event_bytes=10, record_bytes=5, window_bytes=7)
    records = [
        Rec(position, arrived_ms=arrived_ms, size=size)
        for position, (arrived_ms, size) in enumerate(sorted(arrivals), 1)
    ]
    oracle, ours = Script(script), Script(script)
    lane = reference.Lane(policy, envelope, retention_ms, lambda b: oracle.next(0, 0, len(b)))
    ended_ms = reference.read_ms(records[-1]) if records else 0
    lane.run([r for r in records if r.position not in filtered], ended_ms)

    loop = Loop()
    machine = ShardMachine.open("shard-0", policy, envelope, TrimHorizon(), retention_ms, 0)
    loop.add(machine, ScriptedShard(records, 0, retention_ms, filtered), ours)
    loop.run()

    assert calls_of(loop) == lane.calls
    assert machine.closed
    for what in {call[0].split()[0] for call in lane.calls}:
        event(what)
