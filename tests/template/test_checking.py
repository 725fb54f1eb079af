"""What `validate` finds beyond single values: where it is in the template, and what to paste."""

from __future__ import annotations

from pathlib import Path

import pytest
from writing import loaded, written

from esm.template import load
from esm.template.checking import check

NOW_MS = 1_767_300_000_000
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:brokers"
CLUSTER = "arn:aws:kafka:us-east-1:123456789012:cluster/orders/1-1"


def found(folder: Path, text: str) -> list[tuple[str, int | None, int | None, str | None]]:
    """Code, line, column and fix of every complaint."""
    errors = check(loaded(folder, text), now_ms=NOW_MS)
    places = [(e.place.line, e.place.column) if e.place else (None, None) for e in errors]
    return [(e.esm_code, *place, e.fix) for e, place in zip(errors, places, strict=True)]


def of_event(folder: Path, kind: str, properties: str) -> list[tuple[str, str | None]]:
    """Code and fix of what is wrong with an event."""
    text = f"""
    Resources:
      Orders: {{Type: AWS::Kinesis::Stream}}
      Items: {{Type: AWS::DynamoDB::Table, Properties: {{StreamSpecification: {{}}}}}}
      Fn:
        Type: AWS::Serverless::Function
        Properties: {{Events: {{In: {{Type: {kind}, Properties: {{{properties}}}}}}}}}
    """
    return [(code, fix) for code, _, _, fix in found(folder, text)]


def of_mapping(folder: Path, properties: str) -> list[tuple[str, str | None]]:
    """Code and fix of what is wrong with a mapping of its own."""
    text = f"""
    Resources:
      Orders: {{Type: AWS::Kinesis::Stream}}
      Items: {{Type: AWS::DynamoDB::Table, Properties: {{StreamSpecification: {{}}}}}}
      In:
        Type: AWS::Lambda::EventSourceMapping
        Properties: {{FunctionName: f, {properties}}}
    """
    return [(code, fix) for code, _, _, fix in found(folder, text)]


# --- Kafka: each value at its own place -----------------------------------------------------------


def test_kafkas_values_in_an_event_have_their_places(tmp_path: Path):
    text = f"""
    Resources:
      Fn:
        Type: AWS::Serverless::Function
        Properties:
          Timeout: 900
          Events:
            In:
              Type: SelfManagedKafka
              Properties:
                KafkaBootstrapServers:
                  - broker.lan:9092
                  - broker
                Topics: [orders]
                ConsumerGroupId: a;b
                SchemaRegistryConfig:
                  SchemaRegistryURI: http://registry
                  EventRecordFormat: JSON
                  SchemaValidationConfigs: [{{Attribute: VALUE}}]
                ProvisionedPollerConfig:
                  MinimumPollers: "3"
                  MaximumPollers: 2
                SourceAccessConfigurations:
                  - Type: BASIC_AUTH
                    URI: {SECRET}
                  - Type: VPC_SUBNET
                    URI: subnet-1
                DestinationConfig:
                  OnFailure:
                    Destination: kafka://orders
    """
    assert found(tmp_path, text) == [
        ("E235", 5, 16, "Timeout: 840"),
        ("E207", 12, 17, 'KafkaBootstrapServers: ["broker:9092"]'),
        ("E207", 14, 30, 'ConsumerGroupId: "orders"'),
        ("E219", 20, 31, "MinimumPollers: 2"),
        ("E232", 26, 22, 'URI: "subnet:subnet-0123456789abcdef0"'),
        ("E234", 29, 30, 'Destination: "kafka://orders-failures"'),
    ]


def test_kafkas_values_in_a_mapping_have_their_places(tmp_path: Path):
    text = f"""
    Resources:
      Brokers:
        Type: AWS::Lambda::EventSourceMapping
        Properties:
          FunctionName: f
          SelfManagedEventSource:
            Endpoints:
              KafkaBootstrapServers: [broker]
          Topics: [orders]
          SelfManagedKafkaEventSourceConfig:
            ConsumptionMode: Queue
          StartingPosition: LATEST
          MaximumRetryAttempts: 5
      Cluster:
        Type: AWS::Lambda::EventSourceMapping
        Properties:
          FunctionName: f
          EventSourceArn: {CLUSTER}
          StartingPosition: LATEST
          Topics: [orders]
          SourceAccessConfigurations: [{{Type: BASIC_AUTH, URI: "{SECRET}"}}]
    """
    assert found(tmp_path, text) == [
        ("E216", 2, 3, ACCESS),
        ("E207", 8, 35, 'KafkaBootstrapServers: ["broker:9092"]'),
        ("E218", 12, 7, "remove StartingPosition"),
        ("E227", 13, 29, 'ProvisionedPollerConfig: {"MinimumPollers": 1}'),
        ("E231", 21, 43, 'Type: "SASL_SCRAM_512_AUTH"'),
    ]


ACCESS = f'SourceAccessConfigurations: [{{"Type": "SASL_SCRAM_512_AUTH", "URI": "{SECRET}"}}]'


def test_what_only_a_deployment_knows_is_not_judged(tmp_path: Path):
    text = """
    Parameters:
      Brokers: {Type: CommaDelimitedList}
      Topic: {Type: String}
    Resources:
      In:
        Type: AWS::Lambda::EventSourceMapping
        Properties:
          FunctionName: f
          SelfManagedEventSource: {Endpoints: {KafkaBootstrapServers: !Ref Brokers}}
          Topics: [!Ref Topic]
          SourceAccessConfigurations: [{Type: IAM_AUTH}]
    """
    assert [code for code, *_ in found(tmp_path, text)] == ["E112", "E112"]


def test_brokers_under_the_apis_name(tmp_path: Path):
    properties = (
        "SelfManagedEventSource: {Endpoints: {KAFKA_BOOTSTRAP_SERVERS: ['a:1']}}, "
        "Topics: [orders], SourceAccessConfigurations: [{Type: IAM_AUTH}]"
    )
    assert of_mapping(tmp_path, properties) == [("E140", "KafkaBootstrapServers: [a:1]")]


# --- sources --------------------------------------------------------------------------------------

LATEST = "StartingPosition: LATEST"


@pytest.mark.parametrize(
    ("kind", "stream", "errors"),
    [
        ("Kinesis", "!GetAtt Items.StreamArn", [("E142", "Type: DynamoDB")]),
        ("DynamoDB", "!GetAtt Orders.Arn", [("E142", "Type: Kinesis")]),
        ("Kinesis", f'"{CLUSTER}", Topics: [orders]', [("E142", "Type: MSK")]),
        (
            "Kinesis",
            '"arn:aws:sqs:us-east-1:123456789012:orders"',
            [("E142", "Type: SQS")],
        ),
        ("DynamoDB", "!GetAtt Items.Arn", [("E210", "Stream: !GetAtt Items.StreamArn")]),
        (
            "Kinesis",
            "!GetAtt Items.Arn",
            [("E142", "Type: DynamoDB"), ("E210", "Stream: !GetAtt Items.StreamArn")],
        ),
        ("Kinesis", '"arn:aws:kinesis:us-east-1:123456789012:stream/s/consumer/c:1"', []),
        (
            "Kinesis",
            '"arn:aws:kinesis:us-east-1:123456789012:stream/s/consumer/c"',
            [("E210", "Stream: !GetAtt Orders.Arn")],
        ),
    ],
)
def test_a_source_is_what_its_type_says(tmp_path: Path, kind, stream, errors):
    assert sorted(of_event(tmp_path, kind, f"Stream: {stream}, {LATEST}")) == errors


def test_the_arn_of_a_table_is_told_from_that_of_its_stream(tmp_path: Path):
    text = """
    Resources:
      Items:
        Type: AWS::DynamoDB::Table
        Properties: {TableName: stock, StreamSpecification: {}}
      In:
        Type: AWS::Lambda::EventSourceMapping
        Properties:
          FunctionName: f
          EventSourceArn: !GetAtt Items.Arn
          StartingPosition: LATEST
    """
    [error] = check(loaded(tmp_path, text), now_ms=NOW_MS)
    assert (error.message, error.fix) == (
        "Unrecognized event source.",
        "EventSourceArn: !GetAtt Items.StreamArn",
    )
    assert error.detail is not None
    assert error.detail.startswith("this is the ARN of a table")


# --- what CloudFormation refuses ------------------------------------------------------------------

STREAM = f"Stream: !GetAtt Orders.Arn, {LATEST}"
SOURCE = f"EventSourceArn: !GetAtt Orders.Arn, {LATEST}"
QUEUE = '"arn:aws:sqs:us-east-1:123456789012:failures"'


@pytest.mark.parametrize(
    ("properties", "errors"),
    [
        ("BatchSize: ", [("E130", "remove BatchSize")]),
        ("FilterCriteria: {Filters: [{Pattern: }]}", [("E130", "remove Pattern")]),
        ("DestinationConfig: {}", [("E131", f"OnFailure: {{Destination: {QUEUE}}}")]),
        ("DestinationConfig: {OnFailure: {}}", [("E131", f"Destination: {QUEUE}")]),
        ("DestinationConfig: {OnFailure: {Type: SQS}}", [("E131", f"Destination: {QUEUE}")]),
        ("DestinationConfig: {OnFailure: {Destination: ''}}", []),
        ("BatchSise: !Ref AWS::Region", [("E140", "BatchSize: !Ref AWS::Region")]),
        ("BatchSise: !GetAtt [Orders, Arn]", [("E140", "BatchSize: !GetAtt Orders.Arn")]),
        (
            "FilterCriterion: {Filters: [{Pattern: '{}'}]}",
            [("E140", 'FilterCriteria: {Filters: [{Pattern: "{}"}]}')],
        ),
        (
            "KmsKeyArn: !GetAtt Orders.Arn",
            [("E237", 'KmsKeyArn: "arn:aws:kms:us-east-1:123456789012:key/1"')],
        ),
    ],
)
def test_an_events_value_that_is_none(tmp_path: Path, properties, errors):
    assert of_event(tmp_path, "Kinesis", f"{STREAM}, {properties}") == errors


@pytest.mark.parametrize(
    ("properties", "errors"),
    [
        ("Tags: {team: orders}", [("E130", "Tags: [{Key: team, Value: orders}]")]),
        ("Tags: [{Key: team}]", [("E131", "Value: orders")]),
        ("Tags: [{Key: '', Value: x}]", [("E206", 'Tags: [{"Key": "team", "Value": "orders"}]')]),
        ("Tags: [{Key: team, Value: orders}]", []),
        ("DestinationConfig: {}", []),
        ("DestinationConfig: {OnFailure: {}}", [("E131", f"Destination: {QUEUE}")]),
    ],
)
def test_a_mappings_value_that_is_none(tmp_path: Path, properties, errors):
    assert of_mapping(tmp_path, f"{SOURCE}, {properties}") == errors


def test_what_a_condition_leaves_out_is_no_mistake(tmp_path: Path):
    text = """
    Conditions: {Never: !Equals [a, b]}
    Resources:
      Orders: {Type: AWS::Kinesis::Stream}
      In:
        Type: AWS::Lambda::EventSourceMapping
        Properties:
          FunctionName: f
          EventSourceArn: !GetAtt Orders.Arn
          StartingPosition: LATEST
          BatchSize: !If [Never, 5, !Ref AWS::NoValue]
          DestinationConfig:
            OnFailure: !If [Never, {Destination: x}, !Ref AWS::NoValue]
    """
    assert found(tmp_path, text) == []


def test_fixes_of_a_json_template_are_json(tmp_path: Path):
    path = written(
        tmp_path,
        """
        {"Resources": {
          "Orders": {"Type": "AWS::Kinesis::Stream"},
          "In": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": {
            "FunctionName": "f",
            "EventSourceArn": {"Fn::GetAtt": ["Orders", "Arn"]},
            "StartingPosition": "LATEST",
            "BatchSise": {"Ref": "AWS::Region"}}}}}
        """,
        "template.json",
    )
    [error] = check(load(path), now_ms=NOW_MS)
    assert error.fix == '"BatchSize": {"Ref": "AWS::Region"}'


# --- mappings and names that meet -----------------------------------------------------------------


def test_the_same_stream_for_the_same_function(tmp_path: Path):
    text = """
    Resources:
      Orders: {Type: AWS::Kinesis::Stream}
      Fn:
        Type: AWS::Serverless::Function
        Properties:
          FunctionName: handle
          Events:
            In:
              Type: Kinesis
              Properties: {Stream: !GetAtt Orders.Arn, StartingPosition: LATEST}
            Again:
              Type: Kinesis
              Properties: {Stream: !GetAtt Orders.Arn, StartingPosition: TRIM_HORIZON}
      Once:
        Type: AWS::Lambda::EventSourceMapping
        Properties:
          FunctionName: !GetAtt Fn.Arn
          EventSourceArn: !GetAtt Orders.Arn
          StartingPosition: LATEST
      Other:
        Type: AWS::Lambda::EventSourceMapping
        Properties:
          FunctionName: !Sub "${Fn}:live"
          EventSourceArn: !GetAtt Orders.Arn
          StartingPosition: LATEST
    """
    first, second = check(loaded(tmp_path, text), now_ms=NOW_MS)
    assert first.place is not None
    assert second.place is not None
    assert (first.esm_code, first.place.line, first.place.column) == ("E236", 11, 9)
    assert (second.esm_code, second.place.line, second.place.column) == ("E236", 14, 3)
    assert first.message.startswith('The event source arn (" arn:aws:kinesis:')
    assert first.message.endswith(
        '") and function (" handle ") provided mapping already exists. Please update or delete '
        "the existing mapping with UUID ${FnIn}"
    )


def test_topics_that_overlap(tmp_path: Path):
    def event(servers: str, topic: str) -> str:
        return (
            f"{{Type: SelfManagedKafka, Properties: {{KafkaBootstrapServers: [{servers}], "
            f"Topics: [{topic}], SourceAccessConfigurations: [{{Type: IAM_AUTH}}]}}}}"
        )

    text = f"""
    Resources:
      Fn:
        Type: AWS::Serverless::Function
        Properties:
          Events:
            One: {event('"a:1", "b:2"', "orders")}
            Two: {event('"b:2", "c:3"', "orders")}
            Three: {event('"b:2"', "others")}
    """
    errors = check(loaded(tmp_path, text), now_ms=NOW_MS)
    [duplicate] = [error for error in errors if error.esm_code != "E290"]
    assert duplicate.place is not None
    assert (duplicate.esm_code, duplicate.place.line) == ("E236", 7)
    assert 'event source ("b:2,c:3"), function ("arn:aws:lambda:' in duplicate.message


def test_a_group_of_pollers_has_two_thousand_at_most(tmp_path: Path):
    def mapping(topic: str, pollers: str) -> str:
        return (
            f"{{Type: AWS::Lambda::EventSourceMapping, Properties: {{FunctionName: f, "
            f'EventSourceArn: "{CLUSTER}", StartingPosition: LATEST, Topics: [{topic}], '
            f"ProvisionedPollerConfig: {{{pollers}}}}}}}"
        )

    text = f"""
    Resources:
      One: {mapping("one", "PollerGroupName: g, MaximumPollers: 1800")}
      Two: {mapping("two", "PollerGroupName: g")}
      Three: {mapping("three", "PollerGroupName: g, MaximumPollers: 1")}
      Other: {mapping("other", "MaximumPollers: 2000")}
    """
    assert [(code, line) for code, line, *_ in found(tmp_path, text) if code != "E290"] == [
        ("E219", 4)
    ]


def test_names_that_aws_refuses(tmp_path: Path):
    text = """
    Resources:
      Orders:
        Type: AWS::Kinesis::Stream
        Properties:
          Name: my orders
      Signups: {Type: AWS::Kinesis::Stream, Properties: {Name: signups}}
      Others: {Type: AWS::Kinesis::Stream, Properties: {Name: signups}}
      Table: {Type: AWS::DynamoDB::Table, Properties: {TableName: ab}}
      Failures: {Type: AWS::SQS::Queue, Properties: {QueueName: a.b}}
      Told: {Type: AWS::SNS::Topic, Properties: {TopicName: a b}}
      Kept: {Type: AWS::S3::Bucket, Properties: {BucketName: Kept}}
      Fn:
        Type: AWS::Serverless::Function
        Properties:
          FunctionName: handle.orders
          AutoPublishAlias: !Sub "1"
          Events:
            In:
              Type: Kinesis
              Properties: {Stream: !GetAtt Signups.Arn, StartingPosition: LATEST}
      Twin: {Type: AWS::Lambda::Function, Properties: {FunctionName: f}}
      Twine: {Type: AWS::Lambda::Function, Properties: {FunctionName: f}}
    """
    assert [(c, line, fix) for c, line, _, fix in found(tmp_path, text)] == [
        ("E133", 5, "Name: my-orders"),
        ("E132", 7, "Name: signups-2"),
        ("E133", 8, "TableName: orders"),
        ("E133", 9, "QueueName: a-b"),
        ("E133", 10, "TopicName: a-b"),
        ("E133", 11, "BucketName: kept"),
        ("E133", 15, "FunctionName: handle-orders"),
        ("E133", 16, "AutoPublishAlias: orders"),
        ("E132", 22, "FunctionName: f-2"),
    ]


def test_a_malformed_function_in_a_mapping(tmp_path: Path):
    text = """
    Resources:
      In:
        Type: AWS::Lambda::EventSourceMapping
        Properties:
          FunctionName: handle:my live
          EventSourceArn: arn:aws:kinesis:us-east-1:123456789012:stream/s
          StartingPosition: LATEST
    """
    assert found(tmp_path, text) == [("E207", 5, 21, 'FunctionName: "orders-handler"')]
