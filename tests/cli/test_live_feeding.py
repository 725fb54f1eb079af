"""`--feed`: what is told when not all went as it was meant."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest

from esm.cli.live_feeding import Feeding
from esm.cli.live_feeds import Feed
from esm.errors import EndpointError
from esm.sources.capture import read_captures

ARN = "arn:aws:kinesis:us-east-1:123456789012:stream/orders"
PATIENCE_S = 20


class Live:
    """As much of a run as feeding knows."""

    def __init__(self) -> None:
        self.begun = Event()
        self.ended = Event()
        self.busy = 0
        self.errors: list[BaseException] = []

    def keep_busy(self, by: int) -> None:
        self.busy += by
        if not self.busy:
            self.ended.set()

    def fail(self, error: BaseException) -> None:
        self.errors.append(error)


class Stream:
    """A client of a stream that refuses `refused` records of its first call."""

    meta = SimpleNamespace(endpoint_url="http://127.0.0.1:4577")

    def __init__(self, refused: int = 0) -> None:
        self.taken: list[str] = []
        self._refused = refused

    def put_records(self, Records: list[Any], **_: Any) -> dict[str, Any]:  # noqa: N803
        refused, self._refused = self._refused, 0
        self.taken += [each["PartitionKey"] for each in Records[refused:]]
        too_many = {"ErrorCode": "ProvisionedThroughputExceededException"}
        took = {"ShardId": "shardId-000000000000", "SequenceNumber": "1"}
        return {"Records": [too_many if n < refused else took for n in range(len(Records))]}


class Fed:
    """One capture that is fed."""

    def __init__(self, path: Path, stream: Any) -> None:
        self.live, self.is_stopping, self.lines = Live(), Event(), list[str]()
        feed = Feed("orders.jsonl", read_captures([path]), ARN)
        live: Any = self.live
        self.feeding = Feeding([feed], live, self.is_stopping, self.lines.append)
        self._stream = stream

    def to_its_end(self, speed: float | None = None, *, pauses: bool = True) -> list[str]:
        self.feeding.start(lambda *_: self._stream, lambda _: pauses, speed)
        self.live.begun.set()
        assert self.live.ended.wait(PATIENCE_S)
        self.feeding.tell_what_is_left()
        return self.lines


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "orders.jsonl"
    line = (
        '{"SequenceNumber": "%d", "ApproximateArrivalTimestamp": %d, "Data": "e30=",'
        ' "PartitionKey": "k"}\n'
    )
    path.write_text("".join(line % (10**55 + n, 1_767_225_600 + n) for n in range(3)))
    return path


def test_nothing_is_told_of_a_capture_that_was_put(path: Path):
    stream = Stream()
    fed = Fed(path, stream)
    assert fed.to_its_end() == []
    assert stream.taken == ["k"] * 3
    assert not fed.live.errors


def test_records_that_may_be_out_of_order_are_told(path: Path):
    assert Fed(path, Stream(refused=1)).to_its_end() == [
        "orders.jsonl: 1 record behind later ones of the same key: the stream refused them at first"
    ]


def test_a_feed_that_the_end_of_the_run_cuts_short_is_told(path: Path):
    fed = Fed(path, Stream())
    assert fed.to_its_end(speed=0.001, pauses=False) == [
        "orders.jsonl: 1 of 3 records put: the run ended first"
    ]
    assert not fed.live.errors


def test_a_feed_that_never_began_is_told(path: Path):
    stream = Stream()
    fed = Fed(path, stream)
    fed.is_stopping.set()
    assert fed.to_its_end() == ["orders.jsonl: 0 of 3 records put: the run ended first"]
    assert not stream.taken


def test_a_feed_that_fails_ends_the_run(path: Path):
    class Gone(Stream):
        def put_records(self, **_: Any) -> dict[str, Any]:
            raise EndpointError("E542", "orders took no more")

    fed = Fed(path, Gone())
    fed.to_its_end()
    assert [str(error) for error in fed.live.errors] == ["E542  orders took no more"]
