"""Every batch of readings becomes one object, the same one whenever it comes."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO
from types import ModuleType
from typing import Any

import pytest

from esm import Harness

READING = {"truck": "truck-1", "measured_at": "2026-01-01T00:00:00Z", "tyre_bar": [8.1, 8.0]}
FIRST = "readings/date=2026-01-01/hour=00/shardId-000000000000-"


class Bucket:
    """S3 as far as the function uses it; refuses what it is told to."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.refusals = 0

    def put_object(self, **params: Any) -> None:
        if self.refusals:
            self.refusals -= 1
            raise ConnectionError("S3 is out of reach")
        assert params["Bucket"] == "archive"
        self.objects[params["Key"]] = params["Body"]

    @property
    def lines(self) -> list[list[dict[str, Any]]]:
        return [list(map(json.loads, BytesIO(body))) for body in self.objects.values()]


@pytest.fixture(scope="module")
def app(load: Callable[[str, str], ModuleType]) -> ModuleType:
    return load("truck_archive", "app")


@pytest.fixture
def bucket(app: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    bucket = Bucket()
    monkeypatch.setattr(app, "s3", bucket)
    monkeypatch.setenv("ARCHIVE_BUCKET_NAME", "archive")
    return bucket


@pytest.fixture
def mapping(esm: Harness, app: ModuleType) -> Any:
    return esm.map(
        esm.kinesis("readings"),
        app.handler,
        function_response_types=["ReportBatchItemFailures"],
        bisect_batch_on_function_error=True,
        maximum_retry_attempts=2,
        maximum_batching_window_in_seconds=60,
    )


def test_a_batch_is_an_object_that_keeps_readings_as_they_are(
    esm: Harness, bucket: Bucket, mapping: Any
):
    mapping.source.put_many([READING, {**READING, "truck": "truck-2"}])
    esm.drain()

    first = mapping.source.records[0]
    assert list(bucket.objects) == [f"{FIRST}{first.sequence_number}.jsonl"]
    [[line, other]] = bucket.lines
    assert line == {
        "event_id": f"shardId-000000000000:{first.sequence_number}",
        "arrived_at": "2026-01-01T00:00:00Z",
        "reading": READING,
    }
    assert other["reading"]["truck"] == "truck-2"


def test_a_batch_that_comes_again_replaces_its_object(esm: Harness, bucket: Bucket, mapping: Any):
    mapping.source.put_many([READING] * 3)
    mapping.inject.latency("2s")
    esm.advance("61s")
    before = dict(bucket.objects)
    assert len(before) == 1
    esm.restart()
    esm.drain()

    assert len(mapping.invocations) == 2
    assert bucket.objects == before


def test_an_error_of_s3_brings_the_batch_again(esm: Harness, bucket: Bucket, mapping: Any):
    bucket.refusals = 2
    mapping.update(bisect_batch_on_function_error=False)
    mapping.source.put_many([READING] * 3)
    esm.drain()

    assert [each.error is None for each in mapping.invocations] == [False, False, True]
    assert [len(lines) for lines in bucket.lines] == [3]


def test_a_malformed_reading_is_cut_out_and_the_others_are_kept_once(
    esm: Harness, bucket: Bucket, mapping: Any
):
    mapping.source.put_many([READING, READING, b'{"truck":', READING])
    esm.drain()

    assert [record.ordinal for each in mapping.discarded for record in each.records] == [3]
    ids = [line["event_id"] for lines in bucket.lines for line in lines]
    assert len(ids) == len(set(ids)) == 3


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"", id="empty"),
        pytest.param([], id="not an object"),
        pytest.param({"measured_at": "2026-01-01T00:00:00Z"}, id="no truck"),
        pytest.param({**READING, "measured_at": "yesterday"}, id="no time"),
    ],
)
def test_a_batch_of_nothing_but_malformed_readings_makes_no_object(
    esm: Harness, bucket: Bucket, mapping: Any, payload: object
):
    mapping.source.put(payload)
    esm.drain()

    assert len(mapping.discarded) == 1
    assert [each.error for each in mapping.invocations] == [None] * 3
    assert bucket.objects == {}
