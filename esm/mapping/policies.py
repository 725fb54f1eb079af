"""A mapping in the words of the core."""

from __future__ import annotations

from esm.core.model import INFINITE, AtTimestamp, Latest, Policy, Position, TrimHorizon
from esm.instants import duration_ms
from esm.mapping.members import StartingPosition
from esm.mapping.properties import EventSourceMapping
from esm.settings import Settings

# How often Lambda polls a shard, in milliseconds, and the most records that one read gives.
# https://docs.aws.amazon.com/lambda/latest/dg/kinesis-polling-and-batching.html (once a second)
# https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html (4 times a second)
_KINESIS_PACE = (1_000, 10_000)
_PACES = {"dynamodb": (250, 1_000)}
_PUSHED = (0, 10_000)


def policy(mapping: EventSourceMapping, settings: Settings, *, has_destination: bool) -> Policy:
    """What a shard's machine needs to know; `has_destination`: discards have somewhere to go."""
    poll_interval_ms, read_limit = _pace(mapping.event_source_arn or "")
    return Policy(
        batch_size=mapping.batch_size,
        maximum_batching_window_ms=mapping.maximum_batching_window_in_seconds * 1000,
        parallelization_factor=mapping.parallelization_factor,
        bisect_batch_on_function_error=mapping.bisect_batch_on_function_error,
        maximum_retry_attempts=mapping.maximum_retry_attempts,
        maximum_record_age_ms=_age_ms(mapping.maximum_record_age_in_seconds),
        has_destination=has_destination,
        tumbling_window_ms=mapping.tumbling_window_in_seconds * 1000,
        poll_interval_ms=poll_interval_ms,
        read_limit=read_limit,
        backoff_first_ms=duration_ms(settings.backoff_first),
        backoff_cap_ms=duration_ms(settings.backoff_cap),
        throttle_first_ms=duration_ms(settings.throttle_first),
        throttle_cap_ms=duration_ms(settings.throttle_cap),
        poll_failure_first_ms=duration_ms(settings.poll_failure_first),
        poll_failure_cap_ms=duration_ms(settings.poll_failure_cap),
        read_ahead_records=settings.read_ahead_records,
        read_ahead_bytes=settings.read_ahead_bytes,
        bisect_midpoint_upper=settings.bisect_midpoint == "upper",
        tumbling_idle_grace_ms=_grace_ms(settings, is_pushed=not poll_interval_ms),
        hands_over_oversize_state=settings.oversize_state == "returned",
    )


def _pace(arn: str) -> tuple[int, int]:
    if ":kinesis:" in arn and "/consumer/" in arn:
        return _PUSHED
    return _PACES.get("".join(arn.split(":")[2:3]), _KINESIS_PACE)


def _grace_ms(settings: Settings, *, is_pushed: bool) -> int:
    """How long a tumbling window waits past its end, at least for what is under way to it."""
    grace_ms = duration_ms(settings.tumbling_idle_grace)
    return max(grace_ms, duration_ms(settings.fan_out_delay)) if is_pushed else grace_ms


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
