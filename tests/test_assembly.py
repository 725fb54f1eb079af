"""A template in a Harness: `h.template("template.yaml")[name]`."""

from __future__ import annotations

import base64
import json
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from esm import Harness
from esm.errors import HandlerError, InputError, MappingError, NotEmulated, TemplateError

ROOT = Path(__file__).parent.parent
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file below a folder of the test's own."""

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    return write


CHAIN = """\
    Transform: AWS::Serverless-2016-10-31
    Parameters:
      Size: {Type: Number, Default: 10}
    Globals:
      Function: {Handler: app.handler, Runtime: python3.11, Timeout: 5}
    Resources:
      Raw: {Type: AWS::Kinesis::Stream, Properties: {ShardCount: 2}}
      Rich: {Type: AWS::Kinesis::Stream, Properties: {StreamModeDetails: {StreamMode: ON_DEMAND}}}
      Failed: {Type: AWS::SQS::Queue}
      First:
        Type: AWS::Serverless::Function
        Properties:
          CodeUri: first/
          Environment: {Variables: {NEXT: !Ref Rich}}
          Events:
            In:
              Type: Kinesis
              Properties: {Stream: !GetAtt Raw.Arn, StartingPosition: LATEST, BatchSize: !Ref Size}
      Second:
        Type: AWS::Serverless::Function
        Properties:
          CodeUri: second/
          Events:
            In:
              Type: Kinesis
              Properties:
                Stream: !GetAtt Rich.Arn
                StartingPosition: TRIM_HORIZON
                MaximumRetryAttempts: 0
                DestinationConfig: {OnFailure: {Destination: !GetAtt Failed.Arn, Type: SQS}}
      Off:
        Type: AWS::Lambda::EventSourceMapping
        Properties:
          EventSourceArn: !GetAtt Raw.Arn
          FunctionName: !Ref Second
          StartingPosition: TRIM_HORIZON
          Enabled: false
    """


@pytest.fixture
def chain(write: Write) -> Path:
    """Two functions, each with its own app and models; the first feeds the second."""
    write("first/models.py", "KIND = 'first'")
    write(
        "first/app.py",
        """\
        import os
        import boto3
        from models import KIND
        kinesis = boto3.client("kinesis")
        def handler(event, context):
            for record in event["Records"]:
                kinesis.put_record(
                    StreamName=os.environ["NEXT"], PartitionKey="k", Data=KIND.encode()
                )
        """,
    )
    write("second/models.py", "KIND = 'second'\nclass Refused(Exception): pass")
    write(
        "second/app.py",
        """\
        def handler(event, context):
            import models
            raise models.Refused(models.KIND)
        """,
    )
    return write("template.yaml", CHAIN)


def test_two_functions_of_one_template_run_side_by_side(chain: Path) -> None:
    h = Harness()
    mappings = h.template(chain)
    first, second = mappings["FirstIn"], mappings["SecondIn"]
    first.source.put_many(["a", "b", "c"])

    assert h.drain() == "idle"
    assert len(first.delivered) == 3
    assert {bytes(record.data) for record in second.source.records} == {b"first"}
    assert {str(i.error) for i in second.invocations} == {"second"}
    [failed] = [place for place in h.destinations.values() if "Failed" in place.name]
    assert sum(m["KinesisBatchInfo"]["batchSize"] for m in failed.messages) == 3


@pytest.mark.parametrize("stream", ["!GetAtt Fast.ConsumerARN", "!Ref Fast"])
def test_an_event_may_come_through_an_enhanced_fan_out_consumer(write: Write, stream: str) -> None:
    template = write(
        "template.yaml",
        f"""\
        Transform: AWS::Serverless-2016-10-31
        Resources:
          Raw: {{Type: AWS::Kinesis::Stream, Properties: {{ShardCount: 1}}}}
          Fast:
            Type: AWS::Kinesis::StreamConsumer
            Properties: {{StreamARN: !GetAtt Raw.Arn, ConsumerName: fast}}
          F:
            Type: AWS::Serverless::Function
            Properties:
              CodeUri: .
              Handler: app.handler
              Runtime: python3.11
              Events:
                In:
                  Type: Kinesis
                  Properties: {{Stream: {stream}, StartingPosition: TRIM_HORIZON}}
        """,
    )
    write("app.py", "def handler(event, context): pass")
    h = Harness()
    mappings = h.template(template)
    [raw] = h.streams.values()
    assert [consumer.name for consumer in raw.consumers] == ["fast"]
    mapping = mappings["FIn"]
    raw.put("x")
    h.drain()
    [invocation] = mapping.invocations
    assert invocation.started_ms - h.trace.start_ms == 70
    arn = mappings.template.consumers["Fast"].arn
    assert invocation.event["Records"][0]["eventSourceARN"] == arn


def test_the_template_says_how_large_things_are(chain: Path) -> None:
    h = Harness()
    mappings = h.template(chain, parameter_overrides={"Size": "2"})
    assert list(mappings) == ["FirstIn", "SecondIn", "Off"]
    assert len(mappings) == 3
    first = mappings["FirstIn"]
    assert mappings["FirstIn"] is first
    assert first.properties.batch_size == 2
    assert (len(first.source.shards), len(mappings["SecondIn"].source.shards)) == (2, 4)
    assert "First" in first.function_arn


def test_a_mapping_that_is_not_enabled_waits(chain: Path) -> None:
    h = Harness()
    off = h.template(chain)["Off"]
    off.source.put("a")
    assert (h.drain(), off.batches, off.lag()) == ("idle", [], 1)


def test_a_handler_is_imported_only_when_its_mapping_is_asked_for(
    chain: Path, write: Write
) -> None:
    write("first/app.py", "raise SystemError('not today')")
    h = Harness()
    assert h.template(chain)["SecondIn"].name == "SecondIn"


def test_a_wrong_name_gets_the_nearest(chain: Path) -> None:
    with pytest.raises(TemplateError) as raised:
        Harness().template(chain)["FirstInn"]
    assert (raised.value.esm_code, raised.value.fix) == ("E150", "FirstIn")
    assert "FirstIn, SecondIn, Off" in str(raised.value)


def test_what_aws_refuses_is_refused_when_the_mapping_is_asked_for(write: Write) -> None:
    template = write("template.yaml", CHAIN.replace("MaximumRetryAttempts: 0", "BatchSize: 20000"))
    write("second/app.py", "def handler(event, context): pass")
    mappings = Harness().template(template)
    with pytest.raises(MappingError, match="'20000' at 'batchSize'"):
        mappings["SecondIn"]


def test_other_sources_are_not_emulated_yet(write: Write) -> None:
    template = write(
        "template.yaml",
        """\
        Transform: AWS::Serverless-2016-10-31
        Resources:
          F:
            Type: AWS::Serverless::Function
            Properties:
              CodeUri: .
              Handler: app.handler
              Runtime: python3.11
              Events:
                T:
                  Type: MSK
                  Properties:
                    Stream: arn:aws:kafka:us-east-1:123456789012:cluster/c/0c1d2e3f-1a2b-3c4d-5e6f-1
                    StartingPosition: LATEST
                    Topics: [orders]
        """,
    )
    write("app.py", "def handler(event, context): pass")
    with pytest.raises(NotEmulated) as raised:
        Harness().template(template)["FT"]
    assert "E290  FT: a mapping of MSK cluster/" in str(raised.value)
    assert " is not emulated yet\n" in str(raised.value)
    assert raised.value.place is not None
    assert raised.value.place.line == next(
        number
        for number, line in enumerate(template.read_text().splitlines(), 1)
        if "Stream:" in line
    )


def test_the_projects_own_template_delivers_captured_sign_ups(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("POWERTOOLS_DEV", "0")
    with Harness() as h:
        mappings = h.template(ROOT / "template.yaml", {"LogLevel": "ERROR"})
        sign_ups = mappings["BandwidthEnrichmentSignups"]
        event = json.loads((ROOT / "events/bandwidth_enrichment/batch.json").read_text())
        for record in event["Records"]:
            kinesis: dict[str, Any] = record["kinesis"]
            sign_ups.source.put(base64.b64decode(kinesis["data"]), key=kinesis["partitionKey"])
        h.drain()
        enriched = h.streams[mappings.template.streams["EnrichedSignUps"].name]
        assert (len(sign_ups.delivered), len(enriched.records)) == (12, 12)


def test_a_handler_reaches_what_the_template_declares_in_virtual_time(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write(
        "app.py",
        """\
        import datetime, os
        import boto3
        table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
        s3, sqs, sns = (boto3.client(name) for name in ("s3", "sqs", "sns"))
        def handler(event, context):
            for record in event["Records"]:
                key = record["kinesis"]["sequenceNumber"]
                table.put_item(Item={"id": key})
                s3.put_object(Bucket=os.environ["BUCKET"], Key=key, Body=b"{}")
                sqs.send_message(QueueUrl=os.environ["QUEUE"], MessageBody=key)
                sns.publish(TopicArn=os.environ["TOPIC"], Message=key)
            listed = s3.list_objects_v2(Bucket=os.environ["BUCKET"])["Contents"]
            print(*sorted({str(found["LastModified"].date()) for found in listed}))
            got = sqs.receive_message(QueueUrl=os.environ["QUEUE"], WaitTimeSeconds=20)
            assert got["Messages"]
            raise ValueError("after all that")
        """,
    )
    template = write(
        "template.yaml",
        """\
        Transform: AWS::Serverless-2016-10-31
        Resources:
          In: {Type: AWS::Kinesis::Stream, Properties: {ShardCount: 1}}
          Table: {Type: AWS::Serverless::SimpleTable}
          Files: {Type: AWS::S3::Bucket}
          Jobs: {Type: AWS::SQS::Queue}
          News: {Type: AWS::SNS::Topic}
          F:
            Type: AWS::Serverless::Function
            Properties:
              CodeUri: .
              Handler: app.handler
              Runtime: python3.11
              Environment:
                Variables:
                  TABLE: !Ref Table
                  BUCKET: !Ref Files
                  QUEUE: !Ref Jobs
                  TOPIC: !Ref News
              Events:
                In:
                  Type: Kinesis
                  Properties:
                    Stream: !GetAtt In.Arn
                    StartingPosition: TRIM_HORIZON
                    MaximumRetryAttempts: 0
                    DestinationConfig: {OnFailure: {Destination: !GetAtt Jobs.Arn}}
        """,
    )
    h = Harness(start="2031-05-06T07:08:09Z")
    mappings = h.template(template)
    mapping = mappings["FIn"]
    mapping.source.put_many(["a", "b"])
    h.drain()
    assert [str(i.error) for i in mapping.invocations] == ["after all that"]
    assert "2031-05-06" in capsys.readouterr().out
    assert mappings.written() == {"In": 2, "Jobs": 3, "News": 2, "Files": 2, "Table": 2}


FAILING = """\
    Transform: AWS::Serverless-2016-10-31
    Resources:
      In: {Type: AWS::Kinesis::Stream, Properties: {ShardCount: 1}}
      Failed: {Type: AWS::SQS::Queue, Properties: {QueueName: failed}}
      Copies: {Type: AWS::SQS::Queue, Properties: {QueueName: copies}}
      Alarms:
        Type: AWS::SNS::Topic
        Properties:
          TopicName: alarms
          Subscription: [{Protocol: sqs, Endpoint: !GetAtt Copies.Arn}]
      Lost: {Type: AWS::S3::Bucket, Properties: {BucketName: lost}}
      F:
        Type: AWS::Serverless::Function
        Properties:
          CodeUri: .
          Handler: app.handler
          Runtime: python3.11
          Events:
            In:
              Type: Kinesis
              Properties:
                Stream: !GetAtt In.Arn
                StartingPosition: TRIM_HORIZON
                BatchSize: 1
                MaximumRetryAttempts: 0
                DestinationConfig: {OnFailure: {Destination: !GetAtt DESTINATION.Arn}}
    """
READS_ITS_FAILURES = """\
    import json
    import boto3
    sqs, s3 = boto3.client("sqs"), boto3.client("s3")
    def handler(event, context):
        url = sqs.get_queue_url(QueueName="QUEUE")["QueueUrl"]
        for message in sqs.receive_message(QueueUrl=url).get("Messages", ()):
            print(json.dumps(json.loads(message["Body"])))
        for found in s3.list_objects_v2(Bucket="lost").get("Contents", ()):
            print(s3.get_object(Bucket="lost", Key=found["Key"])["Body"].read().decode())
        raise ValueError("always")
    """


@pytest.mark.parametrize(
    ("destination", "queue"), [("Failed", "failed"), ("Alarms", "copies"), ("Lost", "failed")]
)
def test_boto3_finds_what_a_mapping_gave_up(
    write: Write, capsys: pytest.CaptureFixture[str], destination: str, queue: str
) -> None:
    write("app.py", READS_ITS_FAILURES.replace("QUEUE", queue))
    h = Harness()
    mappings = h.template(write("template.yaml", FAILING.replace("DESTINATION", destination)))
    mapping = mappings["FIn"]
    mapping.source.put_many(["a", "b"])
    h.drain()
    [place] = [place for place in h.destinations.values() if place.delivered]
    assert place.looked
    [line] = capsys.readouterr().out.splitlines()  # when the second is tried, the first is there
    document = json.loads(line)
    document = json.loads(document["Message"]) if destination == "Alarms" else document
    assert document == place.messages[0] == mapping.discarded[0].invocation_record
    assert mappings.written()[destination] == 2


def test_what_nobody_reads_through_boto3_is_not_looked_at(write: Write) -> None:
    write("app.py", "def handler(event, context): raise ValueError")
    with Harness() as h:
        mappings = h.template(write("template.yaml", FAILING.replace("DESTINATION", "Failed")))
        mappings["FIn"].source.put("a")
        h.drain()
        [place] = [place for place in h.destinations.values() if place.delivered]
        sqs = boto3.session.Session("k", "s").client("sqs", region_name="us-east-1")
        url = sqs.get_queue_url(QueueName="failed")["QueueUrl"]
        assert not place.looked
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        assert attributes["ApproximateNumberOfMessages"] == "1"
        assert place.looked


def test_a_template_is_there_once_however_often_it_is_asked_for(chain: Path) -> None:
    h = Harness()
    first = h.template(chain)
    assert h.template(str(chain)) is first
    assert h.template(chain, {}) is first


def test_a_template_is_not_there_twice_with_other_parameters(chain: Path) -> None:
    h = Harness()
    first = h.template(chain, {"Size": "20"})
    with pytest.raises(InputError, match="E435") as raised:
        h.template(chain)
    assert "template.yaml already, with other values of parameter_overrides\n" in str(raised.value)
    assert h.template(chain, {"Size": "20"}) is first


ALIASED = """\
    Transform: AWS::Serverless-2016-10-31
    Resources:
      Orders: {Type: AWS::Kinesis::Stream, Properties: {ShardCount: 1}}
      Fn:
        Type: AWS::Serverless::Function
        Properties:
          CodeUri: .
          Handler: app.handler
          Runtime: python3.11
          AutoPublishAlias: live
          Events:
            In:
              Type: Kinesis
              Properties:
                Stream: !GetAtt Orders.Arn
                StartingPosition: TRIM_HORIZON
                MaximumRetryAttempts: 0
      ByName:
        Type: AWS::Lambda::EventSourceMapping
        Properties: &raw
          EventSourceArn: !GetAtt Orders.Arn
          FunctionName: !Sub "${Fn}:blue"
          StartingPosition: TRIM_HORIZON
          MaximumRetryAttempts: 0
      ByArn:
        Type: AWS::Lambda::EventSourceMapping
        Properties: {<<: *raw, FunctionName: !Sub "${Fn.Arn}:7"}
      Plain:
        Type: AWS::Lambda::EventSourceMapping
        Properties: {<<: *raw, FunctionName: !GetAtt Fn.Arn}
    """


@pytest.mark.parametrize(
    ("mapping", "qualifier"),
    [("FnIn", ":live"), ("ByName", ":blue"), ("ByArn", ":7"), ("Plain", "")],
)
def test_a_mapping_of_an_alias_or_version_invokes_that(
    write: Write, mapping: str, qualifier: str
) -> None:
    write("app.py", "def handler(event, context): raise ValueError(context.invoked_function_arn)")
    h = Harness()
    mappings = h.template(write("template.yaml", ALIASED))
    arn = mappings.template.functions["Fn"].arn + qualifier
    running = mappings[mapping]
    running.source.put("an order")
    h.drain()
    assert running.function_arn == arn
    assert str(running.invocations[0].error) == arn
    assert running.discarded[0].invocation_record["requestContext"]["functionArn"] == arn
    identity = running.invocations[0].event["Records"][0]["invokeIdentityArn"]
    assert identity.endswith(f":role/{mappings.template.functions['Fn'].function_name}-role")


def test_a_mapping_of_a_queue_is_no_missing_name(write: Write) -> None:
    template = write(
        "template.yaml",
        """\
        Transform: AWS::Serverless-2016-10-31
        Resources:
          Jobs: {Type: AWS::SQS::Queue}
          Fn:
            Type: AWS::Serverless::Function
            Properties:
              CodeUri: .
              Handler: app.handler
              Runtime: python3.11
              Events:
                Q: {Type: SQS, Properties: {Queue: !GetAtt Jobs.Arn}}
          Raw:
            Type: AWS::Lambda::EventSourceMapping
            Properties: {EventSourceArn: !GetAtt Jobs.Arn, FunctionName: !Ref Fn}
        """,
    )
    mappings = Harness().template(template)
    for name in ("FnQ", "Raw"):
        with pytest.raises(NotEmulated) as raised:
            mappings[name]
        said = f"E290  {name} is of type SQS, and only mappings of streams are emulated\n"
        assert said in str(raised.value)
    with pytest.raises(TemplateError, match="E150"):
        mappings["FnQueue"]


LAYERED = """\
    Transform: AWS::Serverless-2016-10-31
    Conditions: {Never: !Equals [a, b]}
    Resources:
      Common: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: layers/common}}
      Newer: {Type: AWS::Lambda::LayerVersion, Properties: {Content: layers/newer}}
      Orders: {Type: AWS::Kinesis::Stream, Properties: {ShardCount: 1}}
      Fn:
        Type: AWS::Serverless::Function
        Properties:
          CodeUri: src
          Handler: app.handler
          Runtime: python3.11
          Layers: LAYERS
          Events:
            In:
              Type: Kinesis
              Properties: {Stream: !GetAtt Orders.Arn, StartingPosition: TRIM_HORIZON}
    """


def test_local_layers_are_on_a_functions_path_behind_its_own_code(write: Write) -> None:
    write("src/app.py", "import both, common, own\ndef handler(e, c): return [both.X, own.X]")
    write("src/own.py", "X = 'own'")
    write("layers/common/python/own.py", "X = 'common'")
    write("layers/common/python/common.py", "")
    write("layers/common/python/both.py", "X = 'common'")
    write("layers/newer/both.py", "X = 'newer'")
    layers = "[!Ref Common, !Ref Newer, !If [Never, !Ref Common, !Ref AWS::NoValue]]"
    h = Harness()
    mapping = h.template(write("template.yaml", LAYERED.replace("LAYERS", layers)))["FnIn"]
    mapping.source.put("an order")
    h.drain()
    assert mapping.invocations[0].response == ["newer", "own"]


def test_a_module_of_a_layer_elsewhere_is_not_to_be_installed(write: Write) -> None:
    write("src/app.py", "import shared_by_all\ndef handler(e, c): pass")
    arn = "arn:aws:lambda:us-east-1:123456789012:layer:shared:3"
    template = write("template.yaml", LAYERED.replace("LAYERS", f"[!Ref Common, {arn!r}]"))
    write("layers/common/python/common.py", "")
    with pytest.raises(HandlerError) as raised:
        Harness().template(template)["FnIn"]
    assert str(raised.value) == (
        "E302  app needs the module 'shared_by_all', which is not installed here\n"
        f"why    a layer may have it that is in no local folder: {arn}\n"
        "fix    Layers: [!Ref …]   # an AWS::Serverless::LayerVersion with ContentUri"
    )


def test_a_layer_that_a_condition_leaves_out_is_nowhere(write: Write) -> None:
    layers = "[!If [Never, !Ref Common, !Ref AWS::NoValue], !Ref Newer]"
    mappings = Harness().template(write("template.yaml", LAYERED.replace("LAYERS", layers)))
    assert mappings.template.functions["Fn"].layers.elsewhere == ("!Ref Newer",)


@pytest.mark.parametrize(
    ("overrides", "code"),
    [({"Nope": "1"}, "E110"), ({"LogLevel": "LOUD"}, "E111"), ({"BatchSize": "0"}, "E111")],
    ids=["no such parameter", "none of its values", "below its least"],
)
def test_parameters_are_refused_as_cloudformation_refuses_them(
    overrides: dict[str, str], code: str
):
    with pytest.raises(TemplateError) as refused:
        Harness().template(ROOT / "template.yaml", overrides)
    assert refused.value.esm_code == code
