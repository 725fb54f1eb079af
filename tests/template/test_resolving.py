"""What a template says once its functions and conditions are worked out."""

from __future__ import annotations

from pathlib import Path

import pytest
from writing import DEPLOYMENT, loaded, refused, written

from esm.errors import TemplateError
from esm.mapping import create
from esm.template import Deployment, SourceKind, Template, load
from esm.template.checking import check

NOW_MS = 1_767_300_000_000
ACCOUNT = "us-east-1:123456789012"
SHOP = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String, Default: test, AllowedValues: [test, production]}
  Size: {Type: Number, Default: 25}
  Token: {Type: String, NoEcho: true, Default: hush}
  Shards: {Type: CommaDelimitedList, Default: "3, 5"}
Mappings:
  PerStage:
    test: {window: 0}
    production: {window: 60}
Conditions:
  IsProduction: !Equals [!Ref Stage, production]
  IsTest: !Not [!Condition IsProduction]
  IsEither: !Or [!Condition IsProduction, !And [!Condition IsTest, !Equals [a, a]]]
Globals:
  Function:
    Runtime: python3.13
    Timeout: 30
    Environment:
      Variables: {STAGE: !Ref Stage, LEVEL: INFO}
Resources:
  Orders:
    Type: AWS::Kinesis::Stream
    Properties:
      Name: !Join ["-", [orders, !Ref Stage, !If [IsEither, a, b]]]
      ShardCount: !Select [0, !Ref Shards]
  Clicks: {Type: AWS::Kinesis::Stream, Properties: {StreamModeDetails: {StreamMode: ON_DEMAND}}}
  Fast:
    Type: AWS::Kinesis::StreamConsumer
    Properties: {ConsumerName: fast, StreamARN: !GetAtt Clicks.Arn}
  Failures: {Type: AWS::SQS::Queue, Properties: {QueueName: failures}}
  Alarms: {Type: AWS::SNS::Topic, Condition: IsProduction, Properties: {FifoTopic: true}}
  Archive: {Type: AWS::S3::Bucket}
  Items:
    Type: AWS::DynamoDB::Table
    Properties: {TableName: items, StreamSpecification: {StreamViewType: NEW_IMAGE}}
  Pool: {Type: AWS::Cognito::UserPool, Properties: {Name: !ImportValue elsewhere}}
  Enrich:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src/
      Handler: app.handler
      MemorySize: "512"
      Environment:
        Variables:
          LEVEL: DEBUG
          QUEUE: !Ref Failures
          OUT: !Sub ["${Orders}/${x}/${!x}/${AWS::Region}/${Orders.Arn}", {x: !Ref Size}]
          FIRST: !Select [1, !Split [",", "a,b"]]
      Events:
        In:
          Type: Kinesis
          Properties:
            Stream: !GetAtt Orders.Arn
            StartingPosition: TRIM_HORIZON
            BatchSize: !Ref Size
            MaximumBatchingWindowInSeconds: !FindInMap [PerStage, !Ref Stage, window]
            MaximumRetryAttempts: !If [IsProduction, 3, !Ref AWS::NoValue]
            BisectBatchOnFunctionError: "true"
            Enabled: false
            KmsKeyArn: arn:aws:kms:us-east-1:123456789012:key/1
            DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt Failures.Arn}}
        Web: {Type: Api, Properties: {Path: /, Method: get}}
  Fan:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      EventSourceArn: !Ref Fast
      FunctionName: !GetAtt Enrich.Arn
      StartingPosition: LATEST
      Tags: [{Key: team, Value: shop}]
"""


@pytest.fixture
def shop(tmp_path: Path) -> Template:
    return loaded(tmp_path, SHOP)


def resources(text: str) -> str:
    return f"Resources:\n{text}"


def test_a_template_without_mistakes_has_none(shop: Template, tmp_path: Path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "app.py").touch()
    assert check(shop, now_ms=NOW_MS) == []


def test_a_mapping_has_the_properties_of_aws(shop: Template):
    mapping = shop.mappings["EnrichIn"]
    assert mapping.properties == {
        "event_source_arn": f"arn:aws:kinesis:{ACCOUNT}:stream/orders-test-a",
        "function_name": shop.functions["Enrich"].function_name,
        "starting_position": "TRIM_HORIZON",
        "batch_size": 25,
        "maximum_batching_window_in_seconds": 0,
        "bisect_batch_on_function_error": True,
        "enabled": False,
        "kms_key_arn": "arn:aws:kms:us-east-1:123456789012:key/1",
        "destination_config": {"OnFailure": {"Destination": f"arn:aws:sqs:{ACCOUNT}:failures"}},
    }
    assert mapping.function_logical_id == "Enrich"
    assert create(mapping.properties, now_ms=NOW_MS).batch_size == 25


def test_the_place_of_a_property_leads_into_it(shop: Template):
    mapping = shop.mappings["EnrichIn"]
    place = mapping.place_of("destination_config", "OnFailure", "Destination")
    assert place.text is not None
    assert place.column is not None
    assert place.text[place.column - 1 :].startswith("!GetAtt Failures.Arn")
    assert mapping.place_of("topics") == mapping.place


def test_a_consumer_leads_to_its_stream(shop: Template):
    mapping = shop.mappings["Fan"]
    assert mapping.properties["event_source_arn"] == shop.streams["Clicks"].arn
    assert mapping.consumer_arn == shop.consumers["Fast"].arn
    assert mapping.properties["tags"] == {"team": "shop"}
    assert (mapping.kind, mapping.function_logical_id) == (SourceKind.KINESIS, "Enrich")


def test_resources_have_the_names_that_the_deployment_would_give(shop: Template):
    assert (shop.streams["Orders"].shards, shop.streams["Clicks"].shards) == (3, 4)
    assert shop.streams["Clicks"].name.startswith("shop-Clicks-")
    assert shop.buckets["Archive"].name.islower()
    assert shop.queues["Failures"].arn == f"arn:aws:sqs:{ACCOUNT}:failures"
    assert str(shop.tables["Items"].stream_arn).startswith(
        f"arn:aws:dynamodb:{ACCOUNT}:table/items/stream/"
    )
    assert shop.topics == {}
    assert shop.secrets == {"hush"}


def test_names_are_the_same_in_every_run_and_differ_between_stacks(tmp_path: Path):
    path = written(tmp_path, SHOP)
    stacks = ["shop", "shop", "other"]
    first, again, other = (load(path, deployment=Deployment(stack=name)) for name in stacks)
    assert first.streams == again.streams
    assert first.streams["Clicks"].name != other.streams["Clicks"].name


def test_a_function_has_the_globals_beneath_its_own(shop: Template, tmp_path: Path):
    function = shop.functions["Enrich"]
    assert (function.timeout_seconds, function.memory_mb) == (30, 512)
    assert (function.code_uri, function.handler) == (tmp_path / "src/", "app.handler")
    assert function.environment == {
        "STAGE": "test",
        "LEVEL": "DEBUG",
        "QUEUE": "https://sqs.us-east-1.amazonaws.com/123456789012/failures",
        "OUT": f"orders-test-a/25/${{x}}/us-east-1/arn:aws:kinesis:{ACCOUNT}:stream/orders-test-a",
        "FIRST": "b",
    }
    assert str(function.role).startswith("arn:aws:iam::123456789012:role/shop-EnrichRole-")


def test_a_value_from_outside_changes_what_follows_from_it(tmp_path: Path):
    template = loaded(tmp_path, SHOP, Stage="production", Size="7")
    properties = template.mappings["EnrichIn"].properties
    assert properties["batch_size"] == 7
    assert properties["maximum_retry_attempts"] == 3
    assert properties["maximum_batching_window_in_seconds"] == 60
    assert template.topics["Alarms"].name.endswith(".fifo")


@pytest.mark.parametrize(
    ("overrides", "code", "fix"),
    [
        ({"Stage": "prod"}, "E111", "--parameter-overrides Stage=production"),
        ({"Size": "big"}, "E111", "--parameter-overrides Size=1"),
        ({"stage": "test"}, "E110", "--parameter-overrides Stage=…"),
    ],
)
def test_a_value_from_outside_must_fit(tmp_path: Path, overrides, code, fix):
    [problem] = loaded(tmp_path, SHOP, **overrides).problems
    assert (problem.esm_code, problem.fix) == (code, fix)


def test_china_has_its_own_partition(tmp_path: Path):
    text = resources("  A: {Type: AWS::Kinesis::Stream, Properties: {Name: !Ref AWS::URLSuffix}}")
    template = load(written(tmp_path, text), deployment=Deployment(region="cn-north-1"))
    stream = template.streams["A"]
    assert stream.arn == "arn:aws-cn:kinesis:cn-north-1:123456789012:stream/amazonaws.com.cn"


@pytest.mark.parametrize(
    ("expression", "code", "fix"),
    [
        ("!Ref Shard", "E120", "!Ref Shards"),
        ("!Sub '${Shrads}'", "E120", "${Shards}"),
        ("!GetAtt B.Arm", "E121", "!GetAtt B.Arn"),
        ("!GetAtt BB.Arn", "E120", "!GetAtt B.Arn"),
        ("!ImportValue x", "E122", "a parameter instead"),
        ("!Ref Pool", "E122", "a parameter instead"),
        ("!GetAtt [A]", "E123", "!GetAtt Orders.Arn"),
        ("!Join [a]", "E123", '!Join ["-", [orders, dlq]]'),
        ("!Select [2, [a, b]]", "E123", "!Select [1, [a, b]]"),
        ("!Select [-1, [a, b]]", "E123", "!Select [0, [a, b]]"),
        ("!Split ['', a]", "E123", '!Split [",", "a,b"]'),
        ("!If [No, a, b]", "E120", None),
        ("!FindInMap [M, x, y]", "E120", None),
        ("!Ref A", "E124", None),
        ("!GetAtt A.Arn", "E124", None),
        ("!Ref Never", "E125", "!If [Off, !Ref Never, !Ref AWS::NoValue]"),
        ("!Ref Unset", "E112", "--parameter-overrides Unset=…"),
        ("[a]", "E130", None),
    ],
)
def test_what_cannot_be_resolved_is_said_where_it_is_used(tmp_path: Path, expression, code, fix):
    text = f"""
    Parameters:
      Shards: {{Type: Number, Default: 1}}
      Unset: {{Type: String}}
    Conditions:
      Off: !Equals [a, b]
    Resources:
      A: {{Type: AWS::Kinesis::Stream, Properties: {{Name: {expression}}}}}
      B: {{Type: AWS::Kinesis::Stream}}
      Never: {{Type: AWS::Kinesis::Stream, Condition: Off}}
      Pool: {{Type: AWS::Cognito::UserPool, Properties: {{Name: {expression}}}}}
    """
    template = loaded(tmp_path, text)
    [problem] = template.problems
    assert problem.esm_code == code
    assert problem.place is not None
    assert problem.place.line == 7
    if fix is not None:
        assert problem.fix == fix
    assert list(template.streams) == ["B"]


def test_conditions_that_need_each_other_are_refused(tmp_path: Path):
    text = """
    Conditions:
      A: !Not [!Condition B]
      B: !Not [!Condition A]
    Resources:
      Orders: {Type: AWS::Kinesis::Stream, Condition: A}
    """
    [problem] = loaded(tmp_path, text).problems
    assert problem.message == "condition A → condition B → condition A"


def test_a_text_that_doubles_at_every_step_is_refused(tmp_path: Path):
    text = "x" * 10_000
    for _ in range(20):
        text = f'!Sub ["${{a}}${{a}}", {{a: {text}}}]'
    [problem] = loaded(
        tmp_path, resources(f"  A: {{Type: AWS::Kinesis::Stream, Properties: {{Name: {text}}}}}")
    ).problems
    assert problem.esm_code == "E126"


def test_a_chain_of_names_without_end_is_refused(tmp_path: Path):
    lines = [
        f"  S{n}: {{Type: AWS::Kinesis::Stream, Properties: {{Name: !Ref S{n + 1}}}}}"
        for n in range(500)
    ]
    text = resources("\n".join([*lines, "  S500: {Type: AWS::Kinesis::Stream}"]))
    problems = loaded(tmp_path, text).problems
    assert {problem.esm_code for problem in problems} == {"E126"}


def test_what_only_the_cloud_knows_matters_when_the_function_is_invoked(tmp_path: Path):
    text = """
    Transform: AWS::Serverless-2016-10-31
    Resources:
      Pool: {Type: AWS::Cognito::UserPool}
      Fn:
        Type: AWS::Serverless::Function
        Properties:
          CodeUri: .
          Handler: app.handler
          Environment: {Variables: {POOL: !GetAtt Pool.Arn, STAGE: test}}
    """
    template = loaded(tmp_path, text)
    (tmp_path / "app.py").touch()
    assert check(template, now_ms=NOW_MS) == []
    function = template.functions["Fn"]
    assert function.environment == {"STAGE": "test"}
    with pytest.raises(TemplateError) as caught:
        function.require()
    assert caught.value.esm_code == "E122"


@pytest.mark.parametrize(
    "code",
    [
        "InlineCode: x",
        "ImageUri: x",
        "CodeUri: s3://a/b",
        "CodeUri: {Bucket: a, Key: b}",
        "Layers: []",
    ],
)
def test_a_function_without_a_folder_is_no_mistake_until_it_is_invoked(tmp_path: Path, code: str):
    text = f"""
    Resources:
      Fn:
        Type: AWS::Serverless::Function
        Properties:
          {code}
          Handler: app.handler
    """
    template = loaded(tmp_path, text)
    assert check(template, now_ms=NOW_MS) == []
    with pytest.raises(TemplateError, match="the code of Fn is in no local folder"):
        template.functions["Fn"].require()


def test_the_cdk_says_where_its_assets_are(tmp_path: Path):
    path = written(
        tmp_path,
        """
        {"Resources": {"Fn": {
          "Type": "AWS::Lambda::Function",
          "Properties": {"Code": {"S3Bucket": {"Fn::Sub": "b"}, "S3Key": "k"}, "Handler": "a.h"},
          "Metadata": {"aws:asset:path": "asset.1"}}}}
        """,
        "Shop.template.json",
    )
    assert load(path).functions["Fn"].code_uri == tmp_path / "asset.1"


def test_fixes_for_a_json_template_are_json(tmp_path: Path):
    path = written(
        tmp_path,
        """
        {"Resources": {
          "Orders": {"Type": "AWS::Kinesis::Stream"},
          "Fn": {"Type": "AWS::Serverless::Function", "Properties": {
            "CodeUri": ".", "Handler": "apps.handler"}},
          "Map": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": {
            "EventSourceArn": {"Ref": "Orders"},
            "FunctionName": {"Fn::GetAtt": ["Gn", "Arn"]},
            "BatchSize": 0,
            "FilterCriteria": {"Filters": [{"Pattern": "{\\"data\\": {\\"a\\": 1}}"}]},
            "StartingPosition": "LATEST"}}}}
        """,
        "template.json",
    )
    (tmp_path / "app.py").touch()
    errors = check(load(path), now_ms=NOW_MS)
    assert [error.fix for error in errors] == [
        '"Handler": "app.handler"',
        '"EventSourceArn": {"Fn::GetAtt": ["Orders", "Arn"]}',
        '{"Fn::GetAtt": ["Fn", "Arn"]}',
        '"BatchSize": 100',
        '"Pattern": "{\\"data\\": {\\"a\\": [1]}}"',
    ]


def test_what_a_mapping_needs_is_asked_for_in_the_words_of_its_template(tmp_path: Path):
    text = """
    Resources:
      Orders: {Type: AWS::Kinesis::Stream}
      Fn:
        Type: AWS::Serverless::Function
        Properties:
          Events:
            A: {Type: Kinesis, Properties: {StartingPosition: LATEST}}
            B: {Type: Kinesis, Properties: {Stream: !GetAtt Orders.Arn}}
      Map: {Type: AWS::Lambda::EventSourceMapping, Properties: {EventSourceArn: !Ref Orders}}
    """
    errors = check(loaded(tmp_path, text), now_ms=NOW_MS)
    assert [(error.esm_code, error.fix) for error in errors] == [
        ("E210", "Stream: !GetAtt Orders.Arn"),
        ("E211", 'StartingPosition: "TRIM_HORIZON"'),
        ("E203", 'FunctionName: "orders-handler"'),
        ("E211", 'StartingPosition: "TRIM_HORIZON"'),
        ("E207", "EventSourceArn: !GetAtt Orders.Arn"),
    ]


def test_kafka_is_recognised_and_its_properties_are_the_apis(tmp_path: Path):
    text = """
    Resources:
      Fn:
        Type: AWS::Serverless::Function
        Properties:
          Events:
            In:
              Type: SelfManagedKafka
              Properties:
                KafkaBootstrapServers: [a:9092]
                Topics: [orders]
                ConsumerGroupId: g
                SourceAccessConfigurations: [{Type: IAM_AUTH}]
                SchemaRegistryConfig: {}
    """
    mapping = loaded(tmp_path, text).mappings["FnIn"]
    assert mapping.kind is SourceKind.SELF_MANAGED_KAFKA
    assert mapping.properties["self_managed_event_source"] == {
        "Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["a:9092"]}
    }
    assert mapping.properties["self_managed_kafka_event_source_config"] == {
        "ConsumerGroupId": "g",
        "SchemaRegistryConfig": {},
    }
    [error] = check(loaded(tmp_path, text), now_ms=NOW_MS)
    assert error.esm_code == "E290"


def test_a_table_is_no_source_but_its_stream_is(tmp_path: Path):
    text = """
    Resources:
      Items: {Type: AWS::DynamoDB::Table, Properties: {StreamSpecification: {}}}
      Plain: {Type: AWS::DynamoDB::Table}
      Fn:
        Type: AWS::Serverless::Function
        Properties:
          Events:
            A: {Type: DynamoDB, Properties: {Stream: !GetAtt Items.Arn, StartingPosition: LATEST}}
            B:
              Type: DynamoDB
              Properties: {Stream: !GetAtt Plain.StreamArn, StartingPosition: LATEST}
    """
    errors = check(loaded(tmp_path, text), now_ms=NOW_MS)
    assert [(error.esm_code, error.fix) for error in errors] == [
        ("E210", "Stream: !GetAtt Items.StreamArn"),
        ("E121", "StreamSpecification: {StreamViewType: NEW_AND_OLD_IMAGES}"),
    ]


def test_a_queues_mapping_is_left_alone(tmp_path: Path):
    text = f"""
    Resources:
      Map:
        Type: AWS::Lambda::EventSourceMapping
        Properties: {{EventSourceArn: "arn:aws:sqs:{ACCOUNT}:q", FunctionName: f, Nonsense: 1}}
    """
    assert loaded(tmp_path, text).mappings == {}


def test_two_mappings_of_one_name_are_a_mistake(tmp_path: Path):
    text = """
    Resources:
      Fn:
        Type: AWS::Serverless::Function
        Properties: {Events: {In: {Type: Kinesis, Properties: {BatchSize: 1}}}}
      FnIn: {Type: AWS::Lambda::EventSourceMapping, Properties: {BatchSize: 2}}
    """
    template = loaded(tmp_path, text)
    assert [problem.esm_code for problem in template.problems] == ["E104"]
    assert template.mappings["FnIn"].properties["batch_size"] == 1


def test_a_misspelt_type_of_event_is_a_mistake(tmp_path: Path):
    text = """
    Resources:
      Fn:
        Type: AWS::Serverless::Function
        Properties: {Events: {A: {Type: kinesis}, B: {Type: Kinesis, Properties: {BatchSize: 1}}}}
    """
    template = loaded(tmp_path, text)
    assert [problem.fix for problem in template.problems] == ["Type: Kinesis"]
    assert list(template.mappings) == ["FnB"]


def test_the_template_itself_is_refused_only_for_its_outline(tmp_path: Path):
    assert refused(tmp_path, "Resources: 1").esm_code == "E107"
    assert load(written(tmp_path, "Resources: {}"), deployment=DEPLOYMENT).mappings == {}
