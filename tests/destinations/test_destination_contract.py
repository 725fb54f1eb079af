"""What every on-failure destination promises."""

import pickle

import pytest

from esm.destinations.memory import Bucket, Queue, Topic
from esm.ports import DeliveryFailed

RECORD = {
    "requestContext": {"condition": "RetryAttemptsExhausted", "approximateInvokeCount": 2},
    "responseContext": None,
    "version": "1.0",
    "KinesisBatchInfo": {"batchSize": 1, "shardId": "shardId-000000000000 ✓"},
}


@pytest.fixture(params=[Queue, Topic, Bucket])
def destination(request):
    return request.param("orders-dlq")


def test_what_is_delivered_can_be_read(destination):
    destination.deliver("one", RECORD, 0)
    destination.deliver("two", {**RECORD, "version": "2.0"}, 1_000)

    assert destination.messages == [RECORD, {**RECORD, "version": "2.0"}]


def test_what_is_read_is_a_copy(destination):
    destination.deliver("one", RECORD, 0)

    destination.messages[0]["KinesisBatchInfo"].clear()

    assert destination.messages == [RECORD]


def test_what_is_delivered_is_kept_as_it_was(destination):
    record = {"version": "1.0", "nested": {"a": 1}}
    destination.deliver("one", record, 0)

    record["nested"]["a"] = 2

    assert destination.messages == [{"version": "1.0", "nested": {"a": 1}}]


def test_told_to_fail_it_refuses_so_many_deliveries(destination):
    destination.fail(times=2)

    for _ in range(2):
        with pytest.raises(DeliveryFailed, match=f"{destination.arn} was told to fail"):
            destination.deliver("one", RECORD, 0)
    destination.deliver("one", RECORD, 0)

    assert destination.messages == [RECORD]


def test_told_to_fail_without_a_number_it_refuses_one(destination):
    destination.fail()

    with pytest.raises(DeliveryFailed):
        destination.deliver("one", RECORD, 0)
    destination.deliver("one", RECORD, 0)

    assert len(destination.messages) == 1


def test_it_cannot_fail_a_negative_number_of_times(destination):
    with pytest.raises(ValueError, match="E447  times cannot be negative: -1"):
        destination.fail(times=-1)


def test_it_knows_whether_anybody_looked(destination):
    destination.deliver("one", RECORD, 0)
    repr(destination)
    assert not destination.looked

    _ = destination.messages

    assert destination.looked


def test_it_can_be_pickled(destination):
    destination.deliver("one", RECORD, 0)

    copy = pickle.loads(pickle.dumps(destination))

    assert copy.messages == [RECORD]


@pytest.mark.parametrize(
    ("kind", "name", "arn"),
    [
        (Queue, "dlq", "arn:aws:sqs:us-east-1:123456789012:dlq"),
        (Queue, "dlq.fifo", "arn:aws:sqs:us-east-1:123456789012:dlq.fifo"),
        (Topic, "alarms", "arn:aws:sns:us-east-1:123456789012:alarms"),
        (Topic, "alarms.fifo", "arn:aws:sns:us-east-1:123456789012:alarms.fifo"),
        (Bucket, "failures", "arn:aws:s3:::failures"),
    ],
)
def test_its_arn_is_what_a_mapping_names(kind, name, arn):
    assert kind(name).arn == arn


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        (Queue, "Queue('dlq', messages=1)"),
        (Topic, "Topic('dlq', messages=1)"),
        (Bucket, "Bucket('dlq', objects=1)"),
    ],
)
def test_its_repr_says_how_much_it_holds(kind, shown):
    destination = kind("dlq")
    destination.deliver("one", RECORD, 0)

    assert repr(destination) == shown


def test_only_a_bucket_wants_the_event_itself():
    assert [kind("x").wants_payload for kind in (Queue, Topic, Bucket)] == [False, False, True]


def test_a_bucket_keeps_objects_by_key():
    bucket = Bucket("failures")
    bucket.deliver("aws/lambda/one", {"payload": '{"Records":[]}'}, 0)
    assert not bucket.looked

    assert bucket.objects == {"aws/lambda/one": {"payload": '{"Records":[]}'}}
    assert bucket.looked


def test_what_came_since_can_be_taken_without_looking(destination):
    destination.deliver("one", RECORD, 0)
    destination.deliver("two", {}, 0)

    assert destination.since(1) == [("two", b"{}")]
    assert destination.since(2) == []
    assert not destination.looked


def test_who_reads_it_in_another_way_looks(destination):
    destination.look()

    assert destination.looked
