"""Parameters on their way through JSON: what botocore writes, we read."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.serialize import create_serializer
from hypothesis import given
from hypothesis import strategies as st

from esm.embedded.api import ApiError
from esm.embedded.http.messages import as_json
from esm.embedded.http.shapes import parameters
from esm.embedded.service_models import service_model

SCALARS = st.one_of(
    st.builds(lambda text: {"S": text}, st.text(max_size=20)),
    st.builds(lambda number: {"N": str(number)}, st.integers()),
    st.builds(lambda data: {"B": data}, st.binary(max_size=20)),
    st.builds(lambda data: {"BS": data}, st.lists(st.binary(max_size=5), max_size=3)),
    st.builds(lambda truth: {"BOOL": truth}, st.booleans()),
    st.just({"NULL": True}),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.builds(lambda items: {"L": items}, st.lists(inner, max_size=3)),
        st.builds(lambda items: {"M": items}, st.dictionaries(st.text(max_size=5), inner)),
    ),
    max_leaves=6,
)


def written(service: str, operation: str, params: dict[str, Any]) -> bytes:
    """The body that a client would send."""
    model = service_model(service).operation_model(operation)
    body: bytes = create_serializer("json").serialize_to_request(params, model)["body"]
    return body


@given(st.dictionaries(st.text(max_size=8), VALUES, max_size=4))
def test_items_come_back_as_they_were(item: dict[str, Any]):
    params = {"TableName": "t", "Item": item}
    assert parameters("dynamodb", "PutItem", written("dynamodb", "PutItem", params)) == params


@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(
        lambda at: at.replace(microsecond=0, tzinfo=UTC)
    ),
    st.binary(max_size=50),
)
def test_instants_and_blobs_come_back_as_they_were(at: datetime, data: bytes):
    params = {"StreamName": "s", "ShardId": "x", "ShardIteratorType": "T", "Timestamp": at}
    body = written("kinesis", "GetShardIterator", params)
    assert parameters("kinesis", "GetShardIterator", body) == params
    put = {"StreamName": "s", "PartitionKey": "k", "Data": data}
    assert parameters("kinesis", "PutRecord", written("kinesis", "PutRecord", put)) == put


@given(st.integers(946_684_800_000, 4_102_444_800_000))
def test_an_answer_keeps_the_milliseconds_of_an_instant(instant_ms: int):
    at = datetime.fromtimestamp(instant_ms / 1000, UTC)
    assert round(json.loads(as_json({"at": at}))["at"] * 1000) == instant_ms


@pytest.mark.parametrize(
    ("service", "operation", "body", "message"),
    [
        ("kinesis", "PutRecord", '{"Data": 1}', "data must be a string"),
        ("kinesis", "PutRecord", '{"Data": "a"}', "data must be base64"),
        ("kinesis", "PutRecords", '{"Records": {}}', "records must be a list"),
        ("kinesis", "PutRecords", '{"Records": [1]}', "records.1.member must be an object"),
        ("kinesis", "GetRecords", '{"Limit": "1"}', "limit must be a number"),
        ("kinesis", "GetRecords", '{"Limit": 1.5}', "limit must be a whole number"),
        ("kinesis", "GetRecords", '{"Limit": true}', "limit must be a number"),
        ("kinesis", "GetRecords", "[]", "the body must be an object"),
        ("kinesis", "GetRecords", "nothing", "the body is no JSON"),
        ("kinesis", "GetRecords", '{"\xff": 1}', "the body is no JSON"),
        ("kinesis", "GetShardIterator", '{"Timestamp": "now"}', "timestamp must be a number"),
        ("kinesis", "GetShardIterator", '{"Timestamp": 1e300}', "timestamp must be an instant"),
        ("kinesis", "DeleteStream", '{"EnforceConsumerDeletion": 1}', "must be true or false"),
        ("dynamodb", "PutItem", '{"Item": {"a": []}}', "item.a must be an object"),
        ("dynamodb", "PutItem", '{"Item": {"a": {"B": "?"}}}', "item.a.B must be base64"),
    ],
)
def test_what_a_model_has_no_form_for_is_named(
    service: str, operation: str, body: str, message: str
):
    with pytest.raises(ApiError) as refused:
        parameters(service, operation, body.encode("latin-1"))
    assert refused.value.code == "SerializationException"
    assert message in refused.value.message


def test_null_is_no_value_and_what_is_unknown_is_passed_on():
    body = b'{"StreamName": null, "Novelty": {"x": 1}}'
    assert parameters("kinesis", "PutRecord", body) == {"Novelty": {"x": 1}}
