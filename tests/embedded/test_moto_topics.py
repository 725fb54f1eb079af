"""What handlers publish to topics can be read, and topics can refuse it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from esm import Harness

TEMPLATE = """
Resources:
  Alerts:
    Type: AWS::SNS::Topic
    Properties:
      Subscription:
        - {Protocol: sqs, Endpoint: !GetAtt Inbox.Arn}
  Inbox:
    Type: AWS::SQS::Queue
"""


def publish(topic_arn: str, message: str = "hot", **more: Any) -> None:
    boto3.client("sns").publish(TopicArn=topic_arn, Message=message, **more)


def test_what_a_handler_publishes_is_in_the_topic_with_its_time(esm):
    readings, alerts = esm.kinesis("readings"), esm.topic("alerts")
    attributes = {
        "truck": {"DataType": "String", "StringValue": "truck-1"},
        "degrees": {"DataType": "Number", "StringValue": "91"},
    }
    esm.map(
        readings,
        lambda event, context: publish(
            alerts.arn, '{"hot": true}', Subject="Engine", MessageAttributes=attributes
        ),
    )
    esm.advance("5s")
    readings.put("a")
    esm.advance("1s")

    [notification] = alerts.published
    assert notification.at == esm.now
    assert notification.subject == "Engine"
    assert notification.json == {"hot": True}
    assert notification.attributes == {"truck": "truck-1", "degrees": "91"}
    assert alerts.messages == [], "those are invocation records of mappings"


def test_of_a_batch_each_entry_is_a_message(esm):
    alerts = esm.topic("alerts")
    entries = [{"Id": str(n), "Message": f"message {n}"} for n in range(3)]
    boto3.client("sns").publish_batch(TopicArn=alerts.arn, PublishBatchRequestEntries=entries)

    assert [each.message for each in alerts.published] == ["message 0", "message 1", "message 2"]
    assert esm.written() == {alerts.arn: 3}


def test_a_topic_that_is_told_to_fail_refuses_so_many_calls(esm):
    alerts = esm.topic("alerts")
    alerts.fail(times=2)
    for _ in range(2):
        with pytest.raises(ClientError, match=r"AuthorizationError.*was told to fail"):
            publish(alerts.arn)
    publish(alerts.arn)

    assert [each.message for each in alerts.published] == ["hot"]


def test_a_message_that_sns_does_not_take_is_not_there(esm):
    alerts = esm.topic("alerts")
    with pytest.raises(ClientError, match="Subject must be less than 100 characters"):
        publish(alerts.arn, Subject="x" * 101)

    assert alerts.published == []


def test_topics_of_a_template_are_found_by_their_logical_ids(esm, tmp_path: Path):
    template = tmp_path / "template.yaml"
    template.write_text(TEMPLATE)
    application = esm.template(template)
    alerts = application.topics["Alerts"]
    publish(alerts.arn)

    assert [each.message for each in alerts.published] == ["hot"]
    inbox = application.template.queues["Inbox"].name
    sqs = boto3.client("sqs")
    url = sqs.get_queue_url(QueueName=inbox)["QueueUrl"]
    assert len(sqs.receive_message(QueueUrl=url)["Messages"]) == 1, "subscribers get it, too"


def test_what_mappings_give_up_is_no_message_of_boto3(esm, tmp_path: Path):
    readings, alerts = esm.kinesis("readings"), esm.topic("alerts")
    mapping = esm.map(
        readings, lambda event, context: 1 / 0, maximum_retry_attempts=0, on_failure=alerts
    )
    readings.put("a")
    esm.drain()
    publish(alerts.arn)

    assert len(mapping.discarded) == len(alerts.messages) == 1
    assert [each.message for each in alerts.published] == ["hot"]


def test_two_worlds_do_not_hear_each_other():
    with Harness() as one, Harness() as other:
        topics = one.topic("alerts"), other.topic("alerts")
        publish(topics[1].arn)
        assert [len(topic.published) for topic in topics] == [0, 1]
