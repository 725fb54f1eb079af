"""Captured records into a live stream, and what happens when it refuses some of them."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from esm.errors import EndpointError, InputError
from esm.feeding import feed, in_order
from esm.feeding_records import Entry, Fed, put_records
from esm.payloads.kinesis import KinesisRecord, make_record
from esm.sources.capture import Capture

ARN = "arn:aws:kinesis:eu-west-1:123456789012:stream/orders"
TABLE = "arn:aws:dynamodb:eu-west-1:123456789012:table/accounts/stream/2026-01-01T00:00:00.000"


class Stream:
    """A client whose stream refuses the records, or fails the calls, that it is told to.

    `refusals`: of each call the indexes that are refused, or what the whole call raises.
    """

    def __init__(self, *refusals: Sequence[int] | Exception, url: str = "http://127.0.0.1") -> None:
        self.meta = SimpleNamespace(endpoint_url=url)
        self.calls: list[list[bytes]] = []
        self.held: list[bytes] = []
        self.asked_for: dict[str, str] = {}
        self._refusals = list(refusals)

    def put_records(self, Records: list[dict[str, Any]], **address: str) -> dict[str, Any]:  # noqa: N803
        self.asked_for = address
        self.calls.append([each["Data"] for each in Records])
        refused = self._refusals.pop(0) if self._refusals else ()
        if isinstance(refused, Exception):
            raise refused
        answers = [self._answer(r, is_refused=i in refused) for i, r in enumerate(Records)]
        return {"FailedRecordCount": len(refused), "Records": answers}

    def _answer(self, record: dict[str, Any], *, is_refused: bool) -> dict[str, str]:
        if is_refused:
            code = "ProvisionedThroughputExceededException"
            return {"ErrorCode": code, "ErrorMessage": "Rate exceeded"}
        self.held.append(record["Data"])
        return {"ShardId": "shardId-0", "SequenceNumber": str(len(self.held))}


class Waiting:
    """Writes down how long was waited; for so many waits there is time."""

    def __init__(self, time_for: int = 1_000) -> None:
        self.seconds: list[float] = []
        self._time_for = time_for

    def __call__(self, seconds: float) -> bool:
        self.seconds.append(seconds)
        return len(self.seconds) <= self._time_for


def entries(*texts: str) -> list[Entry]:
    """Records whose key is their first letter."""
    return [Entry(text.encode(), text[0]) for text in texts]


def put(stream: Stream, records: list[Entry], wait: Waiting | None = None) -> Fed:
    return put_records(stream, ARN, records, wait=wait or Waiting(), on_progress=lambda _: None)


def refused(code: str, status: int = 400) -> ClientError:
    answer: Any = {
        "Error": {"Code": code, "Message": "no"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(answer, "PutRecords")


# --- calls ---------------------------------------------------------------------------------------


def test_a_call_takes_500_records():
    stream = Stream()
    fed = put(stream, entries(*["a"] * 1_001))
    assert [len(call) for call in stream.calls] == [500, 500, 1]
    assert (fed.records, fed.shards["shardId-0"].last_sequence_number) == (1_001, "1001")


def test_and_no_more_bytes_than_every_server_takes():
    stream = Stream()
    put(stream, [Entry(b"x" * 2_000_000, "k" * 100) for _ in range(5)])
    assert [len(call) for call in stream.calls] == [2, 2, 1]


def test_a_record_that_is_larger_goes_alone():
    stream = Stream()
    put(stream, [Entry(b"x", "k"), Entry(b"x" * 10_000_000, "k"), Entry(b"x", "k")])
    assert [len(call) for call in stream.calls] == [1, 1, 1]


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://127.0.0.1:4577", {"StreamName": "orders"}),
        ("https://kinesis.eu-west-1.amazonaws.com", {"StreamARN": ARN}),
    ],
)
def test_a_stream_of_aws_may_be_another_accounts(url: str, name: dict[str, str]):
    stream = Stream(url=url)
    put(stream, entries("a"))
    assert stream.asked_for == name


def test_hash_keys_are_told_where_there_are_any():
    assert Entry(b"x", "k").params == {"Data": b"x", "PartitionKey": "k"}
    assert Entry(b"x", "k", "7").params["ExplicitHashKey"] == "7"


# --- refusals ------------------------------------------------------------------------------------


def test_what_is_refused_is_put_again_in_its_order():
    stream, wait = Stream([1, 3], [0]), Waiting()
    fed = put(stream, entries("a1", "b1", "c1", "d1"), wait)

    assert stream.calls[1:] == [[b"b1", b"d1"], [b"b1"]]
    assert stream.held == [b"a1", b"c1", b"d1", b"b1"]
    assert (fed.records, fed.overtaken) == (4, 0)
    assert wait.seconds == [0.1, 0.1]


def test_before_anything_that_comes_behind_it():
    stream = Stream([499])
    put(stream, entries(*(f"a{number}" for number in range(600))))
    assert stream.held == [f"a{number}".encode() for number in range(600)]


def test_records_that_were_overtaken_by_their_own_key_are_counted():
    fed = put(Stream([0, 2]), entries("a1", "b1", "a2", "a3", "b2"))
    assert fed.overtaken == 2


def test_a_call_that_fails_is_made_again():
    trouble = EndpointConnectionError(endpoint_url="http://127.0.0.1")
    stream, wait = (
        Stream(trouble, refused("InternalFailure", 500), refused("Throttling")),
        Waiting(),
    )
    fed = put(stream, entries("a"), wait)
    assert (fed.records, stream.held, wait.seconds) == (1, [b"a"], [0.1, 0.2, 0.4])


def test_a_stream_that_takes_nothing_is_given_up():
    wait = Waiting()
    with pytest.raises(EndpointError) as failed:
        put(Stream(*[[0]] * 100), entries("a"), wait)

    assert str(failed.value).splitlines() == [
        "E542  orders took no more: ProvisionedThroughputExceededException: Rate exceeded",
        "why    what came before is there, what comes after was not sent",
    ]
    assert 20 < sum(wait.seconds) < 30


def test_a_stream_that_takes_some_each_time_is_not():
    """999 refusals, and a record taken between any two of them."""
    refusals = [range(1, left) for left in range(300, 0, -1)]
    stream, wait = Stream(*refusals), Waiting()
    fed = put(stream, entries(*map(chr, range(1_000, 1_300))), wait)
    assert fed.records == 300
    assert set(wait.seconds) == {0.1}


def test_what_will_never_be_taken_is_told_at_once_with_what_was():
    wait = Waiting()
    with pytest.raises(EndpointError, match=r"orders took no more after 500 records: Acc.*: no"):
        put(Stream((), refused("AccessDeniedException")), entries(*["a"] * 501), wait)
    assert wait.seconds == []


def test_no_time_to_wait_ends_it():
    with pytest.raises(EndpointError, match="orders took no more"):
        put(Stream([0], [0]), entries("a"), Waiting(time_for=0))


# --- captures ------------------------------------------------------------------------------------


def record(number: int, arrived_ms: int, shard: int = 0) -> KinesisRecord:
    return make_record(
        position=number, key=f"key-{number}", arrived_ms=arrived_ms, base64="eA==",
        shard_id=f"shardId-{shard}", ordinal=0,
    )  # fmt: skip


def test_records_come_as_they_arrived_and_those_of_a_shard_in_its_order():
    capture = Capture(
        {
            "shardId-0": [record(1, 1_000), record(2, 5_000), record(3, 2_000)],
            "shardId-1": [record(11, 3_000, 1), record(12, 6_000, 1)],
        }
    )
    assert [each.position for each in in_order(capture)] == [1, 11, 2, 3, 12]


@pytest.mark.parametrize("suffix", ["", "/consumer/alerts:1767225600"])
def test_a_capture_goes_to_the_stream_that_the_mapping_reads(suffix: str):
    stream, asked = Stream(), []

    def make_client(service: str, region: str) -> Stream:
        asked.append((service, region))
        return stream

    fed = feed(Capture({"s": [record(1, 1_000)]}), make_client, ARN + suffix, wait=Waiting())

    assert asked == [("kinesis", "eu-west-1")]
    assert (fed.records, stream.held, stream.asked_for) == (1, [b"x"], {"StreamName": "orders"})


def test_records_of_a_stream_do_not_go_into_a_table():
    def never(service: str, region: str) -> Any:
        raise AssertionError((service, region))

    with pytest.raises(InputError, match="captures hold records of a Kinesis stream"):
        feed(Capture({"s": [record(1, 1_000)]}), never, TABLE, wait=Waiting())


# --- at a pace ---------------------------------------------------------------------------------


def fed_at_pace(stream: Stream, wait: Waiting, speed: float | None) -> None:
    times_ms = (1_000, 1_000, 61_000, 121_000)
    capture = Capture({"s": [record(number, at_ms) for number, at_ms in enumerate(times_ms)]})
    feed(capture, lambda *_: stream, ARN, wait=wait, speed=speed)


def test_records_are_put_as_they_arrived_only_faster():
    stream, wait = Stream(), Waiting()
    fed_at_pace(stream, wait, speed=60)
    assert [len(call) for call in stream.calls] == [2, 1, 1]
    assert wait.seconds == pytest.approx([1, 2], abs=0.5)  # no time passes: each is from the start


def test_without_a_pace_all_of_them_are_put_at_once():
    stream, wait = Stream(), Waiting()
    fed_at_pace(stream, wait, speed=None)
    assert ([len(call) for call in stream.calls], wait.seconds) == ([4], [])


def test_a_run_that_is_stopped_is_not_fed_on():
    stream = Stream()
    fed_at_pace(stream, Waiting(time_for=1), speed=60)
    assert [len(call) for call in stream.calls] == [2, 1]
