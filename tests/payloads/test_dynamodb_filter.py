"""Filters over a DynamoDB stream: attribute values keep their types, metadata can be matched."""

from __future__ import annotations

import json
from typing import Any

import pytest

from esm.core.filtering import compile_pattern
from esm.payloads.dynamodb import TTL_IDENTITY, DynamoDbEvents, DynamoDbRecord, make_record
from esm.payloads.dynamodb_filter import DynamoDbFilter

SHARD = "shardId-00000001767300000000-0123abcd"
ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/T/stream/2026-01-01T00:00:00.000"
EVENTS = DynamoDbEvents(ARN, "us-east-1")


def record(*, event_name: str = "INSERT", by_ttl: bool = False, **image: Any) -> DynamoDbRecord:
    part = {
        "ApproximateCreationDateTime": 1767300000,
        "Keys": {"id": {"S": "a"}},
        "NewImage": {"id": {"S": "a"}, **image},
        "SequenceNumber": "100000000000000000001",
        "SizeBytes": 26,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    return make_record(
        part,
        event_name=event_name,
        event_id="c4ca4238a0b923820dcc509a6f75849b",
        shard_id=SHARD,
        ordinal=1,
        user_identity=TTL_IDENTITY if by_ttl else None,
    )


def filter_of(*patterns: Any) -> DynamoDbFilter:
    return DynamoDbFilter([compile_pattern(pattern) for pattern in patterns], EVENTS)


def image(**rules: Any) -> dict[str, Any]:
    return {"dynamodb": {"NewImage": rules}}


@pytest.mark.parametrize(
    ("attributes", "pattern", "passes"),
    [
        pytest.param({"k": {"S": "x"}}, image(k={"S": ["x"]}), True, id="typed"),
        pytest.param({"k": {"S": "x"}}, image(k=["x"]), False, id="without the type"),
        pytest.param({"n": {"N": "42"}}, image(n={"N": ["42"]}), True, id="number as text"),
        pytest.param({"n": {"N": "42"}}, image(n={"N": [42]}), False, id="number as number"),
        pytest.param(
            {"n": {"N": "42"}}, image(n={"N": [{"numeric": [">", 1]}]}), False,
            id="numeric never matches an attribute",
        ),
        pytest.param({"k": {"S": "x"}}, image(k={"S": [{"exists": True}]}), True, id="leaf exists"),
        pytest.param({"k": {"S": "x"}}, image(k=[{"exists": True}]), False, id="no leaf exists"),
        pytest.param({"k": {"S": "x"}}, image(k=[{"exists": False}]), True, id="no leaf, present"),
        pytest.param({}, image(k=[{"exists": False}]), True, id="no leaf, absent"),
        pytest.param({"f": {"BOOL": True}}, image(f={"BOOL": [True]}), True, id="boolean"),
        pytest.param({"s": {"SS": ["a", "b"]}}, image(s={"SS": ["b"]}), True, id="set"),
        pytest.param(
            {"m": {"M": {"x": {"S": "y"}}}}, image(m={"M": {"x": {"S": ["y"]}}}), True, id="map"
        ),
        pytest.param(
            {"k": {"N": "1"}}, image(k={"S": [{"anything-but": ["r"]}, {"exists": False}]}), True,
            id="not this, or absent",
        ),
        pytest.param({}, {"dynamodb": {"SizeBytes": [{"numeric": [">", 25]}]}}, True, id="size"),
        pytest.param(
            {}, {"dynamodb": {"ApproximateCreationDateTime": [1767300000]}}, True, id="time"
        ),
        pytest.param({}, {"dynamodb": {"OldImage": {"k": {"S": ["x"]}}}}, False, id="no image"),
        pytest.param({}, {"eventName": ["INSERT"]}, True, id="event name"),
        pytest.param({}, {"eventName": ["MODIFY"]}, False, id="other event name"),
        pytest.param({}, {"eventSource": ["aws:dynamodb"]}, True, id="event source"),
        pytest.param({}, {"eventSourceARN": [ARN], "awsRegion": ["us-east-1"]}, True, id="ARN"),
        pytest.param({}, {"eventVersion": ["1.1"]}, True, id="version"),
        pytest.param({}, {"userIdentity": {"type": ["Service"]}}, False, id="no identity"),
    ],
)  # fmt: skip
def test_the_record_of_the_event_is_what_a_pattern_sees(
    attributes: dict[str, Any], pattern: Any, passes: bool
):
    given_record = record(**attributes)
    matching, filtered = filter_of(pattern).split(SHARD, [given_record])
    assert (list(matching), list(filtered)) == (
        ([given_record], []) if passes else ([], [given_record])
    )
    [told] = filter_of(pattern).explain(SHARD, given_record)
    assert told.matches is passes


def test_deletes_by_time_to_live_have_an_identity():
    pattern = {"userIdentity": {"type": ["Service"], "principalId": ["dynamodb.amazonaws.com"]}}
    expired, removed = record(event_name="REMOVE", by_ttl=True), record(event_name="REMOVE")
    matching, filtered = filter_of(pattern).split(SHARD, [expired, removed])
    assert (list(matching), list(filtered)) == ([expired], [removed])


def test_any_filter_is_enough_and_when_all_pass_nothing_is_copied():
    records = [record(), record(event_name="MODIFY")]
    either = filter_of({"eventName": ["INSERT"]}, {"eventName": ["MODIFY"]})
    assert either.split(SHARD, records)[0] is records
    assert either.split(SHARD, [])[0] == []


def test_what_decided_is_told_of_each_filter():
    told = filter_of(image(k={"S": ["y"]}), {"eventName": ["INSERT"]}).explain(
        SHARD, record(k={"S": "x"})
    )
    assert [each.reason for each in told] == [
        'dynamodb.NewImage.k.S is "x", not ["y"]',
        "every condition holds",
    ]
    assert json.loads(told[0].rule) == ["y"]
