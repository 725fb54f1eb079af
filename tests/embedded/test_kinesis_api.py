"""The Kinesis API over in-memory streams: what a producer gets back, right and wrong."""

from __future__ import annotations

import pytest

from esm.embedded.kinesis_api import KinesisApi
from esm.embedded.kinesis_errors import KinesisApiError
from esm.errors import EndpointError
from esm.instants import from_ms
from esm.sources.hash_keys import MAX_HASH_KEY
from esm.sources.memory import KinesisStream

START_MS = 1_767_225_600_000
DAY_MS = 86_400_000
FIRST = "shardId-000000000000"


class World:
    """Streams, a clock, and the API over them."""

    def __init__(self) -> None:
        self.now_ms = START_MS
        self.streams: dict[str, KinesisStream] = {}
        self.api = KinesisApi(self.streams)

    def stream(self, name="orders", **options) -> KinesisStream:
        self.streams[name] = KinesisStream(name, now=lambda: self.now_ms, **options)
        return self.streams[name]

    def call(self, operation: str, **params) -> dict:
        return self.api.handle(operation, params, self.now_ms)

    def refused(self, operation: str, **params) -> KinesisApiError:
        with pytest.raises(KinesisApiError) as refusal:
            self.call(operation, **params)
        return refusal.value


@pytest.fixture
def world() -> World:
    return World()


# --- put -----------------------------------------------------------------------------------------


def test_a_put_record_lands_in_the_stream(world):
    orders = world.stream()
    answer = world.call("PutRecord", StreamName="orders", Data=b"hi", PartitionKey="a")
    [record] = orders.records
    assert (record.data, record.key) == (b"hi", "a")
    assert answer == {"ShardId": FIRST, "SequenceNumber": record.sequence_number}


@pytest.mark.parametrize("data", [b"Z\xc3\xbc", bytearray(b"Z\xc3\xbc"), "Zü"])
def test_data_may_be_whatever_botocore_takes_for_a_blob(world, data):
    orders = world.stream()
    world.call("PutRecord", StreamARN=orders.arn, Data=data, PartitionKey="a")
    assert orders.records[0].data == b"Z\xc3\xbc"


def test_put_records_answers_in_the_order_of_the_request(world):
    orders = world.stream(shards=2)
    keys = [str(MAX_HASH_KEY), "0"]
    entries = [{"Data": b"x", "PartitionKey": "k", "ExplicitHashKey": key} for key in keys]
    answer = world.call("PutRecords", StreamName="orders", Records=entries)
    assert answer["FailedRecordCount"] == 0
    assert [r["ShardId"][-1] for r in answer["Records"]] == ["1", "0"]
    numbers = [record.sequence_number for record in orders.records]
    assert [r["SequenceNumber"] for r in answer["Records"]] == numbers


def test_a_full_shard_fails_its_records_alone(world):
    orders = world.stream(shards=2, limits=True)
    entries = [
        {"Data": b"x" * 600_000, "PartitionKey": "k", "ExplicitHashKey": key}
        for key in ("0", "0", str(MAX_HASH_KEY))
    ]
    answer = world.call("PutRecords", StreamName="orders", Records=entries)
    assert answer["FailedRecordCount"] == 1
    assert answer["Records"][1] == {
        "ErrorCode": "ProvisionedThroughputExceededException",
        "ErrorMessage": f"Rate exceeded for shard {FIRST} in stream orders under account "
        "123456789012.",
    }
    assert len(orders.records) == 2


def test_a_full_shard_refuses_put_record(world):
    world.stream(limits=True)
    put = {"StreamName": "orders", "Data": b"x" * 600_000, "PartitionKey": "k"}
    world.call("PutRecord", **put)
    error = world.refused("PutRecord", **put)
    assert (error.code, error.status) == ("ProvisionedThroughputExceededException", 400)
    assert error.message.startswith("Rate exceeded for shard")


CONSTRAINT = "1 validation error detected: Value {} failed to satisfy constraint: Member must {}"


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        (
            {"PartitionKey": "k" * 257},
            "ValidationException",
            CONSTRAINT.format(
                f"'{'k' * 257}' at 'partitionKey'", "have length less than or equal to 256"
            ),
        ),
        (
            {"PartitionKey": ""},
            "ValidationException",
            CONSTRAINT.format("'' at 'partitionKey'", "have length greater than or equal to 1"),
        ),
        (
            {"PartitionKey": None},
            "ValidationException",
            CONSTRAINT.format("null at 'partitionKey'", "not be null"),
        ),
        (
            {"Data": b"x" * (1024 * 1024 + 1)},
            "ValidationException",
            "1 validation error detected: Value at 'data' failed to satisfy constraint: "
            "Member must have length less than or equal to 1048576",
        ),
        (
            {"ExplicitHashKey": "-1"},
            "ValidationException",
            CONSTRAINT.format(
                "'-1' at 'explicitHashKey'",
                r"satisfy regular expression pattern: 0|([1-9]\d{0,38})",
            ),
        ),
        (
            {"ExplicitHashKey": str(2**128)},
            "InvalidArgumentException",
            "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. "
            f"Specified value was {2**128}",
        ),
        (
            {"SequenceNumberForOrdering": "abc"},
            "ValidationException",
            CONSTRAINT.format(
                "'abc' at 'sequenceNumberForOrdering'",
                r"satisfy regular expression pattern: 0|([1-9]\d{0,128})",
            ),
        ),
    ],
    ids=["long key", "empty key", "no key", "data", "hash key", "hash key range", "ordering"],
)
def test_put_record_refuses_in_the_words_of_aws(world, change, code, message):
    orders = world.stream()
    put = {"StreamName": "orders", "Data": b"x", "PartitionKey": "k"} | change
    error = world.refused("PutRecord", **put)
    assert (error.code, error.message) == (code, message)
    assert orders.records == []


def test_put_records_puts_nothing_when_one_record_is_wrong(world):
    orders = world.stream()
    entries = [{"Data": b"x", "PartitionKey": "k"}, {"Data": b"x", "PartitionKey": ""}]
    error = world.refused("PutRecords", StreamName="orders", Records=entries)
    assert "at 'records.2.member.partitionKey'" in error.message
    assert orders.records == []


def test_put_records_takes_500_records_and_10_mib(world):
    orders = world.stream()
    entry = {"Data": b"x", "PartitionKey": "k"}
    error = world.refused("PutRecords", StreamName="orders", Records=[entry] * 501)
    assert error.message.endswith("have length less than or equal to 500")
    big = {"Data": b"x" * 1024 * 1024, "PartitionKey": "k"}
    error = world.refused("PutRecords", StreamName="orders", Records=[big] * 10)
    assert (error.code, error.message) == (
        "InvalidArgumentException", "Records size exceeds 10 MB limit",
    )  # fmt: skip
    assert orders.records == []
    world.call("PutRecords", StreamName="orders", Records=[entry] * 500)
    assert len(orders.records) == 500


# --- whose call it is ----------------------------------------------------------------------------


def test_a_call_is_ours_when_it_names_a_stream_of_ours(world):
    orders = world.stream()
    other = orders.arn.replace("us-east-1", "eu-west-1")
    iterator = world.call(
        "GetShardIterator", StreamName="orders", ShardId=FIRST, ShardIteratorType="LATEST"
    )["ShardIterator"]
    named = [
        {"StreamName": "orders"}, {"StreamARN": orders.arn}, {"ShardIterator": iterator},
        {"StreamName": "elsewhere"}, {"StreamARN": other}, {"ShardIterator": "AAAA"}, {},
    ]  # fmt: skip
    ours = [world.api.owns("GetRecords", params) for params in named]
    assert ours == [True, True, True, False, False, False, False]


def test_list_streams_is_ours_as_soon_as_there_is_a_stream(world):
    assert not world.api.owns("ListStreams", {})
    world.stream()
    assert world.api.owns("ListStreams", {})


def test_an_unknown_stream_is_not_found(world):
    assert world.refused("PutRecord", StreamName="gone").code == "ResourceNotFoundException"


def test_what_is_not_emulated_says_so_and_is_never_ignored(world):
    world.stream()
    with pytest.raises(EndpointError, match="E502  the embedded Kinesis does not do DeleteStream"):
        world.call("DeleteStream", StreamName="orders")
    with pytest.raises(EndpointError, match="does not know PutRecord's parameter DryRun yet"):
        world.call("PutRecord", StreamName="orders", Data=b"", PartitionKey="k", DryRun=True)


# --- reading back --------------------------------------------------------------------------------


def iterator(world, kind, shard=FIRST, **params) -> str:
    return world.call(
        "GetShardIterator", StreamName="orders", ShardId=shard, ShardIteratorType=kind, **params
    )["ShardIterator"]


def test_a_handler_reads_back_what_was_put(world):
    record = world.stream().put("hi", key="a")
    answer = world.call("GetRecords", ShardIterator=iterator(world, "TRIM_HORIZON"))
    assert answer["Records"] == [
        {
            "SequenceNumber": record.sequence_number,
            "ApproximateArrivalTimestamp": from_ms(START_MS),
            "Data": b"hi",
            "PartitionKey": "a",
        }
    ]
    assert answer["MillisBehindLatest"] == 0
    again = world.call("GetRecords", ShardIterator=answer["NextShardIterator"])
    assert again["Records"] == []


def test_every_kind_of_iterator_starts_where_it_says(world):
    orders = world.stream()
    records = []
    for name in "abc":
        records.append(orders.put(name))
        world.now_ms += 1_000
    second = records[1].sequence_number
    starts = {
        "TRIM_HORIZON": {},
        "LATEST": {},
        "AT_SEQUENCE_NUMBER": {"StartingSequenceNumber": second},
        "AFTER_SEQUENCE_NUMBER": {"StartingSequenceNumber": second},
        "AT_TIMESTAMP": {"Timestamp": from_ms(START_MS + 1)},
    }
    iterators = {kind: iterator(world, kind, **params) for kind, params in starts.items()}
    orders.put("d")
    got = {
        kind: b"".join(r["Data"] for r in world.call("GetRecords", ShardIterator=text)["Records"])
        for kind, text in iterators.items()
    }
    assert got == {
        "TRIM_HORIZON": b"abcd",
        "LATEST": b"d",
        "AT_SEQUENCE_NUMBER": b"bcd",
        "AFTER_SEQUENCE_NUMBER": b"cd",
        "AT_TIMESTAMP": b"bcd",
    }


def test_timestamps_may_be_epoch_seconds_or_text(world):
    world.stream().put("a")
    world.now_ms += 1_000
    world.streams["orders"].put("b")
    for stamp in (START_MS / 1000 + 0.001, "2026-01-01T00:00:00.001Z"):
        text = iterator(world, "AT_TIMESTAMP", Timestamp=stamp)
        answer = world.call("GetRecords", ShardIterator=text)
        assert [r["Data"] for r in answer["Records"]] == [b"b"]


def test_the_end_of_a_closed_shard_names_its_children(world):
    orders = world.stream()
    orders.put("a")
    orders.split()
    answer = world.call("GetRecords", ShardIterator=iterator(world, "TRIM_HORIZON"))
    assert "NextShardIterator" not in answer
    assert [child["ShardId"][-1] for child in answer["ChildShards"]] == ["1", "2"]
    assert answer["ChildShards"][0]["ParentShards"] == [FIRST]
    assert answer["ChildShards"][0]["HashKeyRange"] == {
        "StartingHashKey": "0", "EndingHashKey": str(2**127 - 2),
    }  # fmt: skip


def test_an_iterator_expires_after_five_minutes_or_by_hand(world):
    orders = world.stream()
    old, revoked = iterator(world, "LATEST"), iterator(world, "LATEST")
    world.now_ms += 300_000
    assert world.call("GetRecords", ShardIterator=old)["Records"] == []
    world.now_ms += 1
    assert world.refused("GetRecords", ShardIterator=old).code == "ExpiredIteratorException"
    world.now_ms = START_MS
    orders.expire_iterators()
    assert world.refused("GetRecords", ShardIterator=revoked).code == "ExpiredIteratorException"


def test_reads_are_throttled_with_limits(world):
    world.stream(limits=True)
    text = iterator(world, "LATEST")
    for _ in range(5):
        world.call("GetRecords", ShardIterator=text)
    error = world.refused("GetRecords", ShardIterator=text)
    assert error.code == "ProvisionedThroughputExceededException"
    assert error.message == f"Rate exceeded for shard {FIRST} in stream orders under account " \
        "123456789012."  # fmt: skip


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"ShardIteratorType": "SOMEWHERE"}, "ValidationException"),
        ({"ShardIteratorType": "AT_TIMESTAMP"}, "InvalidArgumentException"),
        (
            {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": START_MS / 1000 + 1},
            "InvalidArgumentException",
        ),
        ({"ShardIteratorType": "AT_SEQUENCE_NUMBER"}, "ValidationException"),
        (
            {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": "7"},
            "InvalidArgumentException",
        ),
        ({"ShardIteratorType": "LATEST", "ShardId": "shardId-9"}, "ResourceNotFoundException"),
    ],
)
def test_an_iterator_that_aws_would_not_give_is_refused(world, params, code):
    world.stream()
    ask = {"StreamName": "orders", "ShardId": FIRST} | params
    assert world.refused("GetShardIterator", **ask).code == code


def test_a_wrong_limit_or_token_is_refused(world):
    world.stream(shards=3)
    token = world.call("ListShards", StreamName="orders", MaxResults=1)["NextToken"]
    text = iterator(world, "LATEST")
    limit = world.refused("GetRecords", ShardIterator=text, Limit=10_001)
    assert limit.code == "ValidationException"
    assert world.refused("GetRecords", ShardIterator=token).message == "Invalid ShardIterator."
    assert world.refused("ListShards", NextToken=text).message == "Invalid NextToken."


# --- describing ----------------------------------------------------------------------------------


def test_describe_stream_shows_shards_with_their_lineage(world):
    orders = world.stream(shards=2, retention="48h")
    low, high = orders.shards
    world.now_ms += 5_000
    orders.merge(low.shard_id, high.shard_id)
    answer = world.call("DescribeStream", StreamName="orders")["StreamDescription"]
    assert (answer["StreamStatus"], answer["RetentionPeriodHours"]) == ("ACTIVE", 48)
    assert answer["StreamCreationTimestamp"] == from_ms(START_MS)
    first, _, child = answer["Shards"]
    assert "EndingSequenceNumber" in first["SequenceNumberRange"]
    assert child["ParentShardId"] == low.shard_id
    assert child["AdjacentParentShardId"] == high.shard_id
    assert "EndingSequenceNumber" not in child["SequenceNumberRange"]
    assert not answer["HasMoreShards"]


def test_describe_stream_comes_in_pages(world):
    world.stream(shards=3)
    page = world.call("DescribeStream", StreamName="orders", Limit=2)["StreamDescription"]
    assert page["HasMoreShards"]
    start = page["Shards"][-1]["ShardId"]
    rest = world.call("DescribeStream", StreamName="orders", ExclusiveStartShardId=start)
    assert [s["ShardId"][-1] for s in rest["StreamDescription"]["Shards"]] == ["2"]


def test_describe_stream_summary_counts_the_open_shards(world):
    world.stream(shards=2, max_record_size_kib=2048).update_shard_count(3)
    answer = world.call("DescribeStreamSummary", StreamName="orders")["StreamDescriptionSummary"]
    assert answer["OpenShardCount"] == 3
    assert answer["MaxRecordSizeInKiB"] == 2048
    assert "Shards" not in answer


def test_list_shards_forgets_closed_shards_with_their_retention(world):
    world.stream().split()
    assert len(world.call("ListShards", StreamName="orders")["Shards"]) == 3
    world.now_ms += DAY_MS + 1
    assert len(world.call("ListShards", StreamName="orders")["Shards"]) == 2


def test_list_shards_pages_with_a_token_that_keeps_the_filter(world):
    world.stream(shards=3).split(FIRST)
    only_open = {"Type": "AT_LATEST"}
    page = world.call("ListShards", StreamName="orders", MaxResults=3, ShardFilter=only_open)
    rest = world.call("ListShards", NextToken=page["NextToken"])
    ids = [s["ShardId"][-1] for s in page["Shards"] + rest["Shards"]]
    assert ids == ["1", "2", "3", "4"]
    assert "NextToken" not in rest
    both = world.refused("ListShards", NextToken=page["NextToken"], StreamName="orders")
    assert both.message == "NextToken and StreamName cannot be provided together."
    world.now_ms += 300_001
    expired = world.refused("ListShards", NextToken=page["NextToken"])
    assert expired.code == "ExpiredNextTokenException"


@pytest.mark.parametrize(
    ("shard_filter", "ids"),
    [
        ({"Type": "FROM_TRIM_HORIZON"}, "01234"),
        ({"Type": "AT_TRIM_HORIZON"}, "0"),
        ({"Type": "AT_LATEST"}, "234"),
        ({"Type": "AFTER_SHARD_ID", "ShardId": "shardId-000000000002"}, "34"),
        ({"Type": "AT_TIMESTAMP", "Timestamp": from_ms(START_MS + 1_500)}, "12"),
        ({"Type": "FROM_TIMESTAMP", "Timestamp": from_ms(START_MS + 1_500)}, "1234"),
    ],
    ids=lambda value: value["Type"] if isinstance(value, dict) else "",
)
def test_list_shards_filters(world, shard_filter, ids):
    """Shard 0 is split into 1 and 2 after a second, and 1 into 3 and 4 after two."""
    orders = world.stream()
    for shard_id in (FIRST, "shardId-000000000001"):
        world.now_ms += 1_000
        orders.split(shard_id)
    shards = world.call("ListShards", StreamName="orders", ShardFilter=shard_filter)["Shards"]
    assert "".join(s["ShardId"][-1] for s in shards) == ids


@pytest.mark.parametrize("shard_filter", [{"Type": "NEAR"}, {"Type": "AT_TIMESTAMP"}])
def test_a_shard_filter_that_says_nothing_is_refused(world, shard_filter):
    world.stream()
    error = world.refused("ListShards", StreamName="orders", ShardFilter=shard_filter)
    assert error.code == "ValidationException"


def test_list_streams_pages_by_name(world):
    for name in ("c", "a", "b"):
        world.stream(name)
    page = world.call("ListStreams", Limit=2)
    assert (page["StreamNames"], page["HasMoreStreams"]) == (["a", "b"], True)
    assert page["StreamSummaries"][0]["StreamARN"] == world.streams["a"].arn
    rest = world.call("ListStreams", NextToken=page["NextToken"])
    assert (rest["StreamNames"], rest["HasMoreStreams"]) == (["c"], False)
    assert world.call("ListStreams", ExclusiveStartStreamName="a")["StreamNames"] == ["b", "c"]
    assert world.refused("ListStreams", Limit=0).code == "ValidationException"
