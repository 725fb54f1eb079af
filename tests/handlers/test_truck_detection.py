"""Readings of trucks become sums, sums meet baselines, and what is not usual goes out."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import ANY, Stubber
from hypothesis import given
from hypothesis import strategies as st

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
TEN_SECONDS = timedelta(seconds=10)
TABLE, STREAM = "baselines", "deviations"
CONTEXT = SimpleNamespace(
    function_name="TruckDetection",
    memory_limit_in_mb=128,
    invoked_function_arn="arn:aws:lambda:eu-central-1:123456789012:function:TruckDetection",
    aws_request_id="0d4a2f52-6a3c-4f1c-9a55-2d2f1b0c7e11",
)
KEY = {"truck": {"S": "truck-1"}}


@pytest.fixture(scope="module")
def app(load: Callable[[str, str], ModuleType]) -> ModuleType:
    return load("truck_detection", "app")


@pytest.fixture(scope="module")
def baseline(app: ModuleType, load: Callable[[str, str], ModuleType]) -> ModuleType:
    return load("truck_detection", "baseline")


@pytest.fixture(scope="module")
def models(app: ModuleType, load: Callable[[str, str], ModuleType]) -> ModuleType:
    return load("truck_detection", "models")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BASELINES_TABLE_NAME", TABLE)
    monkeypatch.setenv("DEVIATIONS_STREAM_NAME", STREAM)


@pytest.fixture
def table(app: ModuleType) -> Iterator[Stubber]:
    with Stubber(app.dynamodb) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def stream(app: ModuleType) -> Iterator[Stubber]:
    with Stubber(app.kinesis) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def reading(truck: str = "truck-1", **values: Any) -> dict[str, Any]:
    return {
        "truck": truck,
        "measured_at": "2026-03-02T09:00:04Z",
        "engine_celsius": 90.0,
        "container_celsius": -18.0,
        "speed_kmh": 70.0,
        "position": {"latitude": 48.1, "longitude": 11.6},
        **values,
    }


def call(*payloads: object, state: object = None, **more: Any) -> dict[str, Any]:
    """An event with sequence numbers "1", "2", ...; bytes stay, the rest becomes JSON."""
    return {
        "Records": [record(str(number), payload) for number, payload in enumerate(payloads, 1)],
        "window": {"start": "2026-03-02T09:00:00Z", "end": "2026-03-02T09:00:10Z"},
        "state": state or {},
        "shardId": "shardId-000000000000",
        "eventSourceARN": "arn:aws:kinesis:eu-central-1:123456789012:stream/readings",
        "isFinalInvokeForWindow": False,
        "isWindowTerminatedEarly": False,
        **more,
    }


def record(number: str, payload: object) -> dict[str, Any]:
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "truck-1",
            "sequenceNumber": number,
            "data": base64.b64encode(data).decode(),
            "approximateArrivalTimestamp": 1772442004.5,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"shardId-000000000000:{number}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::123456789012:role/truck-detection",
        "awsRegion": "eu-central-1",
        "eventSourceARN": "arn:aws:kinesis:eu-central-1:123456789012:stream/readings",
    }


def none_known(table: Stubber) -> None:
    table.add_response("batch_get_item", {"Responses": {TABLE: []}})


def known(truck: str, engine: float = 90.0, window_start: str = "2026-03-02T08:00:00Z") -> Any:
    """An item of the table."""
    numbers = {"windows": {"N": "500"}, "variance": {"N": "1.0"}}
    sensors = {"engine": engine, "container": -18.0, "speed": 70.0}
    return {
        "truck": {"S": truck},
        "window_start": {"S": window_start},
        "sensors": {
            "M": {n: {"M": {**numbers, "mean": {"N": str(v)}}} for n, v in sensors.items()}
        },
    }


def test_a_call_adds_to_the_sums_and_reads_each_trucks_baselines_once(app, table: Stubber):
    table.add_response("batch_get_item", {"Responses": {TABLE: [known("truck-1")]}})
    first = app.handler(call(reading(), reading(engine_celsius=92.5)), CONTEXT)
    none_known(table)
    second = app.handler(call(reading(), reading("truck-2"), state=first["state"]), CONTEXT)

    assert second["batchItemFailures"] == []
    sums, baselines = second["state"]["sums"], second["state"]["baselines"]
    assert sums["truck-1"]["readings"] == 3
    assert sums["truck-1"]["engine_celsius"] == 272.5
    assert sums["truck-2"]["readings"] == 1
    assert baselines["truck-1"]["sensors"]["engine"]["mean"] == 90.0
    assert baselines["truck-2"] == {"sensors": {}}


def test_dynamodb_is_asked_again_for_what_it_left_out(app, table: Stubber):
    answer = {"Responses": {TABLE: []}, "UnprocessedKeys": {TABLE: {"Keys": [KEY]}}}
    table.add_response("batch_get_item", answer)
    expected = {"RequestItems": {TABLE: {"Keys": [KEY]}}}
    table.add_response(
        "batch_get_item", {"Responses": {TABLE: [known("truck-1", engine=75.0)]}}, expected
    )
    state = app.handler(call(reading()), CONTEXT)["state"]

    assert state["baselines"]["truck-1"]["sensors"]["engine"]["mean"] == 75.0


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b'{"truck": "tr', id="truncated"),
        pytest.param(b"\xff\xfe\x00", id="not UTF-8"),
        pytest.param([], id="not an object"),
        pytest.param(reading("truck 1"), id="a truck that cannot be in a subject"),
        pytest.param(reading(engine_celsius="ERR 07"), id="text for a number"),
        pytest.param(reading(engine_celsius=float("nan")), id="not a number"),
        pytest.param(reading(container_celsius=9999), id="a broken sensor"),
        pytest.param(reading(speed_kmh=-1), id="backwards"),
        pytest.param(reading(position={"latitude": 91, "longitude": 0}), id="beyond the pole"),
        pytest.param(reading(measured_at="2026-03-02T09:00:04"), id="no time zone"),
    ],
)
def test_what_stands_before_a_malformed_reading_counts_and_the_rest_comes_again(
    app, table: Stubber, payload: object
):
    none_known(table)
    answer = app.handler(call(reading(), payload, reading("truck-2")), CONTEXT)

    assert answer["batchItemFailures"] == [{"itemIdentifier": "2"}]
    assert answer["state"]["sums"].keys() == {"truck-1"}


@pytest.mark.parametrize(
    "measured_at", ["2026-03-02T08:58:59Z", "2026-03-02T09:01:11Z"], ids=["late", "ahead"]
)
def test_a_reading_of_another_time_does_not_count(app, measured_at: str):
    answer = app.handler(call(reading(measured_at=measured_at)), CONTEXT)

    assert answer == {"state": {"sums": {}, "baselines": {}}, "batchItemFailures": []}


def test_captured_readings_may_be_of_another_time(app, table: Stubber, monkeypatch):
    monkeypatch.setenv("READINGS_APART_SECONDS", "3600")
    none_known(table)

    answer = app.handler(call(reading(measured_at="2026-03-02T08:00:01Z")), CONTEXT)

    assert answer["state"]["sums"]["truck-1"]["readings"] == 1


@pytest.mark.parametrize("closing", ["isFinalInvokeForWindow", "isWindowTerminatedEarly"])
def test_a_closing_call_publishes_first_and_then_writes(
    app, table: Stubber, stream: Stubber, closing: str
):
    table.add_response("batch_get_item", {"Responses": {TABLE: [known("truck-1")]}})
    state = app.handler(call(reading(engine_celsius=120.0)), CONTEXT)["state"]
    stream.add_response(
        "put_records",
        {"Records": [{"SequenceNumber": "1", "ShardId": "shardId-0"}]},
        {"StreamName": STREAM, "Records": [{"Data": ANY, "PartitionKey": "truck-1"}]},
    )
    table.add_response(
        "put_item",
        {},
        {
            "TableName": TABLE,
            "Item": ANY,
            "ConditionExpression": "attribute_not_exists(truck) OR window_start < :start",
            "ExpressionAttributeValues": {":start": {"S": "2026-03-02T09:00:00Z"}},
        },
    )
    answer = app.handler(call(state=state, **{closing: True}), CONTEXT)

    assert answer == {"state": {"sums": {}, "baselines": {}}, "batchItemFailures": []}


def test_deviations_that_the_stream_refuses_fail_the_call_before_anything_is_written(
    app, table: Stubber, stream: Stubber
):
    table.add_response("batch_get_item", {"Responses": {TABLE: [known("truck-1")]}})
    state = app.handler(call(reading(engine_celsius=120.0)), CONTEXT)["state"]
    refused = {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "slow down"}
    stream.add_response("put_records", {"FailedRecordCount": 1, "Records": [refused]})

    with pytest.raises(Exception, match="1 of 1 deviations") as raised:
        app.handler(call(state=state, isFinalInvokeForWindow=True), CONTEXT)
    assert type(raised.value).__name__ == "Refused"


def test_a_final_call_that_failed_in_the_middle_writes_what_is_missing(app, table: Stubber):
    none_known(table)
    state = app.handler(call(reading(), reading("truck-2")), CONTEXT)["state"]
    final = call(state=state, isFinalInvokeForWindow=True)
    table.add_response("put_item", {})
    table.add_client_error("put_item", "InternalServerError")
    with pytest.raises(ClientError, match="InternalServerError"):
        app.handler(final, CONTEXT)

    table.add_client_error("put_item", "ConditionalCheckFailedException")
    table.add_response("put_item", {})
    assert app.handler(final, CONTEXT)["batchItemFailures"] == []


def test_a_window_that_the_baselines_know_changes_nothing(app, table: Stubber):
    item = known("truck-1", window_start="2026-03-02T09:00:00Z")
    table.add_response("batch_get_item", {"Responses": {TABLE: [item]}})
    state = app.handler(call(reading(engine_celsius=120.0)), CONTEXT)["state"]
    answer = app.handler(call(state=state, isFinalInvokeForWindow=True), CONTEXT)

    assert answer["batchItemFailures"] == []


class Sensor:
    """Window after window of one truck, judged one after the other."""

    def __init__(self, baseline: ModuleType, models: ModuleType, kind: str) -> None:
        self._judge, self._models, self._kind = baseline.judge, models, kind
        self._start = START
        self.knows = models.Baselines()

    def meets(self, mean: float) -> list[float]:
        """How many spreads each anomaly that begins in a window of this mean is away."""
        models = self._models
        window = models.Window(start=self._start, end=self._start + TEN_SECONDS)
        self._start += TEN_SECONDS
        name = "speed_kmh" if self._kind == "speed" else f"{self._kind}_celsius"
        verdict = self._judge(
            window, "truck-1", models.Sums(readings=1, **{name: mean}), self.knows
        )
        self.knows = verdict.baselines
        return [each.spreads for each in verdict.deviations]

    @property
    def usual(self) -> tuple[float, float]:
        found = self.knows.sensors[self._kind]
        return found.mean, found.variance


@pytest.fixture
def sensor(baseline: ModuleType, models: ModuleType) -> Callable[[str], Sensor]:
    return lambda kind: Sensor(baseline, models, kind)


def test_a_sensor_is_not_judged_before_it_is_known(sensor: Callable[[str], Sensor]):
    container = sensor("container")

    assert [container.meets(mean) for mean in (-18, 60, -18, 60)] == [[]] * 4


def test_a_sensor_may_be_known_sooner(baseline: ModuleType, models: ModuleType):
    knows, told = models.Baselines(), []
    for number, mean in enumerate((-18, -18, -18, -8)):
        start = START + number * TEN_SECONDS
        window = models.Window(start=start, end=start + TEN_SECONDS)
        sums = models.Sums(readings=1, container_celsius=mean)
        verdict = baseline.judge(window, "truck-1", sums, knows, warm_up=3)
        knows = verdict.baselines
        told.append(len(verdict.deviations))

    assert told == [0, 0, 0, 1]


@pytest.mark.parametrize(
    ("kind", "usual", "mean", "spreads"),
    [
        pytest.param("engine", 90.0, 102.0, [], id="at the edge"),
        pytest.param("engine", 90.0, 103.0, [6.5], id="beyond it"),
        pytest.param("engine", 90.0, 20.0, [], id="a cold engine harms nobody"),
        pytest.param("container", -18.0, -14.9, [6.2], id="too warm"),
        pytest.param("container", 4.0, 0.9, [-6.2], id="too cold"),
        pytest.param("speed", 70.0, 0.0, [], id="a truck that stops"),
        pytest.param("speed", 70.0, 143.0, [6.1], id="too fast"),
    ],
)
def test_six_spreads_are_an_anomaly(
    sensor: Callable[[str], Sensor], kind: str, usual: float, mean: float, spreads: list[float]
):
    watched = sensor(kind)
    for _ in range(20):
        assert watched.meets(usual) == []

    assert watched.meets(mean) == spreads


def test_an_anomaly_begins_once_and_ends_with_a_usual_window(sensor: Callable[[str], Sensor]):
    container = sensor("container")
    for _ in range(20):
        container.meets(-18.0)
    means = [-10.0, -10.0, -15.5, -10.0, -18.0, -10.0]

    assert [len(container.meets(mean)) for mean in means] == [1, 0, 0, 0, 0, 1]
    assert container.usual == (-18.0, 0.0), "what deviates teaches nothing"


def test_a_drift_cannot_teach_its_baseline_to_follow_it(sensor: Callable[[str], Sensor]):
    container, chance = sensor("container"), random.Random(7)
    for _ in range(360):
        assert container.meets(-18.0 + chance.gauss(0, 0.2)) == []
    found = [container.meets(-18.0 + 0.05 * step + chance.gauss(0, 0.2)) for step in range(120)]

    assert sum(map(len, found)) == 1
    assert container.usual[0] == pytest.approx(-18, abs=0.2)


@given(means=st.lists(st.floats(-1.5, 1.5), min_size=1, max_size=60))
def test_the_baseline_is_mean_and_variance_of_its_windows(
    baseline: ModuleType, models: ModuleType, means: list[float]
):
    watched = Sensor(baseline, models, "engine")
    for mean in means:
        watched.meets(90 + mean)

    expected = sum(means) / len(means)
    variance = sum((mean - expected) ** 2 for mean in means) / len(means)
    assert watched.usual == pytest.approx((90 + expected, variance), abs=1e-3)
