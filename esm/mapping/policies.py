"""A mapping in the words of the core."""

from __future__ import annotations

from esm.core.model import INFINITE, AtTimestamp, Latest, Policy, Position, TrimHorizon
from esm.instants import duration_ms
from esm.mapping.members import StartingPosition
from esm.mapping.properties import EventSourceMapping
from esm.settings import Settings


def policy(mapping: EventSourceMapping, settings: Settings, *, has_destination: bool) -> Policy:
    """What a shard's machine needs to know; `has_destination`: discards have somewhere to go."""
    return Policy(
        batch_size=mapping.batch_size,
        maximum_batching_window_ms=mapping.maximum_batching_window_in_seconds * 1000,
        parallelization_factor=mapping.parallelization_factor,
        bisect_batch_on_function_error=mapping.bisect_batch_on_function_error,
        maximum_retry_attempts=mapping.maximum_retry_attempts,
        maximum_record_age_ms=_age_ms(mapping.maximum_record_age_in_seconds),
        has_destination=has_destination,
        backoff_first_ms=duration_ms(settings.backoff_first),
        backoff_cap_ms=duration_ms(settings.backoff_cap),
        throttle_first_ms=duration_ms(settings.throttle_first),
        throttle_cap_ms=duration_ms(settings.throttle_cap),
        poll_failure_first_ms=duration_ms(settings.poll_failure_first),
        poll_failure_cap_ms=duration_ms(settings.poll_failure_cap),
        read_ahead_records=settings.read_ahead_records,
        read_ahead_bytes=settings.read_ahead_bytes,
        bisect_midpoint_upper=settings.bisect_midpoint == "upper",
    )


def start_position(mapping: EventSourceMapping) -> Position:
    """Where a shard without checkpoint and without parents is read from."""
    match mapping.starting_position:
        case StartingPosition.TRIM_HORIZON:
            return TrimHorizon()
        case StartingPosition.LATEST:
            return Latest()
        case StartingPosition.AT_TIMESTAMP:
            assert mapping.starting_position_timestamp is not None
            return AtTimestamp(round(mapping.starting_position_timestamp * 1000))


def _age_ms(seconds: int) -> int:
    return INFINITE if seconds == INFINITE else seconds * 1000
