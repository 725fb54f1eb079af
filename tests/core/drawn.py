"""Policies and records at random, for property tests."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from driver import Rec
from hypothesis import strategies as st

from esm.core.model import Envelope, Policy

FAULTS_MS = 20_000
ENVELOPE = Envelope(event_bytes=10, record_bytes=5, window_bytes=8)

plain_policies = st.builds(
    Policy,
    batch_size=st.integers(1, 7),
    maximum_batching_window_ms=st.sampled_from([0, 0, 1_000, 2_300]),
    parallelization_factor=st.integers(1, 5),
    bisect_batch_on_function_error=st.booleans(),
    maximum_retry_attempts=st.sampled_from([-1, 0, 1, 3]),
    maximum_record_age_ms=st.sampled_from([-1, -1, 3_000, 8_000]),
    has_destination=st.booleans(),
    read_limit=st.integers(1, 12),
    payload_limit_bytes=st.sampled_from([70, 150, 10_000]),
    read_ahead_records=st.integers(0, 10),
    read_ahead_bytes=st.sampled_from([0, 200, 10_000]),
    bisect_midpoint_upper=st.booleans(),
)
windowed_policies = st.builds(
    replace,
    plain_policies,
    parallelization_factor=st.just(1),
    tumbling_window_ms=st.sampled_from([1_500, 4_000]),
    tumbling_idle_grace_ms=st.sampled_from([0, 1_000, 3_000]),
    state_limit_bytes=st.sampled_from([12, 1_000]),
    hands_over_oversize_state=st.booleans(),
)
policies = plain_policies | windowed_policies
seeds = st.integers(0, 2**32)


def records_from(seed: int, most: int = 40, first: int = 1) -> list[Rec]:
    """Records in read order; arrival times are approximate, so they may go back a little."""
    rng = Random(seed)
    arrivals = sorted(rng.randrange(15_000) for _ in range(rng.randrange(most + 1)))
    return [
        Rec(
            position=first + 3 * number,
            key=rng.choice("abcdefgh"),
            arrived_ms=max(0, arrived_ms - rng.randrange(2_000)),
            size=rng.randrange(1, 70),
        )
        for number, arrived_ms in enumerate(arrivals)
    ]


def filtered_from(seed: int, records: list[Rec]) -> frozenset[int]:
    """The positions of those that FilterCriteria remove: none, a few, most or all."""
    rng = Random(seed)
    share = rng.choice((0, 0.3, 0.9, 1))
    return frozenset(r.position for r in records if rng.random() < share)
