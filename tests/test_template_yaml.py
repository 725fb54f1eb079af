"""The SAM application of handlers/ deploys as it is, and its mapping is one that AWS takes."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from esm.mapping import EventSourceMapping, create

ROOT = Path(__file__).parent.parent
NOW_MS = 1_767_225_600_000
ACCOUNT = "us-east-1:123456789012"
ARNS = {
    "AWS::DynamoDB::Table": f"arn:aws:dynamodb:{ACCOUNT}:table/",
    "AWS::Kinesis::Stream": f"arn:aws:kinesis:{ACCOUNT}:stream/",
    "AWS::S3::Bucket": "arn:aws:s3:::",
    "AWS::SQS::Queue": f"arn:aws:sqs:{ACCOUNT}:",
}
SHORT_FORMS = {
    "!Ref": "Ref",
    "!GetAtt": "Fn::GetAtt",
    "!Sub": "Fn::Sub",
    "!Select": "Fn::Select",
    "!Split": "Fn::Split",
}
STREAM_EVENTS = {"Kinesis", "DynamoDB"}
PSEUDO_PARAMETERS = {"AWS::AccountId", "AWS::Region", "AWS::StackId"}


class Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms, as far as the template uses them."""


def argument(loader: Loader, node: yaml.Node) -> Any:
    """What a function is given, text or a list."""
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    assert isinstance(node, yaml.ScalarNode)
    return loader.construct_scalar(node)


for tag, function in SHORT_FORMS.items():
    Loader.add_constructor(tag, lambda loader, node, name=function: {name: argument(loader, node)})

TEMPLATE: dict[str, Any] = yaml.load((ROOT / "template.yaml").read_text(), Loader)
PARAMETERS: dict[str, Any] = TEMPLATE["Parameters"]
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]
FUNCTIONS = {
    name: {**TEMPLATE["Globals"]["Function"], **resource["Properties"]}
    for name, resource in RESOURCES.items()
    if resource["Type"] == "AWS::Serverless::Function"
}
EVENTS = {
    function + event: (function, properties["Events"][event]["Properties"])
    for function, properties in FUNCTIONS.items()
    for event in properties["Events"]
    if properties["Events"][event]["Type"] in STREAM_EVENTS
}


def resolved(value: Any, parameters: dict[str, Any]) -> Any:
    """The value with parameters and ARNs put in for Ref and GetAtt."""
    match value:
        case {"Ref": name}:
            return parameters[name]
        case {"Fn::GetAtt": path}:
            name, attribute = path.split(".")
            assert attribute in ("Arn", "StreamArn")
            label = "/stream/2026-01-01T00:00:00.000" if attribute == "StreamArn" else ""
            return ARNS[RESOURCES[name]["Type"]] + name + label
        case dict():
            return {name: resolved(part, parameters) for name, part in value.items()}
        case list():
            return [resolved(part, parameters) for part in value]
    return value


def mapping(name: str, parameters: dict[str, Any]) -> EventSourceMapping:
    """The mapping that SAM makes of an event."""
    function, event = EVENTS[name]
    properties = resolved(event, parameters)
    properties["EventSourceArn"] = properties.pop("Stream")
    # SAM makes a policy of the destination's type, of a queue's and not of a bucket's, and does not
    # pass it on.
    on_failure = properties["DestinationConfig"]["OnFailure"]
    assert on_failure.pop("Type", "S3") == ("S3" if ":s3:" in on_failure["Destination"] else "SQS")
    return create({"FunctionName": function, **properties}, now_ms=NOW_MS)


def defaults() -> dict[str, Any]:
    return {name: parameter["Default"] for name, parameter in PARAMETERS.items()}


def references(value: Any) -> set[str]:
    """The logical ids in a part of the template."""
    match value:
        case {"Ref": name}:
            return {name} - PSEUDO_PARAMETERS
        case {"Fn::Sub": str(text)}:
            return set(re.findall(r"\$\{(?!AWS::)(\w+)", text))
        case {"Fn::GetAtt": path}:
            return {path.split(".")[0]}
        case dict():
            return set().union(*map(references, value.values()))
        case list():
            return set().union(*map(references, value))
    return set()


@pytest.mark.sam
@pytest.mark.skipif(shutil.which("sam") is None, reason="the command sam is not installed")
def test_sam_finds_nothing_wrong_with_the_template(tmp_path: Path):
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "SAM_CLI_TELEMETRY": "0"}
    checked = subprocess.run(
        ["sam", "validate", "--lint", "--region", "us-east-1"],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "is a valid SAM Template" in checked.stdout


def test_every_name_that_the_template_uses_is_in_it():
    assert references(TEMPLATE) <= PARAMETERS.keys() | RESOURCES.keys()


def test_every_parameter_is_used():
    assert references([RESOURCES, TEMPLATE["Globals"]]) >= PARAMETERS.keys()


def test_every_folder_of_handlers_is_a_function():
    folders = {(ROOT / function["CodeUri"]).resolve() for function in FUNCTIONS.values()}
    assert folders == {path.parent for path in (ROOT / "handlers").resolve().glob("*/app.py")}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_handler_of_a_function_is_there_with_what_it_requires(name: str):
    folder = ROOT / FUNCTIONS[name]["CodeUri"]
    module, handler = FUNCTIONS[name]["Handler"].split(".")
    body = ast.parse((folder / f"{module}.py").read_text()).body
    assert handler in {node.name for node in body if isinstance(node, ast.FunctionDef)}
    assert (folder / "requirements.txt").is_file()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_run_on_a_python_that_the_project_supports(name: str):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    version = FUNCTIONS[name]["Runtime"].removeprefix("python")
    assert f"Programming Language :: Python :: {version}" in project["classifiers"]


def test_the_description_names_every_application():
    text = (ROOT / "template.yaml").read_text()
    titles = re.findall(r"^  # --- ([^:\n]+): ", text, re.MULTILINE)
    assert len(titles) == 4
    assert [title for title in titles if title not in TEMPLATE["Description"]] == []


@pytest.mark.parametrize("function", sorted({function for function, _ in EVENTS.values()}))
def test_who_reads_a_stream_has_an_alarm_on_how_far_behind_it_is(function: str):
    dimensions = [{"Name": "FunctionName", "Value": {"Ref": function}}]
    [alarm] = [
        resource["Properties"]
        for resource in RESOURCES.values()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
        and resource["Properties"]["Dimensions"] == dimensions
    ]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/Lambda", "IteratorAge")
    assert alarm["Statistic"] == "Maximum"
    assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
    waits_s = [
        mapping(name, defaults()).maximum_batching_window_in_seconds
        for name, (reader, _) in EVENTS.items()
        if reader == function
    ]
    assert alarm["Threshold"] > 1000 * max(waits_s), "a batch may wait as long as its window"


def test_the_sign_ups_have_the_mapping_that_their_function_asks_for():
    m = mapping("BandwidthEnrichmentSignups", defaults())
    assert m.event_source_arn == f"arn:aws:kinesis:{ACCOUNT}:stream/SignUps"
    assert m.on_failure == f"arn:aws:sqs:{ACCOUNT}:FailedSignUps"
    assert m.changed() == {
        "MaximumBatchingWindowInSeconds": 30,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "BisectBatchOnFunctionError": True,
        "MaximumRetryAttempts": 2,
        "MaximumRecordAgeInSeconds": 86400,
        "DestinationConfig": {"OnFailure": {"Destination": m.on_failure}},
    }
    assert (m.batch_size, m.parallelization_factor, m.starting_position) == (100, 1, "TRIM_HORIZON")


@pytest.mark.parametrize("limit", ["MinValue", "MaxValue"])
@pytest.mark.parametrize("name", EVENTS)
def test_what_the_parameters_let_through_aws_takes(name: str, limit: str):
    used = references(EVENTS[name][1]) & PARAMETERS.keys()
    extremes = {parameter: PARAMETERS[parameter][limit] for parameter in used}
    m = mapping(name, {**defaults(), **extremes})
    assert set(extremes.values()) <= {
        m.batch_size,
        m.maximum_batching_window_in_seconds,
        m.parallelization_factor,
        m.tumbling_window_in_seconds,
    }


def test_the_function_may_write_where_it_is_told_to_and_nowhere_else():
    function = FUNCTIONS["BandwidthEnrichment"]
    told = function["Environment"]["Variables"]["ENRICHED_STREAM_NAME"]
    [statement] = function["Policies"][0]["Statement"]
    assert len(function["Policies"]) == 1
    assert statement == {
        "Effect": "Allow",
        "Action": "kinesis:PutRecords",
        "Resource": {"Fn::GetAtt": f"{told['Ref']}.Arn"},
    }


def test_the_variables_that_the_code_reads_are_set():
    code = (ROOT / "handlers" / "bandwidth_enrichment" / "app.py").read_text()
    read = set(re.findall(r'os\.environ\["(\w+)"\]', code))
    assert read == FUNCTIONS["BandwidthEnrichment"]["Environment"]["Variables"].keys()


def test_what_lambda_puts_aside_can_be_fetched_as_long_as_it_is_noted():
    hours = RESOURCES["SignUps"]["Properties"]["RetentionPeriodHours"]
    queue = RESOURCES["FailedSignUps"]["Properties"]
    assert "FifoQueue" not in queue  # Lambda refuses one
    assert queue["MessageRetentionPeriod"] == hours * 3600
    age = mapping("BandwidthEnrichmentSignups", defaults()).maximum_record_age_in_seconds
    assert age < hours * 3600
