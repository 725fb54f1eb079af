"""On-failure destinations behind an endpoint: a queue, a topic and a bucket, over HTTP."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import boto3
import pytest
from botocore.config import Config
from scripted_server import RESET, Reply, Step, scripted

from esm.destinations.retrying import Retrying
from esm.destinations.s3 import S3Destination
from esm.destinations.sns import SnsDestination
from esm.destinations.sqs import SqsDestination
from esm.embedded.aws import EmbeddedAws
from esm.ports import DeliveryFailed, Destination
from esm.wiring import destination_live

ACCOUNT = "123456789012"
RECORD = {
    "requestContext": {"condition": "RetryAttemptsExhausted", "approximateInvokeCount": 2},
    "responseContext": None,
    "version": "1.0",
    "KinesisBatchInfo": {"batchSize": 1, "shardId": "shardId-000000000000 ✓"},
    "payload": '{"Records":[]}',
}
ARNS = {
    "sqs": f"arn:aws:sqs:eu-west-1:{ACCOUNT}:dlq",
    "sns": f"arn:aws:sns:eu-west-1:{ACCOUNT}:dlq",
    "s3": "arn:aws:s3:::dlq",
}
QUEUE, TOPIC, BUCKET = ARNS.values()
numbers = count(1)


def client_at(url: str) -> Callable[[str, str], Any]:
    """boto3's clients of an endpoint, which ask once."""

    def make(service: str, region: str) -> Any:
        return boto3.client(
            service,
            region_name=region or "eu-west-1",
            endpoint_url=url,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=2),
        )

    return make


def live(arn: str, url: str) -> Destination:
    """What is made of an ARN, when it has one try."""
    destination = destination_live(arn, client_at(url), wait=lambda _: False)
    assert destination is not None
    return destination


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    """A whole AWS on loopback."""
    with EmbeddedAws(port=0) as server:
        yield server.url


class Place:
    """A queue, topic or bucket that exists, by what one writes to and reads from it."""

    def __init__(self, service: str, url: str) -> None:
        self._clients = client_at(url)
        name = f"dlq-{next(numbers)}"
        self.arn = ARNS[service].replace("dlq", name)
        self.destination = live(self.arn, url)
        getattr(self, f"_make_{service}")(name)

    def _make_sqs(self, name: str) -> None:
        self._sqs = self._clients("sqs", "")
        self._url = self._sqs.create_queue(QueueName=name)["QueueUrl"]

    def _make_sns(self, name: str) -> None:
        """What is published is seen by a queue that listens."""
        self._make_sqs(name)
        sns = self._clients("sns", "")
        sns.create_topic(Name=name)
        queue = self.arn.replace(":sns:", ":sqs:")
        sns.subscribe(
            TopicArn=self.arn, Protocol="sqs", Endpoint=queue,
            Attributes={"RawMessageDelivery": "true"},
        )  # fmt: skip

    def _make_s3(self, name: str) -> None:
        self._s3 = self._clients("s3", "")
        where = {"LocationConstraint": "eu-west-1"}
        self._s3.create_bucket(Bucket=name, CreateBucketConfiguration=where)

    def bodies(self) -> list[str]:
        """What it holds, as text."""
        name = self.arn.rpartition(":")[2]
        if self.arn.startswith("arn:aws:s3"):
            keys = [each["Key"] for each in self._s3.list_objects_v2(Bucket=name)["Contents"]]
            return [self._s3.get_object(Bucket=name, Key=k)["Body"].read().decode() for k in keys]
        answer = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10)
        return [message["Body"] for message in answer.get("Messages", [])]


@pytest.fixture(params=list(ARNS))
def place(request: pytest.FixtureRequest, aws: str) -> Place:
    return Place(request.param, aws)


def test_what_is_delivered_can_be_read(place: Place):
    place.destination.deliver("a/one", RECORD, 0)
    place.destination.deliver("a/two", {**RECORD, "version": "2.0"}, 1_000)

    records = sorted((json.loads(body) for body in place.bodies()), key=lambda r: r["version"])
    assert records == [RECORD, {**RECORD, "version": "2.0"}]


def test_it_is_known_by_its_arn(place: Place):
    assert place.destination.arn == place.arn
    assert f"Destination('{place.arn}')" in repr(place.destination)


def test_only_a_bucket_wants_the_event_itself(aws: str):
    wants = {arn: live(arn, aws).wants_payload for arn in ARNS.values()}
    assert wants == {QUEUE: False, TOPIC: False, BUCKET: True}


def test_a_bucket_has_the_object_under_its_key(aws: str):
    place = Place("s3", aws)
    key = "aws/lambda/1-2/shardId-000000000000/2026/01/31/2026-01-31T12.00.00-ab"

    place.destination.deliver(key, RECORD, 0)

    s3, bucket = client_at(aws)("s3", ""), place.arn.rpartition(":")[2]
    assert [each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]


@pytest.mark.parametrize(
    ("arn", "kind"), [(QUEUE, SqsDestination), (TOPIC, SnsDestination), (BUCKET, S3Destination)]
)
def test_an_arn_says_which_it_is(arn: str, kind: type, aws: str):
    assert repr(live(arn, aws)) == f"Retrying({kind.__name__}('{arn}'), attempts=8)"


@pytest.mark.parametrize("arn", ["arn:aws:lambda:eu-west-1:123456789012:function:f", "", "dlq"])
def test_nothing_else_is_a_destination(arn: str):
    def never(service: str, region: str) -> Any:
        raise AssertionError((service, region))

    assert destination_live(arn, never, wait=Waiting()) is None


def test_clients_are_of_the_region_that_the_arn_names(aws: str):
    asked = []

    def make(service: str, region: str) -> Any:
        asked.append((service, region))
        return client_at(aws)(service, region)

    for arn in ARNS.values():
        destination_live(arn, make, wait=Waiting())
    assert asked == [("sqs", "eu-west-1"), ("sns", "eu-west-1"), ("s3", "")]


# --- what cannot be mended by trying again -------------------------------------------------------


def failure_of(arn: str, url: str) -> DeliveryFailed:
    with pytest.raises(DeliveryFailed) as failed:
        live(arn, url).deliver("one", RECORD, 0)
    return failed.value


@pytest.mark.parametrize(
    ("service", "said"),
    [("sqs", "NonExistentQueue"), ("sns", "NotFound"), ("s3", "NoSuchBucket")],
)
def test_what_does_not_exist_is_not_tried_again(service: str, said: str, aws: str):
    arn = ARNS[service].replace("dlq", "nobody-made-it")
    failure = failure_of(arn, aws)
    assert failure.fatal
    assert said in str(failure)
    assert str(failure).startswith(arn)


def test_what_is_too_large_for_the_queue_is_not_tried_again(aws: str):
    place = Place("sqs", aws)
    with pytest.raises(DeliveryFailed) as failed:
        place.destination.deliver("one", {"payload": "x" * 1_048_576}, 0)
    assert failed.value.fatal


DENIED = {
    "sqs": '{"__type": "com.amazonaws.sqs#AccessDenied", "message": "no"}',
    "sns": "<ErrorResponse><Error><Code>AuthorizationError</Code><Message>no</Message></Error>"
    "</ErrorResponse>",
    "s3": "<Error><Code>AccessDenied</Code><Message>no</Message></Error>",
}


@pytest.mark.parametrize("service", ARNS)
def test_who_may_not_write_there_may_not_later_either(service: str):
    with scripted(Reply(403, DENIED[service])) as server:
        failure = failure_of(ARNS[service], server.url)
    assert failure.fatal
    assert str(failure).endswith(": no")


# --- what may be ---------------------------------------------------------------------------------

THROTTLED = {
    "sqs": '{"__type": "com.amazonaws.sqs#RequestThrottled", "message": "slow down"}',
    "sns": "<ErrorResponse><Error><Code>Throttling</Code><Message>slow down</Message></Error>"
    "</ErrorResponse>",
    "s3": "<Error><Code>SlowDown</Code><Message>slow down</Message></Error>",
}


@pytest.mark.parametrize("service", ARNS)
@pytest.mark.parametrize("trouble", [Reply(500, ""), Reply(503, "<html>busy</html>"), RESET])
def test_a_server_in_trouble_may_be_well_later(service: str, trouble: Step):
    with scripted(trouble) as server:
        assert not failure_of(ARNS[service], server.url).fatal


@pytest.mark.parametrize("arn", [QUEUE, TOPIC])
@pytest.mark.parametrize("body", ["{", "", "<PublishResponse>", "<html>hello</html>"])
def test_an_answer_that_was_cut_may_be_whole_later(arn: str, body: str):
    with scripted(Reply(200, body, cut=True)) as server:
        assert not failure_of(arn, server.url).fatal


@pytest.mark.parametrize("service", ARNS)
def test_too_many_calls_are_fewer_later(service: str):
    with scripted(Reply(400, THROTTLED[service])) as server:
        failure = failure_of(ARNS[service], server.url)
    assert not failure.fatal
    assert "slow down" in str(failure)


@pytest.mark.parametrize("arn", ARNS.values())
def test_a_server_that_is_not_there_may_come_back(arn: str):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        failure = failure_of(arn, f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert not failure.fatal
    assert "Could not connect" in str(failure)


# --- trying again --------------------------------------------------------------------------------


class Waiting:
    """Writes down how long was waited; `stop_at` is the wait during which the run is stopped."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.seconds: list[float] = []
        self._stop_at = stop_at

    def __call__(self, seconds: float) -> bool:
        self.seconds.append(seconds)
        return len(self.seconds) != self._stop_at


def queue(url: str) -> SqsDestination:
    return SqsDestination(QUEUE, client_at(url)("sqs", "eu-west-1"))


URL = '{"QueueUrl": "https://sqs.eu-west-1.amazonaws.com/123456789012/dlq"}'
SENT = '{"MessageId": "1"}'


def test_a_queue_that_fails_twice_gets_the_message_the_third_time():
    wait, told = Waiting(), list[str]()
    with scripted(Reply(500), Reply(200, URL), RESET, Reply(200, SENT)) as server:
        retrying = Retrying(queue(server.url), first_ms=100, wait=wait, tell=told.append)
        retrying.deliver("one", RECORD, 0)
        bodies = [json.loads(body) for _, body in server.asked]

    assert wait.seconds == [0.1, 0.2]
    assert len(told) == 1
    assert json.loads(bodies[-1]["MessageBody"]) == RECORD


def test_the_url_of_a_queue_is_asked_for_once_with_its_owner():
    with scripted(Reply(200, URL), Reply(200, SENT)) as server:
        destination = live(QUEUE, server.url)
        for _ in range(3):
            destination.deliver("one", RECORD, 0)
        bodies = [json.loads(body) for _, body in server.asked]

    assert bodies[0] == {"QueueName": "dlq", "QueueOwnerAWSAccountId": ACCOUNT}
    assert ["MessageBody" in body for body in bodies] == [False, True, True, True]


def test_after_so_many_tries_it_is_given_up():
    wait = Waiting()
    with scripted(Reply(500, '{"message": "down"}')) as server:
        retrying = Retrying(queue(server.url), attempts=4, first_ms=100, cap_ms=150, wait=wait)
        with pytest.raises(DeliveryFailed, match=r"down \(tried 4 times\)$") as failed:
            retrying.deliver("one", RECORD, 0)

    assert failed.value.fatal
    assert wait.seconds == [0.1, 0.15, 0.15]


def test_what_cannot_be_mended_is_tried_once():
    wait = Waiting()
    with scripted(Reply(403, DENIED["sqs"])) as server:
        with pytest.raises(DeliveryFailed, match="AccessDenied"):
            Retrying(queue(server.url), wait=wait).deliver("one", RECORD, 0)
        assert len(server.asked) == 1
    assert wait.seconds == []


def test_a_run_that_is_stopped_does_not_give_a_delivery_up():
    wait = Waiting(stop_at=2)
    with scripted(Reply(500)) as server:
        with pytest.raises(DeliveryFailed) as failed:
            Retrying(queue(server.url), wait=wait).deliver("one", RECORD, 0)
        assert len(server.asked) == 2
    assert not failed.value.fatal


def test_the_waits_end_within_half_a_minute():
    wait = Waiting()
    with scripted(Reply(500)) as server, pytest.raises(DeliveryFailed):
        Retrying(queue(server.url), wait=wait).deliver("one", RECORD, 0)
    assert 20 < sum(wait.seconds) < 30


def test_it_is_the_destination_that_it_tries():
    with scripted(Reply(500)) as server:
        bucket = live(BUCKET, server.url)
    assert (bucket.arn, bucket.wants_payload) == (BUCKET, True)
