"""Kinesis over HTTP: what boto3, and everything made of it, finds behind one address."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError
from over_http import Clients, request, send

from esm.embedded.aws import EmbeddedAws

TARGET = "X-Amz-Target: Kinesis_20131202."
JSON = "Content-Type: application/x-amz-json-1.1"


def read_all(kinesis: Any, stream: str) -> list[bytes]:
    """Every record of a stream, shard by shard."""
    found = []
    for shard in kinesis.list_shards(StreamName=stream)["Shards"]:
        start = {"StreamName": stream, "ShardId": shard["ShardId"]}
        iterator = kinesis.get_shard_iterator(**start, ShardIteratorType="TRIM_HORIZON")
        records = kinesis.get_records(ShardIterator=iterator["ShardIterator"])["Records"]
        found += [record["Data"] for record in records]
    return found


def test_a_stream_is_made_fed_and_read(clients: Clients):
    kinesis = clients("kinesis")
    kinesis.create_stream(StreamName="orders", ShardCount=2)
    kinesis.get_waiter("stream_exists").wait(StreamName="orders")
    kinesis.put_record(StreamName="orders", Data=b"\x00\xff", PartitionKey="a")
    kinesis.put_records(
        StreamName="orders",
        Records=[{"Data": f"{n}".encode(), "PartitionKey": f"{n}"} for n in range(20)],
    )
    found = read_all(kinesis, "orders")
    assert sorted(found) == sorted([b"\x00\xff", *(f"{n}".encode() for n in range(20))])


def test_an_arn_tells_the_region_that_a_request_is_signed_for(aws: EmbeddedAws):
    abroad = Clients(aws.url, "eu-west-1")
    abroad("kinesis").create_stream(StreamName="abroad", ShardCount=1)
    summary = abroad("kinesis").describe_stream_summary(StreamName="abroad")
    abroad.close()
    arn = summary["StreamDescriptionSummary"]["StreamARN"]
    assert arn == "arn:aws:kinesis:eu-west-1:123456789012:stream/abroad"
    assert "abroad" not in aws.streams


def test_instants_come_as_the_client_expects_them(clients: Clients, aws: EmbeddedAws):
    kinesis = clients("kinesis")
    kinesis.create_stream(StreamName="instants", ShardCount=1)
    kinesis.put_record(StreamName="instants", Data=b"1", PartitionKey="a")
    (record,) = aws.streams["instants"].records
    iterator = kinesis.get_shard_iterator(
        StreamName="instants",
        ShardId=record.shard_id,
        ShardIteratorType="AT_TIMESTAMP",
        Timestamp=record.arrived_at,
    )
    (read,) = kinesis.get_records(ShardIterator=iterator["ShardIterator"])["Records"]
    assert read["ApproximateArrivalTimestamp"] == record.arrived_at


def test_errors_are_those_of_aws(clients: Clients):
    kinesis = clients("kinesis")
    with pytest.raises(kinesis.exceptions.ResourceNotFoundException) as missing:
        kinesis.describe_stream(StreamName="nowhere")
    answer = missing.value.response
    assert answer["Error"]["Message"] == "Stream nowhere under account 123456789012 not found."
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert answer["ResponseMetadata"]["RequestId"]


def test_a_consumer_has_the_arn_that_a_template_gives_it(clients: Clients):
    kinesis = clients("kinesis")
    kinesis.create_stream(StreamName="fanned", ShardCount=1)
    arn = "arn:aws:kinesis:us-east-1:123456789012:stream/fanned"
    made = kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="fast")["Consumer"]
    assert made["ConsumerARN"] == f"{arn}/consumer/fast:1767225600"


def test_every_answer_tells_the_incarnation(clients: Clients, aws: EmbeddedAws):
    answer = clients("kinesis").list_streams()
    with pytest.raises(ClientError) as refused:
        clients("dynamodbstreams").describe_stream(
            StreamArn="arn:aws:dynamodb:us-east-1:1:table/x/stream/y"
        )
    for each in (answer, refused.value.response):
        headers = each["ResponseMetadata"]["HTTPHeaders"]
        assert headers["x-esm-incarnation"] == aws.incarnation


def test_a_client_that_speaks_cbor_is_told_what_to_set(aws: EmbeddedAws):
    kind = "Content-Type: application/x-amz-cbor-1.1"
    call = request("POST / HTTP/1.1", "Host: localhost", f"{TARGET}ListStreams", kind, body=b"\xa0")
    reply = send(aws, call)
    assert reply.status == 415
    assert "AWS_CBOR_DISABLE=1" in json.loads(reply.body)["message"]
    assert "aws.cborEnabled=false" in reply.body


@pytest.mark.parametrize(
    ("operation", "body", "code"),
    [
        ("PutRecord", b"{", "SerializationException"),
        ("PutRecord", b"[]", "SerializationException"),
        ("PutRecord", b"\xff\xfe", "SerializationException"),
        ("PutRecords", b'{"Rec\xf8rds": []}', "SerializationException"),
        ("PutRecord", b'{"StreamName": 1}', "SerializationException"),
        ("PutRecord", b'{"StreamName": "x", "PartitionKey": "a", "Data": "%"}',
         "SerializationException"),
        ("CreateStream", b"{}", "ValidationException"),
        ("ListStreams", b'{"Limit": 1.5}', "SerializationException"),
        ("ListStreams", b'{"Limits": 1}', "NotEmulated"),
        ("Dance", b"{}", "UnknownOperationException"),
        ("", b"{}", "UnknownOperationException"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_gets_an_answer_that_says_so(
    aws: EmbeddedAws, operation: str, body: bytes, code: str
):
    lines = ("POST / HTTP/1.1", "Host: localhost", f"{TARGET}{operation}", JSON)
    reply = send(aws, request(*lines, body=body))
    assert (reply.status, json.loads(reply.body)["__type"]) == (400, code)


def test_requests_without_a_target_do_not_reach_motos_kinesis(aws: EmbeddedAws):
    scope = "Credential=a/20260101/us-east-1/kinesis/aws4_request"
    signed = f"Authorization: AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"
    reply = send(aws, request("POST / HTTP/1.1", "Host: localhost", signed, JSON, body=b"{}"))
    assert reply.status == 403
    assert "kinesis is not answered here" in reply.body


def test_eight_writers_over_http_lose_nothing(clients: Clients):
    clients("kinesis").create_stream(StreamName="crowd", ShardCount=4)

    def write(writer: int) -> None:
        for batch in range(10):
            names = [f"{writer}/{batch}/{n}" for n in range(50)]
            records = [{"Data": name.encode(), "PartitionKey": name} for name in names]
            clients("kinesis").put_records(StreamName="crowd", Records=records)

    with ThreadPoolExecutor(8) as writers:
        list(writers.map(write, range(8)))
    found = read_all(clients("kinesis"), "crowd")
    assert len(found) == len(set(found)) == 8 * 10 * 50


def test_a_connection_serves_many_calls(aws: EmbeddedAws):
    body = b'{"Limit": 1}'
    one = "\r\n".join(
        ["POST / HTTP/1.1", "Host: localhost", f"{TARGET}ListStreams", JSON,
         f"Content-Length: {len(body)}", "", ""]
    ).encode() + body  # fmt: skip
    last = request("POST / HTTP/1.1", "Host: localhost", f"{TARGET}ListStreams", JSON, body=body)
    assert send(aws, one * 3 + last).text.count("HTTP/1.1 200 OK") == 4


def test_the_rest_is_refused_by_its_own_error(clients: Clients):
    with pytest.raises(ClientError, match="E502 the embedded Kinesis does not do"):
        clients("kinesis").enable_enhanced_monitoring(
            StreamName="orders", ShardLevelMetrics=["ALL"]
        )
