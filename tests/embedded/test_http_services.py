"""Everything beside streams and tables over HTTP: moto's services, models and warehouses."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import unquote_plus

import moto
import pytest
from botocore.exceptions import ClientError
from over_http import Clients, request, send, wait_for

from esm.embedded.aws import EmbeddedAws
from esm.embedded.http.messages import Answer, Request
from esm.embedded.http.queues import received

MODEL = {"kind": "linear", "features": ["x"], "intercept": 1.0, "coefficients": [2.0]}
ENDPOINT_ARN = "arn:aws:sagemaker:us-east-1:123456789012:endpoint/"


def post(aws: EmbeddedAws, said: object, kind: str = "application/json") -> tuple[int, Any]:
    lines = ("POST /_esm/resources HTTP/1.1", "Host: localhost", f"Content-Type: {kind}")
    reply = send(aws, request(*lines, body=json.dumps(said).encode()))
    return reply.status, json.loads(reply.body)


# --- what moto does ------------------------------------------------------------------------------


def test_a_topic_sends_to_its_queues(clients: Clients):
    queue = clients("sqs").create_queue(QueueName="heard")["QueueUrl"]
    topic = clients("sns").create_topic(Name="told")["TopicArn"]
    arn = "arn:aws:sqs:us-east-1:123456789012:heard"
    clients("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    clients("sns").publish(TopicArn=topic, Message="hello")
    (message,) = clients("sqs").receive_message(QueueUrl=queue)["Messages"]
    assert json.loads(message["Body"])["Message"] == "hello"


def test_a_bucket_tells_a_queue_of_its_objects(clients: Clients):
    s3, sqs = clients("s3"), clients("sqs")
    queue = sqs.create_queue(QueueName="objects")["QueueUrl"]
    s3.create_bucket(Bucket="told")
    arn = "arn:aws:sqs:us-east-1:123456789012:objects"
    wanted = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    s3.put_bucket_notification_configuration(Bucket="told", NotificationConfiguration=wanted)
    s3.put_object(Bucket="told", Key="a b/ü", Body=b"\x00\xff", Metadata={"my_key": "1"})
    bodies = [json.loads(m["Body"]) for m in
              sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]]  # fmt: skip
    (told,) = [body["Records"][0]["s3"]["object"]["key"] for body in bodies if "Records" in body]
    assert unquote_plus(told) == "a b/ü"
    read = s3.get_object(Bucket="told", Key="a b/ü")
    assert (read["Body"].read(), read["Metadata"]) == (b"\x00\xff", {"my_key": "1"})
    assert s3.head_object(Bucket="told", Key="a b/ü")["ContentLength"] == 2


def test_a_bucket_is_found_under_localhost_too(aws: EmbeddedAws):
    local = Clients(aws.url.replace("127.0.0.1", "localhost"))
    local("s3").create_bucket(Bucket="local")
    local("s3").put_object(Bucket="local", Key="a", Body=b"1")
    assert local("s3").get_object(Bucket="local", Key="a")["Body"].read() == b"1"
    local.close()


def test_a_queue_is_found_by_the_url_that_a_template_gives_it(clients: Clients):
    clients("sqs").create_queue(QueueName="by-url")
    url = "https://sqs.us-east-1.amazonaws.com/123456789012/by-url"
    clients("sqs").send_message(QueueUrl=url, MessageBody="hello")
    (message,) = clients("sqs").receive_message(QueueUrl=url)["Messages"]
    assert message["Body"] == "hello"


@pytest.mark.parametrize("by", ["call", "queue"])
def test_who_waits_for_messages_keeps_nobody_else_waiting(clients: Clients, by: str):
    sqs = clients("sqs")
    attributes = {"ReceiveMessageWaitTimeSeconds": "20"} if by == "queue" else {}
    queue = sqs.create_queue(QueueName=f"slow-{by}", Attributes=attributes)["QueueUrl"]
    wait = {} if by == "queue" else {"WaitTimeSeconds": 20}
    start = monotonic()
    with ThreadPoolExecutor(1) as other:
        waiting = other.submit(sqs.receive_message, QueueUrl=queue, **wait)
        sqs.send_message(QueueUrl=queue, MessageBody="now")
        (message,) = waiting.result()["Messages"]
    assert message["Body"] == "now"
    assert monotonic() - start < 5


def test_a_wait_ends_without_messages(clients: Clients):
    queue = clients("sqs").create_queue(QueueName="empty")["QueueUrl"]
    start = monotonic()
    answer = clients("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=1)
    assert "Messages" not in answer
    assert 0.9 < monotonic() - start < 4


def test_who_waits_is_let_go_when_the_server_stops():
    async def story() -> Answer:
        stopping = asyncio.Event()

        async def none_yet(_: Request) -> Answer:
            stopping.set()
            return Answer(200, b"{}")

        async def usual_wait_s(_: str) -> int:
            return 20

        target = (b"x-amz-target", b"AmazonSQS.ReceiveMessage")
        asked = Request("POST", b"/", b"", [target], b'{"QueueUrl": "q"}')
        return await asyncio.wait_for(received(asked, none_yet, usual_wait_s, stopping), 5)

    assert asyncio.run(story()).body == b"{}"


def test_the_older_form_of_queue_calls_is_understood(aws: EmbeddedAws, clients: Clients):
    queue = clients("sqs").create_queue(QueueName="older")["QueueUrl"]
    clients("sqs").send_message(QueueUrl=queue, MessageBody="by form")
    scope = "Credential=a/20260101/us-east-1/sqs/aws4_request"
    signed = f"Authorization: AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"
    form = "Content-Type: application/x-www-form-urlencoded"
    body = f"Action=ReceiveMessage&Version=2012-11-05&QueueUrl={queue}&WaitTimeSeconds=20"
    lines = ("POST / HTTP/1.1", "Host: localhost", signed, form)
    assert "<Body>by form</Body>" in send(aws, request(*lines, body=body.encode())).body


def test_two_servers_know_nothing_of_each_other_nor_of_a_mock(clients: Clients):
    clients("sqs").create_queue(QueueName="mine")
    with EmbeddedAws(port=0) as other, moto.mock_aws():
        others = Clients(other.url)
        assert "QueueUrls" not in others("sqs").list_queues()
        others.close()
    urls = clients("sqs").list_queues(QueueNamePrefix="mine")["QueueUrls"]
    assert [url.rpartition("/")[2] for url in urls] == ["mine"]


CALLS: dict[str, Callable[[Any], Any]] = {
    "cloudformation": lambda client: client.list_stacks(),
    "lambda": lambda client: client.list_event_source_mappings(),
    "bedrock-runtime": lambda client: client.converse(modelId="m", messages=[]),
}


@pytest.mark.parametrize("service", CALLS)
def test_what_would_go_past_us_is_refused_in_its_own_protocol(clients: Clients, service: str):
    with pytest.raises(ClientError) as refused:
        CALLS[service](clients(service))
    assert refused.value.response["Error"]["Code"] == "NotEmulated"


def test_a_service_that_nobody_knows_is_named(aws: EmbeddedAws, capsys: pytest.CaptureFixture[str]):
    scope = "Credential=a/20260101/us-east-1/teleport/aws4_request"
    signed = f"Authorization: AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"
    reply = send(aws, request("POST / HTTP/1.1", "Host: localhost", signed))
    assert "teleport is not answered here: moto does not know it" in reply.body
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("Authorization: garbage", "IncompleteSignature"),
        (
            "Authorization: AWS4-HMAC-SHA256 "
            "Credential=a/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host",
            "IncompleteSignature",
        ),
        ("X-Amz-Target: Kinesis_20131202", "UnknownOperationException"),
        ("X-Amz-Target: .", "UnknownOperationException"),
    ],
)
def test_a_request_for_nobody_is_told_so(aws: EmbeddedAws, line: str, code: str):
    reply = send(aws, request("POST / HTTP/1.1", "Host: localhost", line))
    assert reply.status == 400
    assert code in reply.body


def test_a_mistake_of_ours_is_told_and_the_server_goes_on(
    clients: Clients, aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch
):
    def breaks(*_: object) -> None:
        raise ZeroDivisionError("of ours")

    monkeypatch.setattr("esm.embedded.kinesis_streams.Account.open_shards", breaks)
    with pytest.raises(ClientError, match="ZeroDivisionError: of ours") as failed:
        clients("kinesis").describe_limits()
    assert failed.value.response["Error"]["Code"] == "InternalFailure"
    assert clients("kinesis").list_streams()["StreamNames"] == list(aws.streams)


# --- models and warehouses -----------------------------------------------------------------------


@pytest.fixture
def model(aws: EmbeddedAws, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """An endpoint that serves a model file."""
    file, name = tmp_path / "model.json", f"prices-{request.node.name}"[:60]
    file.write_text(json.dumps(MODEL))
    arn = f"{ENDPOINT_ARN}{name.lower()}"
    said = {"endpoints": [{"name": name, "arn": arn, "model": str(file)}]}
    assert post(aws, said) == (200, {"made": [arn]})
    assert post(aws, said) == (200, {"made": []})
    return name


def test_a_model_is_asked(clients: Clients, model: str):
    answer = clients("sagemaker-runtime").invoke_endpoint(
        EndpointName=model, Body=b'{"instances": [{"x": 3}]}', ContentType="application/json"
    )
    assert json.loads(answer["Body"].read())["predictions"] == [{"score": 7.0}]
    assert answer["ContentType"] == "application/json"
    assert answer["InvokedProductionVariant"] == "AllTraffic"


def test_what_a_model_cannot_read_is_its_error(clients: Clients, model: str):
    runtime = clients("sagemaker-runtime")
    with pytest.raises(runtime.exceptions.ModelError) as refused:
        runtime.invoke_endpoint(
            EndpointName=model, Body=b'{"instances": [{}]}', ContentType="application/json"
        )
    answer = refused.value.response
    assert answer["OriginalStatusCode"] == 400
    assert "feature 'x' is missing" in answer["OriginalMessage"]


def test_an_endpoint_that_nobody_made_is_awss_error(clients: Clients):
    with pytest.raises(ClientError, match="Endpoint nobody of account 123456789012 not found"):
        clients("sagemaker-runtime").invoke_endpoint(EndpointName="nobody", Body=b"")


def test_a_slow_model_keeps_no_stream_waiting(clients: Clients, aws: EmbeddedAws, model: str):
    go_on = threading.Event()
    endpoint = aws.models[model]
    endpoint.model = lambda _: {"waited": go_on.wait(10)}
    with ThreadPoolExecutor(1) as other:
        slow = other.submit(
            clients("sagemaker-runtime").invoke_endpoint,
            EndpointName=model, Body=b"{}", ContentType="application/json",
        )  # fmt: skip
        wait_for(lambda: aws.models[model].calls or clients("kinesis").list_streams())
        clients("sqs").list_queues()
        assert not slow.done()
        go_on.set()
        assert json.loads(slow.result()["Body"].read()) == {"waited": True}


def test_a_warehouse_loads_from_the_buckets_beside_it(
    clients: Clients, aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("esm.embedded.http.own_pages.PAGE", 2)
    arn = "arn:aws:redshift:us-east-1:123456789012:cluster:house"
    said = {"warehouses": [{"name": "house", "arn": arn, "database": "dev"}]}
    assert post(aws, said) == (200, {"made": [arn]})
    clients("s3").create_bucket(Bucket="loads")
    for n in range(3):
        clients("s3").put_object(Bucket="loads", Key=f"in/{n}.json", Body=b'{"x": %d}' % n)
    data, place = clients("redshift-data"), {"ClusterIdentifier": "house", "Database": "dev"}

    def run(sql: str) -> Any:
        sent = data.execute_statement(Sql=sql, **place)["Id"]
        done = data.describe_statement(Id=sent)
        assert done["Status"] == "FINISHED", done.get("Error")
        return sent

    run("CREATE TABLE t (x INT)")
    run("COPY t FROM 's3://loads/in/' IAM_ROLE default FORMAT JSON 'auto'")
    result = data.get_statement_result(Id=run("SELECT x FROM t ORDER BY x"))
    assert [row[0]["longValue"] for row in result["Records"]] == [0, 1, 2]


# --- what is said in our own way -----------------------------------------------------------------


def test_health_tells_who_is_there(aws: EmbeddedAws):
    reply = send(aws, request("GET /_esm/health HTTP/1.1", "Host: localhost"))
    said = json.loads(reply.body)
    assert said.keys() == {"esm", "incarnation", "pid", "startedAt"}
    assert said["incarnation"] == aws.incarnation


@pytest.mark.parametrize(
    ("said", "kind", "status"),
    [
        ({}, "text/plain", 415),
        ({}, "application/x-www-form-urlencoded", 415),
        ([], "application/json", 400),
        ({"endpoint": []}, "application/json", 400),
        ({"endpoints": [{"name": "x"}]}, "application/json", 400),
        ({"warehouses": [{"name": "x", "arn": "x", "database": "x"}]}, "application/json", 400),
        ({"arns": ["arn:aws:kinesis"]}, "application/json", 400),
        ({"arns": ["arn:aws:kinesis:us-east-1:1:stream/nobody"]}, "application/json", 200),
        ({}, "application/json", 200),
    ],
)
def test_resources_are_taken_in_one_form(aws: EmbeddedAws, said: object, kind: str, status: int):
    assert post(aws, said, kind)[0] == status


def test_other_pages_of_ours_are_not_buckets(aws: EmbeddedAws):
    reply = send(aws, request("GET /_esm/secrets HTTP/1.1", "Host: localhost"))
    assert (reply.status, json.loads(reply.body)["message"]) == (
        404,
        "known here: GET /_esm/health, POST /_esm/resources",
    )
