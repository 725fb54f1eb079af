"""Sign-ups go in, sign-ups with bandwidth options come out on a second stream."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import ANY, Stubber

EVENTS = Path(__file__).parent.parent.parent / "events" / "bandwidth_enrichment"
STREAM = "enriched-sign-ups"
CONTEXT = SimpleNamespace(
    function_name="BandwidthEnrichment",
    memory_limit_in_mb=128,
    invoked_function_arn="arn:aws:lambda:eu-central-1:123456789012:function:BandwidthEnrichment",
    aws_request_id="0d4a2f52-6a3c-4f1c-9a55-2d2f1b0c7e11",
)
TAKEN = {"SequenceNumber": "1", "ShardId": "shardId-000000000000"}
REFUSED = {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "slow down"}


class EnrichedStream:
    """The second stream: says what it answers to each PutRecords, and shows what it was sent."""

    def __init__(self, app: ModuleType, stubber: Stubber) -> None:
        self._app = app
        self._stubber = stubber
        self.calls: list[list[dict[str, Any]]] = []
        app.kinesis.meta.events.register("provide-client-params.kinesis.PutRecords", self._note)

    def answers(self, *results: dict[str, str]) -> None:
        expected = {"StreamName": STREAM, "Records": ANY}
        self._stubber.add_response("put_records", {"Records": list(results)}, expected)

    def fails(self, code: str) -> None:
        self._stubber.add_client_error("put_records", code)

    def close(self) -> None:
        self._app.kinesis.meta.events.unregister(
            "provide-client-params.kinesis.PutRecords", self._note
        )

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(entry["Data"]) for call in self.calls for entry in call]

    def _note(self, params: dict[str, Any], **_: object) -> None:
        self.calls.append(params["Records"])


@dataclass(frozen=True)
class Function:
    """The function and the second stream it publishes to."""

    handler: Callable[[dict[str, Any], object], dict[str, Any]]
    stream: EnrichedStream

    def failures(self, event: dict[str, Any]) -> list[str]:
        response = self.handler(event, CONTEXT)
        assert response.keys() == {"batchItemFailures"}
        return [failure["itemIdentifier"] for failure in response["batchItemFailures"]]


@pytest.fixture(scope="module")
def app(load: Callable[[str, str], ModuleType]) -> ModuleType:
    return load("bandwidth_enrichment", "app")


@pytest.fixture
def function(app: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Iterator[Function]:
    monkeypatch.setenv("ENRICHED_STREAM_NAME", STREAM)
    with Stubber(app.kinesis) as stubber:
        stream = EnrichedStream(app, stubber)
        yield Function(app.handler, stream)
        stream.close()
        stubber.assert_no_pending_responses()


@pytest.fixture
def log(app: ModuleType) -> Iterator[StringIO]:
    level = app.logger.log_level  # loggers outlive their module: another test's may be in force
    app.logger.setLevel("INFO")
    lambda_output = app.logger.registered_handler.setStream(StringIO())
    yield app.logger.registered_handler.stream
    app.logger.registered_handler.setStream(lambda_output)
    app.logger.setLevel(level)


def captured(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / name).read_text(encoding="utf-8"))
    return event


def sign_up(user_id: str = "user-1", **location: str) -> dict[str, Any]:
    return {
        "user": {"id": user_id, "name": "Ada Costa", "email": "ada@example.com"},
        "location": {"country": "DE", "postal_code": "10115", "city": "Berlin", **location},
        "signed_up_at": "2026-03-02T09:15:02.250Z",
    }


def event_of(*payloads: object) -> dict[str, Any]:
    """An event with sequence numbers "1", "2", ...; bytes stay, the rest becomes JSON."""
    event = captured("batch.json")
    envelope = event["Records"][0]
    event["Records"] = [
        {
            **envelope,
            "eventID": f"shardId-000000000001:{number}",
            "kinesis": {
                **envelope["kinesis"],
                "sequenceNumber": str(number),
                "data": base64.b64encode(
                    payload if isinstance(payload, bytes) else json.dumps(payload).encode()
                ).decode(),
            },
        }
        for number, payload in enumerate(payloads, 1)
    ]
    return event


def numbers(event: dict[str, Any]) -> list[str]:
    return [record["kinesis"]["sequenceNumber"] for record in event["Records"]]


def test_an_ordinary_batch_is_published_whole_and_in_order(function: Function):
    event = captured("batch.json")
    function.stream.answers(*[TAKEN] * 12)

    assert function.failures(event) == []

    (call,) = function.stream.calls
    assert [e["PartitionKey"] for e in call] == [
        record["kinesis"]["partitionKey"] for record in event["Records"]
    ]
    assert [m["event_id"] for m in function.stream.messages] == [
        record["eventID"] for record in event["Records"]
    ]


def test_a_sign_up_goes_out_with_the_options_of_its_area(function: Function):
    function.stream.answers(TAKEN)

    assert function.failures(event_of(sign_up(country="GB", postal_code="eh1 1bb"))) == []

    assert function.stream.messages == [
        {
            "event_id": "shardId-000000000001:1",
            "sign_up": {
                "user": {
                    "id": "user-1",
                    "name": "Ada Costa",
                    "email": "ada@example.com",
                    "phone": None,
                },
                "location": {
                    "country": "GB",
                    "postal_code": "eh1 1bb",
                    "city": "Berlin",
                    "street": None,
                },
                "signed_up_at": "2026-03-02T09:15:02.250000Z",
            },
            "bandwidth": {
                "coverage": "area",
                "options": [
                    {
                        "id": "gb-cable-500",
                        "technology": "cable",
                        "download_mbps": 500,
                        "upload_mbps": 52,
                        "monthly_price": "39.00",
                        "currency": "GBP",
                    },
                    {
                        "id": "gb-fibre-150",
                        "technology": "fibre",
                        "download_mbps": 150,
                        "upload_mbps": 150,
                        "monthly_price": "28.00",
                        "currency": "GBP",
                    },
                    {
                        "id": "gb-dsl-67",
                        "technology": "dsl",
                        "download_mbps": 67,
                        "upload_mbps": 18,
                        "monthly_price": "30.00",
                        "currency": "GBP",
                    },
                ],
            },
        }
    ]


@pytest.mark.parametrize(
    ("country", "postal_code", "coverage", "fastest"),
    [
        pytest.param("DE", "10115", "area", "de-fibre-1000", id="longest area wins"),
        pytest.param("DE", "94078", "area", "de-dsl-100", id="a short area does"),
        pytest.param("US", "94103-1234", "area", "us-fibre-2000", id="hyphens do not matter"),
        pytest.param("US", "94501", "area", "us-cable-1000", id="beside the longer area"),
        pytest.param("DE", "01067", "country", "de-5g-150", id="unknown area: the country's"),
        pytest.param("IS", "101", "none", None, id="unknown country: no options"),
    ],
)
def test_options_follow_the_location(
    function: Function, country: str, postal_code: str, coverage: str, fastest: str | None
):
    function.stream.answers(TAKEN)

    assert function.failures(event_of(sign_up(country=country, postal_code=postal_code))) == []

    bandwidth = function.stream.messages[0]["bandwidth"]
    assert bandwidth["coverage"] == coverage
    assert next((option["id"] for option in bandwidth["options"]), None) == fastest


def test_what_stands_behind_a_poison_record_waits_for_its_return(function: Function):
    event = captured("poison.json")
    function.stream.answers(*[TAKEN] * 6)

    assert function.failures(event) == [numbers(event)[6]]
    assert [m["event_id"] for m in function.stream.messages] == [
        record["eventID"] for record in event["Records"][:6]
    ]


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b'{"user": {"id": "u', id="truncated"),
        pytest.param(b"\xff\xfe\x00", id="not UTF-8"),
        pytest.param(b"[" * 100_000, id="nested without end"),
        pytest.param([], id="not an object"),
        pytest.param({}, id="nothing in it"),
        pytest.param(sign_up(""), id="no user id"),
        pytest.param(sign_up("u" * 257), id="user id too long for a partition key"),
        pytest.param(sign_up(country="Germany"), id="not a country code"),
        pytest.param(sign_up() | {"signed_up_at": "2026-03-02T09:15:02"}, id="no time zone"),
        pytest.param(sign_up() | {"user": {"id": "u", "name": "n", "email": "n"}}, id="no e-mail"),
    ],
)
def test_a_malformed_sign_up_is_reported_and_harms_no_other(function: Function, payload: object):
    function.stream.answers(TAKEN)

    assert function.failures(event_of(sign_up(), payload)) == ["2"]


def test_a_batch_of_nothing_but_malformed_sign_ups_is_reported_not_raised(function: Function):
    assert function.failures(event_of({}, b"", [])) == ["1", "2", "3"]
    assert function.stream.calls == []


def test_data_that_is_not_base64_is_reported(function: Function):
    event = event_of(sign_up())
    event["Records"][0]["kinesis"]["data"] = "="

    assert function.failures(event) == ["1"]


def test_personal_data_of_a_malformed_sign_up_stays_out_of_the_log(
    function: Function, log: StringIO
):
    bad = sign_up("user-77") | {"signed_up_at": "yesterday"}

    assert function.failures(event_of(bad)) == ["1"]

    text = log.getvalue()
    assert "kinesis.data.signed_up_at" in text
    assert "ada@example.com" not in text
    assert "yesterday" not in text


def test_an_empty_batch_publishes_nothing(function: Function):
    assert function.failures(event_of()) == []
    assert function.stream.calls == []


def test_what_the_stream_refuses_is_reported(function: Function):
    function.stream.answers(TAKEN, REFUSED, TAKEN, REFUSED)

    assert function.failures(event_of(*[sign_up()] * 4)) == ["2", "4"]


def test_refused_and_malformed_are_reported_together_in_order(function: Function):
    function.stream.answers(TAKEN, REFUSED)

    assert function.failures(event_of(sign_up(), sign_up(), {}, sign_up(), {})) == ["2", "3", "5"]


def test_an_error_of_the_whole_call_is_an_error_of_the_function(function: Function):
    function.stream.fails("ResourceNotFoundException")

    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        function.handler(event_of(sign_up()), CONTEXT)


def test_a_call_takes_no_more_than_500_records(function: Function):
    function.stream.answers(*[TAKEN] * 500)
    function.stream.answers(*[TAKEN] * 500)
    function.stream.answers(TAKEN)

    assert function.failures(event_of(*(sign_up(f"user-{n}") for n in range(1001)))) == []

    assert [len(call) for call in function.stream.calls] == [500, 500, 1]
    assert [m["sign_up"]["user"]["id"] for m in function.stream.messages] == [
        f"user-{n}" for n in range(1001)
    ]


def test_nothing_is_sent_after_a_call_with_refusals(function: Function):
    function.stream.answers(*[TAKEN] * 499, REFUSED)

    assert function.failures(event_of(*[sign_up()] * 501)) == ["500"]
    assert [len(call) for call in function.stream.calls] == [500]


def test_the_same_event_twice_gives_the_same_messages(function: Function):
    for _ in range(2):
        function.stream.answers(*[TAKEN] * 12)
        assert function.failures(captured("batch.json")) == []

    first, second = function.stream.calls
    assert first == second
    assert len({m["event_id"] for m in function.stream.messages}) == 12


def test_a_call_takes_no_more_than_5_mib(load: Callable[[str, str], ModuleType]):
    publishing = load("bandwidth_enrichment", "publishing")

    def message(size: int) -> Any:
        return publishing.Message(sequence_number="1", partition_key="ü", data=b"x" * (size - 2))

    mib = 1024 * 1024
    exact = [message(mib)] * 5
    over = [message(mib), message(4 * mib + 1)]
    assert [len(call) for call in publishing.calls(exact)] == [5]
    assert [len(call) for call in publishing.calls(over)] == [1, 1]
    assert [len(call) for call in publishing.calls([message(6 * mib)])] == [1]
    assert list(publishing.calls([])) == []


def test_every_option_of_the_library_is_sold_somewhere_and_every_name_is_known(
    load: Callable[[str, str], ModuleType],
):
    library = load("bandwidth_enrichment", "bandwidth").LIBRARY

    assert library.keys() == {"DE", "GB", "US"}
    for country in library.values():
        offered = set(country.everywhere).union(*country.areas.values())
        assert offered == country.options.keys()
