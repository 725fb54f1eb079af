"""What every source behind an endpoint owes the loop, run over every implementation.

The endpoint is the embedded AWS, in real time: nothing here waits for longer than it has to.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import count
from threading import Thread
from typing import Any

import pytest

from esm.clock import SystemClock
from esm.core.messages import PollFailed, PollFailure, RecordsArrived
from esm.core.model import After, AtTimestamp, Latest, Position, TrimHorizon
from esm.embedded.aws import EmbeddedAws
from esm.ports import LiveSource, ShardReader, SourceUnavailable
from esm.sources.dynamodb import DynamoDbStreamSource
from esm.sources.kinesis import KinesisSource
from esm.sources.kinesis_subscription import KinesisConsumerSource
from esm.sources.kinesis_subscription_pace import Pace
from esm.sources.live_clients import live_client

REGION = "us-east-1"
PATIENCE_MS = 5_000
QUICK = Pace(between_ms=0, first_ms=10, cap_ms=10)
clock = SystemClock()
now_ms = clock.now_ms
numbers = count(1)


@dataclass
class Case:
    """A source with one shard and nothing in it. `put` takes a number that `number_in` finds.

    `elsewhere` makes the same source at another endpoint; `missing` one that is not there.
    """

    source: LiveSource
    put: Callable[[int], object]
    number_in: Callable[[Any], int]
    elsewhere: Callable[[str], LiveSource]
    missing: LiveSource

    @property
    def shard_id(self) -> str:
        (shard,) = self.source.list_shards(now_ms())
        return shard.shard_id


@cache
def client_at(service: str, url: str) -> Any:
    return live_client(service, url, REGION)


def kinesis(url: str) -> Case:
    name = f"stream-{next(numbers)}"
    arn = f"arn:aws:kinesis:{REGION}:123456789012:stream/{name}"
    client = client_at("kinesis", url)
    client.create_stream(StreamName=name, ShardCount=1)
    client.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 0})
    return Case(
        source=KinesisSource(arn, client),
        put=lambda n: client.put_record(StreamName=name, Data=b"%d" % n, PartitionKey="k"),
        number_in=lambda record: int(record.data),
        elsewhere=lambda other: KinesisSource(arn, client_at("kinesis", other)),
        missing=KinesisSource(arn + "-not-there", client),
    )


def consumer(url: str) -> Case:
    it = kinesis(url)
    client = client_at("kinesis", url)
    registered = client.register_stream_consumer(StreamARN=it.source.arn, ConsumerName="fast")
    arn = registered["Consumer"]["ConsumerARN"]
    return replace(
        it,
        source=KinesisConsumerSource(arn, client),
        elsewhere=lambda other: KinesisConsumerSource(arn, client_at("kinesis", other), pace=QUICK),
        missing=KinesisConsumerSource(arn.replace("/fast:", "/slow:"), client),
    )


def table(url: str) -> Case:
    name = f"table-{next(numbers)}"
    tables, client = client_at("dynamodb", url), client_at("dynamodbstreams", url)
    made = tables.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "N"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    arn = made["TableDescription"]["LatestStreamArn"]
    return Case(
        source=DynamoDbStreamSource(arn, client),
        put=lambda n: tables.put_item(TableName=name, Item={"pk": {"N": str(n)}}),
        number_in=lambda record: int(record.json["Keys"]["pk"]["N"]),
        elsewhere=lambda other: DynamoDbStreamSource(arn, client_at("dynamodbstreams", other)),
        missing=DynamoDbStreamSource(arn.replace(name, name + "-not-there"), client),
    )


# A new source adds a function that makes its case at an endpoint.
SOURCES: list[Callable[[str], Case]] = [kinesis, consumer, table]


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws(port=0) as it:
        yield it


@pytest.fixture(params=SOURCES, ids=lambda make: make.__name__)
def case(request: pytest.FixtureRequest, aws: EmbeddedAws) -> Case:
    it: Case = request.param(aws.url)
    it.source.describe()
    return it


@pytest.fixture
def reader(case: Case) -> Iterator[ShardReader]:
    it = case.source.open(case.shard_id, lambda: None)
    yield it
    it.close()


def read_all(reader: ShardReader, position: Position, wanted: int, limit: int = 100) -> list[Any]:
    """As many records as are wanted, and one read more: there are no others."""
    found: list[Any] = []
    until_ms = now_ms() + PATIENCE_MS
    enough = False
    while not enough:
        enough = len(found) >= wanted
        arrived = reader.read(position, limit, now_ms())
        assert isinstance(arrived, RecordsArrived), arrived
        assert len(arrived.records) <= limit
        assert not arrived.trimmed
        found += arrived.records
        if not arrived.records:
            clock.wait_until(now_ms() + 1)
        position = After(found[-1].position) if found else position
        assert now_ms() < until_ms, f"{len(found)} records of {wanted}"
    return found


def in_order(case: Case, records: list[Any]) -> list[int]:
    return [case.number_in(record) for record in records]


@pytest.fixture
def nowhere() -> Iterator[str]:
    """An endpoint that refuses connections: a port that is ours, and nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def web_page() -> Iterator[str]:
    """An endpoint that is another server's: everything is a page, and a success."""

    class Page(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Length: 12\r\n\r\n<p>Hello</p>")

        def log_message(self, *_: Any) -> None:
            """Tests are quiet."""

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_it_is_described(case: Case):
    assert case.source.incarnation
    assert case.source.retention_ms == 24 * 3_600_000
    assert case.source.arn.startswith("arn:aws:")


def test_one_that_is_not_there_is_not_waited_for(case: Case):
    with pytest.raises(SourceUnavailable) as raised:
        case.missing.describe()
    assert raised.value.fatal


def test_records_come_once_in_the_order_of_their_positions(case: Case, reader: ShardReader):
    for number in range(5):
        case.put(number)
    records = read_all(reader, TrimHorizon(), 5, limit=2)
    positions = [record.position for record in records]
    assert in_order(case, records) == [0, 1, 2, 3, 4]
    assert positions == sorted(set(positions))


def test_what_is_put_while_reading_comes_next(case: Case, reader: ShardReader):
    case.put(1)
    first = read_all(reader, TrimHorizon(), 1)
    case.put(2)
    assert in_order(case, read_all(reader, After(first[-1].position), 1)) == [2]


def test_two_readers_do_not_disturb_each_other(case: Case):
    case.put(1)
    for _ in range(2):
        reader = case.source.open(case.shard_id, lambda: None)
        assert in_order(case, read_all(reader, TrimHorizon(), 1)) == [1]
        reader.close()


def test_a_new_reader_goes_on_after_a_checkpoint(case: Case, reader: ShardReader):
    for number in range(4):
        case.put(number)
    checkpoint = read_all(reader, TrimHorizon(), 4)[1].position
    reader.close()
    again = case.source.open(case.shard_id, lambda: None)
    assert in_order(case, read_all(again, After(checkpoint), 2)) == [2, 3]
    again.close()


def test_a_checkpoint_shows_as_the_sequence_number(case: Case, reader: ShardReader):
    case.put(1)
    (record,) = read_all(reader, TrimHorizon(), 1)
    assert case.source.whole_before(case.shard_id, record.position) == record.position
    assert case.source.sequence_number_of(record.position) == record.sequence_number


def test_latest_is_exact_now_and_an_instant_after_a_restart(case: Case):
    case.put(1)
    shard_id = case.shard_id
    position = case.source.pin(shard_id, Latest(), now_ms())
    assert isinstance(position, AtTimestamp)
    case.put(2)
    reader = case.source.open(shard_id, lambda: None)
    assert in_order(case, read_all(reader, position, 1)) == [2]
    reader.close()


def test_other_places_are_pinned_already(case: Case):
    for position in (TrimHorizon(), AtTimestamp(now_ms()), After(7)):
        assert case.source.pin(case.shard_id, position, now_ms()) == position
    assert case.source.beginning(case.shard_id) == TrimHorizon()


@pytest.mark.parametrize("endpoint", ["nowhere", "web_page"])
def test_an_endpoint_that_does_not_answer_as_it_should(case: Case, endpoint: str, request):
    other = case.elsewhere(request.getfixturevalue(endpoint))
    reader = other.open(case.shard_id, lambda: None)
    for _ in range(2):
        until_ms = now_ms() + PATIENCE_MS
        while (ready_ms := reader.ready_ms(TrimHorizon(), now_ms())) is None:
            clock.wait_until(now_ms() + 1)
            assert now_ms() < until_ms, "nobody is told"
        assert ready_ms <= now_ms()
        failure = reader.read(TrimHorizon(), 10, now_ms())
        assert isinstance(failure, PollFailed), failure
        assert failure.reason is PollFailure.UNAVAILABLE
    reader.close()
    for ask in (other.describe, lambda: other.list_shards(now_ms())):
        with pytest.raises(SourceUnavailable) as raised:
            ask()
        assert not raised.value.fatal


def test_a_reader_may_be_closed_twice(case: Case):
    reader = case.source.open(case.shard_id, lambda: None)
    reader.close()
    reader.close()
    assert case.source.list_shards(now_ms())
