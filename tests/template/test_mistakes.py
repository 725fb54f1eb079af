"""Thirteen mistakes that other tools let through, as a SAM event and as a resource of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from esm.errors import EsmError
from esm.template import Template, load
from esm.template.checking import check

TEMPLATES = Path(__file__).parent.parent / "templates"
NOW_MS = 1_767_300_000_000

# What is found: code, line, column in an event and in a mapping, fix.
FOUND = {
    "tumbling_window_too_long": ("E204", 16, (38, 32), "TumblingWindowInSeconds: 60"),
    "batch_size_too_large": ("E204", 16, (24, 18), "BatchSize: 100"),
    "misspelt_bisect": ("E140", 16, (13, 7), "BisectBatchOnFunctionError: true"),
    "filter_not_json": ("E250", 18, (28, 22), """Pattern: '{"data": {"id": [1]}}'"""),
    "filter_leaf_not_a_list": (
        "E251",
        18,
        (48, 42),
        """Pattern: '{"data": {"total": [{"numeric": [">", 0]}]}}'""",
    ),
    "filter_with_body": ("E254", 18, (38, 32), """Pattern: '{"data": {"kind": ["order"]}}'"""),
    "parallelization_factor_on_msk": ("E220", 17, (13, 7), "remove ParallelizationFactor"),
    "tumbling_window_on_msk": ("E220", 17, (13, 7), "remove TumblingWindowInSeconds"),
    "at_timestamp_on_dynamodb": ("E212", 15, (31, 25), 'StartingPosition: "TRIM_HORIZON"'),
    "at_timestamp_without_timestamp": (
        "E213",
        15,
        (31, 25),
        "StartingPositionTimestamp: 1767300000",
    ),
    "stream_missing": ("E120", 14, (21, 23), "!GetAtt Orders.Arn"),
    "fifo_destination": ("E224", 18, (30, 24), "Destination: !GetAtt Failures.Arn"),
    "handler_file_missing": ("E151", 8, (16, 16), "Handler: app.handler"),
}
# The timestamp has no sense beside what AT_TIMESTAMP is mended to.
ALSO_FOUND = {"at_timestamp_on_dynamodb": ["E220"]}


def template(name: str, kind: str) -> Template:
    return load(TEMPLATES / f"{name}.{kind}.yaml")


def only_error(name: str, kind: str) -> EsmError:
    error, *others = check(template(name, kind), now_ms=NOW_MS)
    assert [other.esm_code for other in others] == ALSO_FOUND.get(name, [])
    return error


def test_every_template_is_looked_at():
    names = {path.name for path in TEMPLATES.glob("*.yaml")}
    assert names == {f"{name}.{kind}.yaml" for name in FOUND for kind in ("event", "mapping")}


@pytest.mark.parametrize("name", FOUND)
@pytest.mark.parametrize("kind", ["event", "mapping"])
def test_the_mistake_is_found_at_its_place_with_a_fix(name: str, kind: str):
    code, line, columns, fix = FOUND[name]
    error = only_error(name, kind)
    assert error.place is not None
    column = columns[kind == "mapping"]
    assert (error.esm_code, error.place.line, error.place.column) == (code, line, column)
    assert error.fix == fix


def test_the_answer_shows_the_line_and_what_to_paste():
    error = only_error("batch_size_too_large", "event")
    assert str(error).endswith(
        ":16:24  E204  1 validation error detected: Value '20000' at 'batchSize' failed to satisfy "
        "constraint: Member must have value less than or equal to 10000\n"
        "     16 |             BatchSize: 20000\n"
        "        |                        ^\n"
        "why    AWS refuses it: out of range\n"
        "fix    BatchSize: 100"
    )


@pytest.mark.parametrize("name", FOUND)
@pytest.mark.parametrize("kind", ["event", "mapping"])
def test_the_pasted_fix_mends_the_mapping(name: str, kind: str, tmp_path: Path):
    _, line, _, fix = FOUND[name]
    path = TEMPLATES / f"{name}.{kind}.yaml"
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[line - 1] = pasted(lines[line - 1], fix)
    if name == "at_timestamp_without_timestamp":
        lines.insert(line - 1, lines[line - 1].replace(fix, "StartingPosition: AT_TIMESTAMP"))
    if name == "at_timestamp_on_dynamodb":
        del lines[line]  # the timestamp has no sense any more, and says so
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "app.py").touch()
    mended = tmp_path / "template.yaml"
    mended.write_text("\n".join(lines), encoding="utf-8")
    left = check(load(mended), now_ms=NOW_MS)
    assert {error.esm_code for error in left} <= {"E290"}, left


def pasted(line: str, fix: str) -> str:
    """The line with the fix in the place of what it mends."""
    indent = line[: len(line) - len(line.lstrip(" -"))]
    if fix.startswith("remove "):
        return ""
    if fix.startswith("!"):
        return line[: line.index("!")] + fix
    return indent + fix


def test_several_mistakes_are_found_at_once_in_the_order_of_their_lines(tmp_path: Path):
    path = tmp_path / "template.yaml"
    path.write_text(
        """
Resources:
  Orders: {Type: AWS::Kinesis::Stream}
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      BatchSize: 0
      EventSourceArn: !GetAtt Orders.Arn
      FunctionName: handler
      MaximumRetryAttempts: many
      ParallelizationFactor: 11
      StartingPosition: NOW
      Topics: [orders]
""",
        encoding="utf-8",
    )
    errors = check(load(path), now_ms=NOW_MS)
    found = [(e.esm_code, e.place.line, e.fix) for e in errors if e.place]
    assert found == [
        ("E204", 7, "BatchSize: 100"),
        ("E201", 10, "MaximumRetryAttempts: 2"),
        ("E204", 11, "ParallelizationFactor: 1"),
        ("E205", 12, 'StartingPosition: "TRIM_HORIZON"'),
        ("E220", 13, "remove Topics"),
    ]


@pytest.mark.parametrize(
    ("source", "properties", "found"),
    [
        ("Kinesis", "BatchSize: 10, MaximumRecordAgeInSeconds: 30", ["E222"]),
        ("Kinesis", "StartingPositionTimestamp: 1", ["E214"]),
        ("Kinesis", "MetricsConfig: {Metrics: [KafkaMetrics]}", ["E226"]),
        ("Kinesis", "ProvisionedPollerConfig: {}", ["E220"]),
        ("Kinesis", "ConsumerGroupId: g, Topics: [orders]", ["E220", "E220"]),
        ("Kinesis", "Enabled: maybe", ["E201"]),
        ("Kinesis", "DestinationConfig: {OnSuccess: {Destination: x}}", ["E207"]),
        ("Kinesis", "FilterCriteria: {Filters: [{Pattern: {data: {a: [1]}}}]}", ["E201"]),
        ("Kinesis", "TumblingWindowInSeconds: 60", []),
        ("Kinesis", "TumblingWindowInSeconds: 60, ParallelizationFactor: 2", ["E223"]),
        ("Kinesis", "Queues: [a]", ["E140"]),
        ("MSK", "Topics: [orders]", ["E290"]),
        ("MSK", "Topics: [orders], MaximumRetryAttempts: 1", ["E227"]),
        ("MSK", "Topics: [orders], KafkaBootstrapServers: [a:9092]", ["E220"]),
        ("MSK", "Topics: [orders], BatchSize: 0", ["E204"]),
        ("MSK", "BatchSize: 5", ["E216"]),
        ("SelfManagedKafka", "KafkaBootstrapServers: [a]", ["E207", "E216", "E216", "E220"]),
        ("DynamoDB", "StartingPositionTimestamp: 1", ["E220"]),
        ("DynamoDB", "MetricsConfig: {Metrics: [ErrorCount]}", ["E226"]),
        ("DynamoDB", "Topics: [orders]", ["E220"]),
    ],
)
def test_each_source_has_its_own_properties(tmp_path: Path, source, properties, found):
    service = {"MSK": "kafka", "DynamoDB": "dynamodb"}.get(source, "kinesis")
    arn = f"arn:aws:{service}:us-east-1:123456789012:table/t/stream/x"
    if service == "kafka":
        arn = "arn:aws:kafka:us-east-1:123456789012:cluster/orders/1-1"
    if service == "kinesis":
        arn = "arn:aws:kinesis:us-east-1:123456789012:stream/x"
    path = tmp_path / "template.yaml"
    path.write_text(
        f"""
Resources:
  Fn:
    Type: AWS::Serverless::Function
    Properties:
      Events:
        In:
          Type: {source}
          Properties: {{Stream: "{arn}", StartingPosition: LATEST, {properties}}}
""",
        encoding="utf-8",
    )
    assert sorted(e.esm_code for e in check(load(path), now_ms=NOW_MS)) == found
