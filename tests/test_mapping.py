"""Creating and updating a mapping: AWS's defaults, and what the core is told of it."""

import subprocess
import sys
from datetime import UTC, datetime

import pytest

from esm.core.model import INFINITE, AtTimestamp, Latest, Policy, TrimHorizon
from esm.errors import MappingError
from esm.mapping import create, policy, start_position, updated
from esm.settings import Settings

NOW_MS = 1_767_225_600_000
STREAM = "arn:aws:kinesis:us-east-1:123456789012:stream/orders"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:orders-dlq"
LEAST = {"EventSourceArn": STREAM, "FunctionName": "orders", "StartingPosition": "TRIM_HORIZON"}


def mapping(**properties):
    return create({**LEAST, **properties}, now_ms=NOW_MS)


def on_failure(arn):
    return {"OnFailure": {"Destination": arn}}


def test_a_mapping_has_awss_defaults():
    m = mapping()
    assert (m.event_source_arn, m.function_name) == (STREAM, "orders")
    assert (m.enabled, m.batch_size, m.maximum_batching_window_in_seconds) == (True, 100, 0)
    assert (m.parallelization_factor, m.tumbling_window_in_seconds) == (1, 0)
    assert (m.maximum_retry_attempts, m.maximum_record_age_in_seconds) == (-1, -1)
    assert (m.bisect_batch_on_function_error, m.function_response_types) == (False, ())
    assert (m.on_failure, m.starting_position_timestamp) == (None, None)
    assert m.changed() == {}


def test_names_are_awss_or_their_snake_case():
    snake = create(
        {
            "event_source_arn": STREAM,
            "function_name": "orders",
            "starting_position": "TRIM_HORIZON",
            "maximum_retry_attempts": 2,
            "kms_key_arn": "arn:aws:kms:us-east-1:123456789012:key/1",
        },
        now_ms=NOW_MS,
    )
    camel = mapping(MaximumRetryAttempts=2, KMSKeyArn="arn:aws:kms:us-east-1:123456789012:key/1")
    assert snake == camel


@pytest.mark.parametrize(
    "off",
    [
        pytest.param({"FilterCriteria": {}}, id="no-filter-criteria"),
        pytest.param({"FilterCriteria": {"Filters": []}}, id="no-filters"),
        pytest.param({"FilterCriteria": {"Filters": None}}, id="null-filters"),
        pytest.param({"TumblingWindowInSeconds": 0}, id="no-window"),
        pytest.param({"DestinationConfig": {}}, id="no-destination-config"),
        pytest.param({"DestinationConfig": {"OnFailure": {}}}, id="no-target"),
        pytest.param({"DestinationConfig": on_failure("")}, id="empty-destination"),
        pytest.param({"DestinationConfig": {"OnSuccess": None}}, id="null-on-success"),
        pytest.param({"FunctionResponseTypes": []}, id="no-response-types"),
        pytest.param({"KMSKeyArn": ""}, id="no-key"),
        pytest.param({"Tags": {}}, id="no-tags"),
        pytest.param({"MetricsConfig": {"Metrics": []}}, id="no-metrics"),
        pytest.param({"BatchSize": None, "Topics": None}, id="null-is-left-out"),
    ],
)
def test_a_value_that_means_off_is_the_default(off):
    assert mapping(**off) == mapping()
    assert mapping(**off).changed() == {}


@pytest.mark.parametrize(
    "arn",
    [QUEUE, "arn:aws:sns:eu-west-1:123456789012:failures", "arn:aws:s3:::failures"],
    ids=["queue", "topic", "bucket"],
)
def test_a_destination_is_a_queue_a_topic_or_a_bucket(arn):
    assert mapping(DestinationConfig=on_failure(arn)).on_failure == arn


@pytest.mark.parametrize(
    "name",
    [
        "orders",
        "o" * 64,
        "orders:live",
        "orders:$LATEST",
        "123456789012:function:orders",
        "arn:aws:lambda:us-east-1:123456789012:function:orders:7",
    ],
)
def test_a_function_is_named_in_any_of_awss_ways(name):
    assert mapping(FunctionName=name).function_name == name


def test_partial_responses_are_asked_for_by_their_type():
    assert not mapping().report_batch_item_failures
    assert mapping(FunctionResponseTypes=["ReportBatchItemFailures"]).report_batch_item_failures


def test_what_changes_no_delivery_is_accepted_and_listed():
    m = mapping(
        Tags={"team": "orders"},
        MetricsConfig={"Metrics": ["EventCount"]},
        KMSKeyArn="arn:aws:kms:us-east-1:123456789012:key/1",
        BatchSize=7,
    )
    assert m.no_effect == ("KMSKeyArn", "MetricsConfig", "Tags")
    assert mapping(Tags={}).no_effect == ()


def test_what_differs_from_awss_defaults_is_told_as_awss_json():
    m = mapping(BatchSize=7, DestinationConfig=on_failure(QUEUE), MaximumRetryAttempts=-1)
    assert m.changed() == {"BatchSize": 7, "DestinationConfig": on_failure(QUEUE)}


def test_a_mapping_does_not_change():
    with pytest.raises(ValueError, match="frozen"):
        mapping().batch_size = 5


# --- update --------------------------------------------------------------------------------------


def change(before, **changes):
    return updated(before, changes, now_ms=NOW_MS)


def test_an_update_changes_what_it_names_and_nothing_else():
    before = mapping(
        BatchSize=7,
        StartingPosition="AT_TIMESTAMP",
        StartingPositionTimestamp=1.5,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        Tags={"team": "orders"},
    )
    after = change(before, maximum_retry_attempts=3, BatchSize=None)
    assert after.changed() == {**before.changed(), "MaximumRetryAttempts": 3}
    assert before.maximum_retry_attempts == -1
    assert change(before) == before


@pytest.mark.parametrize(
    ("given", "clearing"),
    [
        ({"DestinationConfig": on_failure(QUEUE)}, {"DestinationConfig": on_failure("")}),
        ({"DestinationConfig": on_failure(QUEUE)}, {"DestinationConfig": {"OnFailure": {}}}),
        (
            {"FunctionResponseTypes": ["ReportBatchItemFailures"]},
            {"FunctionResponseTypes": []},
        ),
        ({"KMSKeyArn": "arn:aws:kms:us-east-1:123456789012:key/1"}, {"KMSKeyArn": ""}),
    ],
)
def test_awss_ways_to_clear_a_property(given, clearing):
    assert change(mapping(**given), **clearing).changed() == {}


@pytest.mark.parametrize(
    "name", ["EventSourceArn", "StartingPosition", "StartingPositionTimestamp", "Tags", "Topics"]
)
def test_some_properties_are_for_ever(name):
    with pytest.raises(MappingError) as caught:
        change(mapping(), **{name: "x"})
    assert caught.value.message == f"{name} cannot be changed"
    assert (caught.value.esm_code, caught.value.fix) == ("E230", f"remove {name}, or create anew")


def test_an_update_is_checked_like_a_creation():
    before = mapping(ParallelizationFactor=2)
    with pytest.raises(MappingError) as caught:
        change(before, BatchSize=0)
    assert caught.value.esm_code == "E204"
    with pytest.raises(MappingError) as caught:
        change(before, tumbling_window_in_seconds=5)
    assert (caught.value.esm_code, caught.value.fix) == ("E223", "parallelization_factor=1")
    assert change(before, FunctionName="other", Enabled=False).function_name == "other"


# --- in the words of the core --------------------------------------------------------------------


def test_the_defaults_of_aws_and_ours_are_the_defaults_of_the_core():
    assert policy(mapping(), Settings(), has_destination=False) == Policy()


def test_every_property_reaches_the_core():
    m = mapping(
        BatchSize=7,
        MaximumBatchingWindowInSeconds=300,
        ParallelizationFactor=10,
        BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=2,
        MaximumRecordAgeInSeconds=60,
    )
    settings = Settings(
        backoff_first="1s",
        backoff_cap="2s",
        throttle_first="3s",
        throttle_cap="4s",
        poll_failure_first="5s",
        poll_failure_cap="6s",
        read_ahead_records=7,
        read_ahead_bytes=8,
        bisect_midpoint="upper",
    )
    assert policy(m, settings, has_destination=True) == Policy(
        batch_size=7,
        maximum_batching_window_ms=300_000,
        parallelization_factor=10,
        bisect_batch_on_function_error=True,
        maximum_retry_attempts=2,
        maximum_record_age_ms=60_000,
        has_destination=True,
        backoff_first_ms=1_000,
        backoff_cap_ms=2_000,
        throttle_first_ms=3_000,
        throttle_cap_ms=4_000,
        poll_failure_first_ms=5_000,
        poll_failure_cap_ms=6_000,
        read_ahead_records=7,
        read_ahead_bytes=8,
        bisect_midpoint_upper=True,
    )
    assert policy(mapping(), settings, has_destination=True).maximum_record_age_ms == INFINITE


@pytest.mark.parametrize(
    ("properties", "position"),
    [
        ({"StartingPosition": "TRIM_HORIZON"}, TrimHorizon()),
        ({"StartingPosition": "LATEST"}, Latest()),
        (
            {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": 1_700_000_000.123},
            AtTimestamp(1_700_000_000_123),
        ),
        (
            {
                "StartingPosition": "AT_TIMESTAMP",
                "StartingPositionTimestamp": datetime(2026, 1, 1, tzinfo=UTC),
            },
            AtTimestamp(NOW_MS),
        ),
    ],
)
def test_where_reading_starts(properties, position):
    assert start_position(mapping(**properties)) == position


def test_a_mapping_made_while_time_is_frozen_is_like_any_other():
    program = f"""
import freezegun
from datetime import datetime, timezone
with freezegun.freeze_time("2020-02-02"):
    from esm.mapping import create
    frozen = create({LEAST!r}, now_ms=0)
    when = datetime.now(timezone.utc)
    late = dict({LEAST!r}, StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp=when)
    assert create(late, now_ms={NOW_MS}).starting_position_timestamp == 1580601600.0
assert create({LEAST!r}, now_ms=0) == frozen
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)
