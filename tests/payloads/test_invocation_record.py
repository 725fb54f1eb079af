"""Invocation records, against what AWS was recorded to send."""

import json

import pytest

from esm.core.model import Condition, DiscardInfo
from esm.payloads.invocation_record import invocation_record, s3_key
from esm.payloads.kinesis import KinesisEvents, make_record

FUNCTION = "arn:aws:lambda:us-east-2:123456789012:function:myfunction"
STREAM = "arn:aws:kinesis:us-east-2:123456789012:stream/mystream"
SHARD = "shardId-000000000001"
FIRST = make_record(
    position=49601189658422359378836298521827638475320189012309704722,
    key="a", arrived_ms=1573691884835, base64="aGk=", shard_id=SHARD, ordinal=1,
)  # fmt: skip
LAST = make_record(
    position=49601189658422359378836298522902373528957594348623495186,
    key="b", arrived_ms=1573691885580, base64="", shard_id=SHARD, ordinal=2,
)  # fmt: skip
NOW_MS = 1573691886021

RETRIES_USED = DiscardInfo(
    condition=Condition.RETRY_ATTEMPTS_EXHAUSTED,
    approximate_invoke_count=2,
    function_error="Unhandled",
    invoked=True,
)
TOO_OLD = DiscardInfo(condition=Condition.RECORD_AGE_EXCEEDED, approximate_invoke_count=1)
TOO_LARGE = DiscardInfo(
    condition=Condition.MAXIMUM_PAYLOAD_SIZE_EXCEEDED, approximate_invoke_count=1
)


def build(info, records=(FIRST, LAST), **changes):
    events = KinesisEvents(STREAM, "us-east-2", "arn:aws:iam::123456789012:role/r")
    return invocation_record(
        info,
        events.batch_info(SHARD, records, STREAM),
        **{
            "function_arn": FUNCTION,
            "request_id": "c9b8fa9f-5a7f-4cbe-af9c-0c604cde93a5",
            "now_ms": NOW_MS,
            **changes,
        },
    )


def expected(condition, count, **response_context):
    return {
        "requestContext": {
            "requestId": "c9b8fa9f-5a7f-4cbe-af9c-0c604cde93a5",
            "functionArn": FUNCTION,
            "condition": condition,
            "approximateInvokeCount": count,
        },
        **response_context,
        "version": "1.0",
        "timestamp": "2019-11-14T00:38:06.021Z",
        "KinesisBatchInfo": {
            "shardId": SHARD,
            "startSequenceNumber": "49601189658422359378836298521827638475320189012309704722",
            "endSequenceNumber": "49601189658422359378836298522902373528957594348623495186",
            "approximateArrivalOfFirstRecord": "2019-11-14T00:38:04.835Z",
            "approximateArrivalOfLastRecord": "2019-11-14T00:38:05.580Z",
            "batchSize": 2,
            "streamArn": STREAM,
        },
    }


def same_text(actual, wanted):
    """Equal, and with the keys in the same order."""
    return json.dumps(actual) == json.dumps(wanted)


def test_retries_used_up_by_errors():
    answered = {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"}

    record = build(RETRIES_USED)

    assert same_text(record, expected("RetryAttemptsExhausted", 2, responseContext=answered)), (
        record
    )


def test_retries_used_up_by_responses_that_report_failures_show_a_null_error():
    reported = DiscardInfo(
        condition=Condition.RETRY_ATTEMPTS_EXHAUSTED, approximate_invoke_count=3, invoked=True
    )
    answered = {"statusCode": 200, "executedVersion": "$LATEST", "functionError": None}

    record = build(reported)

    assert same_text(record, expected("RetryAttemptsExhausted", 3, responseContext=answered)), (
        record
    )


def test_a_batch_that_is_too_old_has_no_response_context():
    record = build(TOO_OLD)

    assert same_text(record, expected("RecordAgeExceeded", 1)), record


def test_age_that_ends_retries_has_no_response_context_either():
    while_retrying = DiscardInfo(
        condition=Condition.RECORD_AGE_EXCEEDED,
        approximate_invoke_count=8,
        function_error="Unhandled",
        invoked=True,
    )

    record = build(while_retrying)

    assert same_text(record, expected("RecordAgeExceeded", 8)), record


def test_a_record_that_fits_no_event_has_a_null_response_context():
    record = build(TOO_LARGE)

    assert same_text(record, expected("MaximumPayloadSizeExceeded", 1, responseContext=None)), (
        record
    )


def test_a_single_record_is_first_and_last():
    info = build(RETRIES_USED, records=[FIRST])["KinesisBatchInfo"]

    assert info["startSequenceNumber"] == info["endSequenceNumber"] == FIRST.sequence_number
    assert info["batchSize"] == 1


def test_the_version_that_ran_is_named():
    record = build(RETRIES_USED, function_arn=FUNCTION + ":7")

    assert record["responseContext"]["executedVersion"] == "7"
    assert record["requestContext"]["functionArn"] == FUNCTION + ":7"


def test_what_version_an_alias_points_to_is_not_known_here():
    record = build(RETRIES_USED, function_arn=FUNCTION + ":live")

    assert record["responseContext"]["executedVersion"] == "$LATEST"


def test_a_bucket_gets_the_whole_event_as_text_after_everything_else():
    event = KinesisEvents(STREAM, "us-east-2", "arn:aws:iam::123456789012:role/r").build(
        SHARD, [FIRST, LAST]
    )

    record = build(TOO_OLD, event=event)

    assert list(record)[-1] == "payload"
    assert json.loads(record["payload"]) == event
    assert record | {"payload": None} == expected("RecordAgeExceeded", 1) | {"payload": None}


def test_a_queue_gets_no_payload():
    assert "payload" not in build(RETRIES_USED)


@pytest.mark.parametrize(
    ("now_ms", "stamp"),
    [
        pytest.param(NOW_MS, "2019/11/14/2019-11-14T00.38.06", id="dots in the time, seconds only"),
        pytest.param(1577836799999, "2019/12/31/2019-12-31T23.59.59", id="the day is UTC's"),
    ],
)
def test_the_key_in_a_bucket(now_ms, stamp):
    key = s3_key("f89a6a21-mapping", SHARD, now_ms, "9b2c-random")

    assert key == f"aws/lambda/f89a6a21-mapping/{SHARD}/{stamp}-9b2c-random"
