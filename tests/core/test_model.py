"""AWS's numbers and words, which must not change by accident."""

from __future__ import annotations

import pytest

from esm.core.model import (
    INFINITE,
    PAYLOAD_LIMIT_BYTES,
    STATE_LIMIT_BYTES,
    Cause,
    Closing,
    Condition,
    DiscardInfo,
    Envelope,
    Fate,
    Policy,
    Shard,
    TumblingWindow,
)


def test_a_policy_starts_with_the_defaults_of_aws() -> None:
    policy = Policy()
    assert (policy.batch_size, policy.maximum_batching_window_ms) == (100, 0)
    assert policy.parallelization_factor == 1
    assert policy.maximum_retry_attempts == policy.maximum_record_age_ms == INFINITE == -1
    assert not policy.bisect_batch_on_function_error
    assert not policy.has_destination
    assert policy.tumbling_window_ms == 0


def test_a_request_is_at_most_6_mib_and_a_read_10_000_records() -> None:
    assert Policy().payload_limit_bytes == PAYLOAD_LIMIT_BYTES == 6 * 1024 * 1024
    assert Policy().read_limit == 10_000


def test_the_state_of_a_tumbling_window_is_at_most_1_mib() -> None:
    assert Policy().state_limit_bytes == STATE_LIMIT_BYTES == 1024 * 1024


def test_a_tumbling_window_waits_two_minutes_for_records() -> None:
    assert Policy().tumbling_idle_grace_ms == 2 * 60 * 1_000


def test_our_own_choices_have_defaults() -> None:
    policy = Policy()
    assert policy.poll_interval_ms == 1_000
    assert (policy.backoff_first_ms, policy.backoff_cap_ms) == (500, 60_000)
    assert (policy.throttle_first_ms, policy.throttle_cap_ms) == (1_000, 30_000)
    assert (policy.poll_failure_first_ms, policy.poll_failure_cap_ms) == (1_000, 30_000)
    assert (policy.read_ahead_records, policy.read_ahead_bytes) == (10_000, 10_485_760)
    assert not policy.bisect_midpoint_upper
    assert not policy.hands_over_oversize_state


def test_the_words_of_aws() -> None:
    assert [str(condition) for condition in Condition] == [
        "RetryAttemptsExhausted",
        "RecordAgeExceeded",
        "MaximumPayloadSizeExceeded",
    ]


def test_our_words_for_fates_and_causes() -> None:
    assert [str(fate) for fate in Fate] == ["delivered", "filtered", "discarded", "expired"]
    assert [str(cause) for cause in Cause] == ["batch", "bisect", "remainder", "retry", "window"]
    assert [str(closing) for closing in Closing] == ["final", "early"]


def test_a_window_opens_with_an_empty_state_and_nothing_to_hand_over() -> None:
    window = TumblingWindow(0, 60_000)
    assert (window.state, window.closing) == ("{}", None)


def test_a_discard_is_uninvoked_and_undelivered_until_said_otherwise() -> None:
    info = DiscardInfo(Condition.RECORD_AGE_EXCEEDED, 1)
    assert (info.function_error, info.invoked, info.delivered) == (None, False, False)


def test_an_envelope_weighs_nothing_and_a_shard_has_no_parents_by_default() -> None:
    assert Envelope() == Envelope(event_bytes=0, record_bytes=0, window_bytes=0)
    assert Shard("shardId-000000000000").parent_ids == ()


def test_settings_do_not_change_during_a_run() -> None:
    with pytest.raises(AttributeError):
        Policy().batch_size = 5  # type: ignore[misc]
