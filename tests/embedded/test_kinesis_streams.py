"""Streams made, changed and deleted through the API."""

from __future__ import annotations

import boto3
import pytest
from kinesis_world import ARN, FIRST, SECOND, START_MS, World

from esm import Harness
from esm.embedded.kinesis_streams import ON_DEMAND_LIMIT, SHARD_LIMIT
from esm.errors import EndpointError
from esm.instants import from_ms

ON_DEMAND = {"StreamMode": "ON_DEMAND"}


@pytest.fixture
def world() -> World:
    return World()


# --- made and deleted ----------------------------------------------------------------------------


def test_a_new_stream_is_active_at_once_and_takes_records(world):
    answer = world.call(
        "CreateStream", StreamName="orders", ShardCount=2, Tags={"team": "a"},
        MaxRecordSizeInKiB=2048,
    )  # fmt: skip
    assert answer == {}
    assert world.summary() == {
        "StreamName": "orders",
        "StreamARN": ARN,
        "StreamStatus": "ACTIVE",
        "StreamModeDetails": {"StreamMode": "PROVISIONED"},
        "StreamCreationTimestamp": from_ms(START_MS),
        "RetentionPeriodHours": 24,
        "EnhancedMonitoring": [{"ShardLevelMetrics": []}],
        "EncryptionType": "NONE",
        "OpenShardCount": 2,
        "ConsumerCount": 0,
        "MaxRecordSizeInKiB": 2048,
    }
    world.call("PutRecord", StreamName="orders", Data=b"x", PartitionKey="k")
    assert world.streams["orders"].record_count == 1


def test_an_on_demand_stream_begins_with_four_shards(world):
    world.call("CreateStream", StreamName="orders", StreamModeDetails=ON_DEMAND)
    assert world.summary()["OpenShardCount"] == 4
    assert world.summary()["StreamModeDetails"] == ON_DEMAND
    limits = world.call("DescribeLimits")
    assert limits == {
        "ShardLimit": SHARD_LIMIT,
        "OpenShardCount": 0,
        "OnDemandStreamCount": 1,
        "OnDemandStreamCountLimit": ON_DEMAND_LIMIT,
    }


def test_a_name_is_taken_once(world):
    world.stream()
    error = world.refused("CreateStream", StreamName="orders", ShardCount=1)
    assert (error.code, error.message) == (
        "ResourceInUseException", "Stream orders under account 123456789012 already exists.",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("params", "code", "message"),
    [
        ({"StreamName": "a b", "ShardCount": 1}, "ValidationException",
         "1 validation error detected: Value 'a b' at 'streamName' failed to satisfy constraint: "
         "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"),
        ({"StreamName": "", "ShardCount": 0}, "ValidationException", "3 validation errors"),
        ({}, "ValidationException", "Value null at 'streamName'"),
        ({"StreamName": "a"}, "ValidationException", "Value null at 'shardCount'"),
        ({"StreamName": "a", "ShardCount": 1, "StreamModeDetails": ON_DEMAND},
         "InvalidArgumentException", "ShardCount"),
        ({"StreamName": "a", "StreamModeDetails": {"StreamMode": "FREE"}}, "ValidationException",
         "'FREE' at 'streamModeDetails.streamMode'"),
        ({"StreamName": "a", "ShardCount": 10_001}, "LimitExceededException", "10000 shards"),
        ({"StreamName": "a", "ShardCount": 1, "Tags": {"a%": "b"}}, "InvalidArgumentException",
         "illegal characters"),
        ({"StreamName": "a", "ShardCount": 1, "MaxRecordSizeInKiB": 1023}, "ValidationException",
         "have value greater than or equal to 1024"),
    ],
)  # fmt: skip
def test_a_stream_that_aws_would_not_make_is_refused(world, params, code, message):
    error = world.refused("CreateStream", **params)
    assert error.code == code
    assert message in error.message
    assert world.streams == {}


def test_an_account_has_so_many_on_demand_streams(world):
    for number in range(ON_DEMAND_LIMIT):
        world.call("CreateStream", StreamName=f"s{number}", StreamModeDetails=ON_DEMAND)
    error = world.refused("CreateStream", StreamName="more", StreamModeDetails=ON_DEMAND)
    assert error.code == "LimitExceededException"


def test_an_account_has_so_many_shards(world):
    world.stream("a", 10_000)
    world.stream("b", 9_999)
    error = world.refused("CreateStream", StreamName="c", ShardCount=2)
    assert (error.code, "Current shard count for the account: 19999" in error.message) == (
        "LimitExceededException", True,
    )  # fmt: skip
    world.stream("c", 1)
    half = str(2**100)
    full = world.refused("SplitShard", StreamName="c", ShardToSplit=FIRST, NewStartingHashKey=half)
    assert full.code == "LimitExceededException"


def test_a_deleted_stream_is_gone_for_everybody(world):
    world.stream()
    iterator = world.call(
        "GetShardIterator", StreamName="orders", ShardId=FIRST, ShardIteratorType="LATEST"
    )["ShardIterator"]
    world.call("DeleteStream", StreamName="orders")
    error = world.refused("PutRecord", StreamName="orders", Data=b"", PartitionKey="k")
    assert (error.code, error.message) == (
        "ResourceNotFoundException", "Stream orders under account 123456789012 not found.",
    )  # fmt: skip
    gone = world.refused("GetRecords", ShardIterator=iterator)
    assert gone.code == "ResourceNotFoundException"
    assert world.call("ListStreams")["StreamNames"] == []


def test_a_stream_made_again_is_another_one_even_in_the_same_millisecond(world):
    first = world.stream()
    first.put("old")
    iterator = world.call(
        "GetShardIterator", StreamName="orders", ShardId=FIRST, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    world.call("DeleteStream", StreamARN=ARN)
    second = world.stream()
    assert second.created_ms > first.created_ms
    assert second.record_count == 0
    stale = world.refused("GetRecords", ShardIterator=iterator)
    assert stale.code == "ResourceNotFoundException"


def test_consumers_keep_a_stream_unless_they_may_go_with_it(world):
    world.stream()
    world.consumer()
    kept = world.refused("DeleteStream", StreamName="orders")
    assert kept.code == "ResourceInUseException"
    world.call("DeleteStream", StreamName="orders", EnforceConsumerDeletion=True)
    assert world.streams == {}


def test_name_and_arn_must_agree_and_one_of_them_be_there(world):
    world.stream()
    world.stream("other")
    both = world.refused("DeleteStream", StreamName="other", StreamARN=ARN)
    neither = world.refused("DeleteStream")
    assert both.message == "StreamName and StreamARN name different streams."
    assert neither.message == "Either StreamName or StreamARN must be provided."
    assert both.code == neither.code == "InvalidArgumentException"


def test_a_parameter_that_we_do_not_know_is_never_ignored(world):
    with pytest.raises(EndpointError, match=r"E502 .*CreateStream's parameter WarmThroughput"):
        world.call("CreateStream", StreamName="a", ShardCount=1, WarmThroughputMiBps=1)


# --- shards --------------------------------------------------------------------------------------


def test_a_split_takes_effect_at_once(world):
    world.stream()
    middle = str(2**127)
    world.call("SplitShard", StreamName="orders", ShardToSplit=FIRST, NewStartingHashKey=middle)
    low, high = world.streams["orders"].shards[1:]
    assert (low.hash_key_range[1], high.hash_key_range[0]) == (2**127 - 1, 2**127)
    assert world.summary()["StreamStatus"] == "ACTIVE"


def test_a_merge_takes_effect_at_once(world):
    world.stream(shards=2)
    world.call("MergeShards", StreamName="orders", ShardToMerge=FIRST, AdjacentShardToMerge=SECOND)
    assert world.summary()["OpenShardCount"] == 1
    assert world.streams["orders"].shards[2].parent_ids == (FIRST, SECOND)


@pytest.mark.parametrize(
    ("operation", "params", "code", "message"),
    [
        ("SplitShard", {"ShardToSplit": FIRST, "NewStartingHashKey": "1"},
         "InvalidArgumentException", "NewStartingHashKey 1 used in SplitShard() on shard"),
        ("SplitShard", {"ShardToSplit": FIRST, "NewStartingHashKey": "x"},
         "ValidationException", "at 'newStartingHashKey'"),
        ("SplitShard", {"ShardToSplit": "shardId-9", "NewStartingHashKey": "5"},
         "ResourceNotFoundException", "Could not find shard shardId-9 in stream orders"),
        ("MergeShards", {"ShardToMerge": FIRST, "AdjacentShardToMerge": "shardId-000000000002"},
         "InvalidArgumentException", "are not an adjacent pair of shards eligible for merging"),
        ("MergeShards", {"ShardToMerge": FIRST}, "ValidationException",
         "Value null at 'adjacentShardToMerge'"),
        ("UpdateShardCount", {"TargetShardCount": 7, "ScalingType": "UNIFORM_SCALING"},
         "LimitExceededException", "double your current open shard count"),
        ("UpdateShardCount", {"TargetShardCount": 1, "ScalingType": "UNIFORM_SCALING"},
         "LimitExceededException", "below half your current open shard count"),
        ("UpdateShardCount", {"TargetShardCount": 2, "ScalingType": "FREE"},
         "ValidationException", "enum value set: [UNIFORM_SCALING]"),
    ],
)  # fmt: skip
def test_resharding_that_aws_refuses_changes_nothing(world, operation, params, code, message):
    world.stream(shards=3)
    error = world.refused(operation, StreamName="orders", **params)
    assert error.code == code
    assert message in error.message
    assert len(world.streams["orders"].shards) == 3


def test_a_shard_is_split_once(world):
    world.stream()
    split = {"StreamName": "orders", "ShardToSplit": FIRST, "NewStartingHashKey": "77"}
    world.call("SplitShard", **split)
    error = world.refused("SplitShard", **split)
    assert "has already been merged or split" in error.message


def test_the_shard_count_goes_to_twice_or_half(world):
    world.stream(shards=3)
    update = {"StreamName": "orders", "ScalingType": "UNIFORM_SCALING"}
    answer = world.call("UpdateShardCount", TargetShardCount=6, **update)
    assert answer == {
        "StreamName": "orders", "CurrentShardCount": 3, "TargetShardCount": 6, "StreamARN": ARN,
    }  # fmt: skip
    world.call("UpdateShardCount", TargetShardCount=3, **update)
    world.call("UpdateShardCount", TargetShardCount=2, **update)
    assert world.summary()["OpenShardCount"] == 2


def test_on_demand_streams_are_not_resharded_by_hand(world):
    world.stream(shards=2)
    world.call("UpdateStreamMode", StreamARN=ARN, StreamModeDetails=ON_DEMAND)
    merge = {"ShardToMerge": FIRST, "AdjacentShardToMerge": SECOND}
    error = world.refused("MergeShards", StreamName="orders", **merge)
    assert error.code == "ValidationException"
    provisioned = {"StreamMode": "PROVISIONED"}
    world.call("UpdateStreamMode", StreamARN=ARN, StreamModeDetails=provisioned)
    world.call("MergeShards", StreamName="orders", **merge)
    assert world.summary()["OpenShardCount"] == 1


# --- settings ------------------------------------------------------------------------------------


def test_retention_is_raised_and_lowered(world):
    orders = world.stream()
    orders.put("old")
    world.call("IncreaseStreamRetentionPeriod", StreamName="orders", RetentionPeriodHours=48)
    world.now_ms += 30 * 3_600_000
    read = {"StreamName": "orders", "ShardId": FIRST, "ShardIteratorType": "TRIM_HORIZON"}
    iterator = world.call("GetShardIterator", **read)["ShardIterator"]
    assert len(world.call("GetRecords", ShardIterator=iterator)["Records"]) == 1
    world.call("DecreaseStreamRetentionPeriod", StreamName="orders", RetentionPeriodHours=24)
    assert world.call("GetRecords", ShardIterator=iterator)["Records"] == []
    assert world.summary()["RetentionPeriodHours"] == 24
    orders.split()
    assert {shard.shard_id for shard in orders.list_shards(world.now_ms + 25 * 3_600_000)} == {
        SECOND, "shardId-000000000002",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("operation", "hours", "message"),
    [
        ("Increase", 23, "Minimum allowed retention period is 24 hours"),
        ("Increase", 8761, "Maximum allowed retention period is 8760 hours"),
        ("Increase", 47, "can not be shorter than existing retention period (48 hours). Use Dec"),
        ("Decrease", 49, "can not be longer than existing retention period (48 hours). Use Inc"),
        ("Decrease", 0, "Minimum allowed"),
    ],
)
def test_retention_goes_the_way_that_the_operation_says(world, operation, hours, message):
    world.stream()
    world.call("IncreaseStreamRetentionPeriod", StreamName="orders", RetentionPeriodHours=48)
    name = f"{operation}StreamRetentionPeriod"
    error = world.refused(name, StreamName="orders", RetentionPeriodHours=hours)
    assert error.code == "InvalidArgumentException"
    assert message in error.message
    assert world.summary()["RetentionPeriodHours"] == 48


def test_encryption_is_shown_and_changes_nothing_for_readers(world):
    orders = world.stream()
    key = {"StreamName": "orders", "EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"}
    world.call("StartStreamEncryption", **key)
    shown = world.call("DescribeStream", StreamName="orders")["StreamDescription"]
    assert (shown["EncryptionType"], shown["KeyId"]) == ("KMS", "alias/aws/kinesis")
    assert orders.put("plain").data == b"plain"
    world.call("StopStreamEncryption", **key)
    assert "KeyId" not in world.summary()


def test_the_record_size_may_grow(world):
    world.stream()
    put = {"StreamName": "orders", "Data": b"x" * 1024 * 1025, "PartitionKey": "k"}
    assert world.refused("PutRecord", **put).code == "ValidationException"
    world.call("UpdateMaxRecordSize", StreamARN=ARN, MaxRecordSizeInKiB=10_240)
    assert world.call("PutRecord", **put)["ShardId"] == FIRST


# --- tags ----------------------------------------------------------------------------------------


def test_tags_of_streams_are_kept_and_listed_in_pages(world):
    world.stream()
    tags = {"b": "2", "a": "1", "c": "3"}
    world.call("AddTagsToStream", StreamName="orders", Tags=tags)
    world.call("TagResource", ResourceARN=ARN, Tags={"c": "4"})
    page = world.call("ListTagsForStream", StreamName="orders", Limit=2)
    assert ([tag["Key"] for tag in page["Tags"]], page["HasMoreTags"]) == (["a", "b"], True)
    rest = world.call("ListTagsForStream", StreamName="orders", ExclusiveStartTagKey="b")
    assert rest == {"Tags": [{"Key": "c", "Value": "4"}], "HasMoreTags": False}
    world.call("RemoveTagsFromStream", StreamName="orders", TagKeys=["a", "unknown"])
    world.call("UntagResource", ResourceARN=ARN, TagKeys=["b"])
    assert world.call("ListTagsForResource", ResourceARN=ARN) == {
        "Tags": [{"Key": "c", "Value": "4"}]
    }


def test_consumers_have_tags_of_their_own(world):
    world.stream()
    arn = world.consumer()
    world.call("TagResource", ResourceARN=arn, Tags={"team": "x"})
    tags = world.call("ListTagsForResource", ResourceARN=arn)["Tags"]
    assert tags == [{"Key": "team", "Value": "x"}]
    assert world.call("ListTagsForResource", ResourceARN=ARN)["Tags"] == []
    unknown = world.refused("ListTagsForResource", ResourceARN=f"{ARN}/consumer/nobody:1")
    assert unknown.code == "ResourceNotFoundException"


def test_fifty_tags_are_the_most(world):
    world.stream()
    for start in (0, 25):
        tags = {f"k{number}": "" for number in range(start, start + 25)}
        world.call("AddTagsToStream", StreamName="orders", Tags=tags)
    error = world.refused("AddTagsToStream", StreamName="orders", Tags={"more": ""})
    assert "cannot have more than 50 tags" in error.message


# --- consumers -----------------------------------------------------------------------------------


def test_a_deregistered_consumer_is_gone(world):
    world.stream()
    arn = world.consumer()
    assert arn == f"{ARN}/consumer/fast:{START_MS // 1000}"
    world.now_ms += 60_000
    assert world.consumer("slow").endswith(f":{START_MS // 1000}")
    world.call("DeregisterStreamConsumer", ConsumerARN=arn)
    error = world.refused("DescribeStreamConsumer", StreamARN=ARN, ConsumerName="fast")
    assert (error.code, error.message) == (
        "ResourceNotFoundException", "Consumer fast under account 123456789012 not found.",
    )  # fmt: skip
    world.call("DeregisterStreamConsumer", StreamARN=ARN, ConsumerName="slow")
    assert world.summary()["ConsumerCount"] == 0


# --- in a Harness --------------------------------------------------------------------------------


def test_a_handler_may_reshard_and_set_up_its_stream_by_boto3():
    h = Harness()
    orders = h.kinesis("orders")

    def handler(event, context):
        kinesis = boto3.client("kinesis", region_name="us-east-1")
        if len(orders.shards) == 1:
            kinesis.split_shard(
                StreamName="orders", ShardToSplit=FIRST, NewStartingHashKey=str(2**127)
            )
            kinesis.increase_stream_retention_period(StreamName="orders", RetentionPeriodHours=48)

    mapping = h.map(orders, handler)
    orders.put("a")
    h.drain()
    orders.put_many("bcde")
    h.drain()
    assert (len(orders.shards), orders.retention_ms) == (3, 48 * 3_600_000)
    assert {invocation.shard_id for invocation in mapping.invocations} > {FIRST}
    assert mapping.lag() == 0


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda kinesis: kinesis.create_stream(StreamName="new", ShardCount=1), "E501"),
        (lambda kinesis: kinesis.delete_stream(StreamName="orders"), "E502"),
        (lambda kinesis: kinesis.deregister_stream_consumer(
            StreamARN=ARN, ConsumerName="fast"), "E502"),
        (lambda kinesis: kinesis.subscribe_to_shard(
            ConsumerARN=f"{ARN}/consumer/fast:{START_MS // 1000}", ShardId=FIRST,
            StartingPosition={"Type": "LATEST"}), "E502"),
    ],
    ids=["create", "delete", "deregister", "subscribe"],
)  # fmt: skip
def test_streams_and_consumers_of_a_harness_are_the_tests_own(call, code):
    with Harness() as h:
        h.kinesis("orders").consumer("fast")
        with pytest.raises(EndpointError) as refusal:
            call(boto3.client("kinesis", region_name="us-east-1"))
    assert refusal.value.esm_code == code
    assert list(h.streams) == ["orders"]
