"""Templates as text: every complaint has its place, and no text can do harm."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from writing import DEPLOYMENT, refused, where, written

from esm.errors import EsmError, TemplateError
from esm.template import load
from esm.template.checking import check
from esm.template.loading import template_of
from esm.template.nodes import Entries, Items, plain
from esm.template.reading import read_text

NOW_MS = 1_767_300_000_000
SHORT = """
Resources:
  Orders:
    Type: AWS::Kinesis::Stream
    Properties: {Name: !Sub "${AWS::StackName}-orders", ShardCount: 2}
"""
LONG = {
    "Resources": {
        "Orders": {
            "Type": "AWS::Kinesis::Stream",
            "Properties": {"Name": {"Fn::Sub": "${AWS::StackName}-orders"}, "ShardCount": 2},
        }
    }
}


def test_yaml_and_json_short_and_long_forms_say_the_same(tmp_path: Path):
    short = load(written(tmp_path, SHORT), deployment=DEPLOYMENT)
    path = tmp_path / "stack.template.json"
    for indent in (None, 2, "\t"):
        path.write_text(json.dumps(LONG, indent=indent), encoding="utf-8")
        long = load(path, deployment=DEPLOYMENT)
        assert long.streams["Orders"].name == short.streams["Orders"].name == "shop-orders"
        assert long.streams["Orders"].shards == 2


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", True),
        ("100", 100),
        ("0.5", 0.5),
        ("~", None),
        ("2010-09-09", "2010-09-09"),
        ("'100'", "100"),
        ("!!str 100", "100"),
        ("012345678901", "012345678901"),
        ("!GetAtt A.B", {"Fn::GetAtt": ["A", "B"]}),
        ("!Not [!Condition A]", {"Fn::Not": [{"Condition": "A"}]}),
        ("{a: {<<: {b: 1, c: 2}, c: 3}}", {"a": {"b": 1, "c": 3}}),
        ("[&x [1], *x]", [[1], [1]]),
    ],
)
def test_a_value_means_what_it_means_to_sam(text: str, value: object):
    assert plain(read_text(text, "t.yaml")) == value


def test_a_place_is_the_line_and_column_that_the_user_sees():
    node = read_text("a: 1\r\nb:\r\n  - é: !Sub x\r\n", "t.yaml")
    assert isinstance(node, Entries)
    items = node.entries["b"]
    assert isinstance(items, Items)
    [entry] = items.items
    assert isinstance(entry, Entries)
    value = entry.entries["é"].place
    assert (str(value), value.text) == ("t.yaml:3:8", "  - é: !Sub x")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Resources: [", ("E102", 2, 1)),
        ("Resources:\n  A: 'b", ("E102", 2, 8)),
        ("Resources:\n  A: 1\n  A: 2\n", ("E104", 3, 3)),
        ("Resources:\n  <<: 1\n", ("E105", 2, 7)),
        ("Resources: *nothing\n", ("E105", 1, 12)),
        ("Resources: &a\n  A: *a\n", ("E105", 2, 6)),
        ("Resources:\n  ? [a]\n  : 1\n", ("E105", 2, 5)),
        ("Resources: {}\n---\nResources: {}\n", ("E105", 2, 1)),
        ("Resources: !!int x\n", ("E105", 1, 12)),
        ("Resources:\n  A: !GetAt B.Arn\n", ("E106", 2, 6)),
        ("Resources:\n  A: !!python/object:os.system x\n", ("E106", 2, 6)),
        ("- a\n", ("E107", 1, 1)),
        ("a: 1\n", ("E107", 1, 1)),
        ("Resources:\n  - A\n", ("E107", 2, 3)),
        ("Resources:\n  A: {}\n", ("E107", 2, 3)),
        ("Resources:\n  A: {Type: T, Properties: []}\n", ("E107", 2, 28)),
        ("Resources:\n  A: {Type: T, Condition: [x]}\n", ("E107", 2, 27)),
        ("Resources:\n", ("E107", 1, 11)),
        ("Resources: null\n", ("E107", 1, 12)),
        ("Resources:\n  é: \0\n", ("E102", 2, 6)),
        ("Resources:\n  A: x\x1b\n", ("E102", 2, 7)),
    ],
)
def test_what_is_no_template_is_refused_at_its_place(tmp_path: Path, text, found):
    assert where(refused(tmp_path, text)) == found


@pytest.mark.parametrize(
    ("text", "place", "fix"),
    [
        ('{"Resources": {"A": {"Type": "T"},}}', (1, 34), "remove the comma"),
        ('{"Resources":\n {"A": {"Type": "T"}},\n\n}', (2, 22), "remove the comma"),
        ('{"Resources": {"A": [1, 2, ]}}', (1, 26), "remove the comma"),
        ("{'Resources': {}}", (1, 2), None),
        ('{"Resources": {}} # a comment', (1, 19), None),
        ("Resources: {}", (1, 1), None),
    ],
)
def test_json_is_stricter_than_yaml(tmp_path: Path, text: str, place: tuple[int, int], fix: str):
    error = refused(tmp_path, text, "template.json")
    assert where(error) == ("E102", *place)
    assert error.fix == fix


@pytest.mark.parametrize("name", ["template.yaml", "template.json"])
def test_a_key_that_is_there_twice_is_told_with_both_places(tmp_path: Path, name: str):
    error = refused(tmp_path, '{"Resources": {"A": 1,\n "A": 2}}', name)
    assert where(error) == ("E104", 2, 2)
    assert error.message == "'A' is there already, at 1:16"
    assert error.fix == "remove one of the two, at 1:16 or here"


def test_a_template_without_resources_can_be_read_and_not_deployed(tmp_path: Path):
    [problem] = load(written(tmp_path, "Resources: {}")).problems
    assert problem.esm_code == "E107"


def test_the_nearest_short_form_is_the_fix(tmp_path: Path):
    assert refused(tmp_path, "Resources: !GetAt B.Arn").fix == "!GetAtt"


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path):
    binary = tmp_path / "template.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "nowhere.yaml", tmp_path, binary):
        with pytest.raises(TemplateError) as caught:
            load(path)
        assert caught.value.esm_code == "E101"


def test_aliases_that_would_fill_all_memory_are_refused(tmp_path: Path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    assert refused(tmp_path, "\n".join(lines)).esm_code == "E103"


@pytest.mark.parametrize("deep", ["[" * 100_000, "{a: " * 100_000, "- " * 10_000])
def test_nesting_without_end_is_refused(tmp_path: Path, deep: str):
    assert refused(tmp_path, deep).esm_code == "E103"


def test_a_file_without_end_is_refused(tmp_path: Path):
    assert refused(tmp_path, "#" * 5_000_000).esm_code == "E103"


def test_a_number_without_end_is_refused(tmp_path: Path):
    assert refused(tmp_path, f"Resources: {'9' * 5_000}").esm_code == "E103"


NAMES = st.sampled_from(["Orders", "Fn", "Size", "A", "Big", "Arn", "Fn.Arn", "AWS::NoValue", "x"])
WORDS = st.sampled_from(
    [
        *("Resources", "Type", "Properties", "Events", "Stream", "BatchSize", "FilterCriteria"),
        *("Ref", "Fn::Sub", "Fn::GetAtt", "Fn::If", "Fn::Join", "Fn::Select", "Fn::Split"),
        *("Fn::FindInMap", "Fn::Equals", "Condition", "Name", "Environment", "Variables", "Tags"),
        *("DestinationConfig", "OnFailure", "Destination", "Filters", "Pattern", "CodeUri"),
        *("StartingPosition", "Handler", "FunctionName", "EventSourceArn", "StreamARN"),
        *("Fn::ForEach::A", "Fn::Length", "Fn::Cidr", "Fn::ToJsonString", "Fn::Transform"),
    ]
)
TYPES = st.sampled_from(
    [
        *("AWS::Serverless::Function", "AWS::Lambda::EventSourceMapping", "AWS::Lambda::Function"),
        *("AWS::Kinesis::Stream", "AWS::Kinesis::StreamConsumer", "AWS::SQS::Queue", "Kinesis"),
        *("AWS::DynamoDB::Table", "AWS::S3::Bucket", "MSK", "SelfManagedKafka", "DynamoDB"),
    ]
)
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | NAMES | TYPES
    | st.text(max_size=8) | st.sampled_from(["${A}", "${Fn.Arn}", '{"data": {"a": {"b": 1}}}'])
)  # fmt: skip
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | NAMES, inner, max_size=4),
    max_leaves=20,
)
RESOURCE = st.fixed_dictionaries(
    {"Type": TYPES}, optional={"Properties": st.dictionaries(WORDS, JSON), "Condition": NAMES}
)
TEMPLATES = st.fixed_dictionaries(
    {"Resources": st.dictionaries(NAMES, RESOURCE, max_size=4)},
    optional={
        "Parameters": st.dictionaries(NAMES, JSON),
        "Conditions": st.dictionaries(NAMES, JSON),
        "Mappings": st.dictionaries(NAMES, JSON),
        "Globals": st.fixed_dictionaries({"Function": st.dictionaries(WORDS, JSON)}),
        "Transform": JSON | st.just("AWS::LanguageExtensions"),
    },
)
EVENTS = st.fixed_dictionaries(
    {"Type": TYPES, "Properties": st.dictionaries(WORDS, JSON, max_size=5)}
)


def complaints(text: str, name: str) -> list[EsmError]:
    """Everything that is said about a text; any exception but ours fails the test."""
    try:
        template = template_of(read_text(text, name), Path(name), {"Size": "1"}, DEPLOYMENT)
    except TemplateError as error:
        return [error]
    return check(template, now_ms=NOW_MS)


@given(st.text() | st.text(alphabet="[]{}:,-&*!?|>'\"\n \taZ0<#%"))
def test_any_text_is_read_or_refused(text: str):
    assert all(str(error) for error in complaints(text, "t.yaml"))


@given(JSON | TEMPLATES)
def test_any_json_is_read_or_refused(document: object):
    assert all(str(error) for error in complaints(json.dumps(document), "t.json"))


@given(st.dictionaries(NAMES, EVENTS, max_size=3), st.dictionaries(WORDS, JSON, max_size=5))
def test_any_mapping_is_checked(events: object, properties: object):
    document = {
        "Resources": {
            "Fn": {"Type": "AWS::Serverless::Function", "Properties": {"Events": events}},
            "Raw": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": properties},
            "Orders": {"Type": "AWS::Kinesis::Stream"},
        }
    }
    assert all(str(error) for error in complaints(json.dumps(document), "t.json"))
