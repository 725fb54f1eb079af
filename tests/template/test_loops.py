"""`Fn::ForEach`: resources, mappings and properties that a loop makes."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from writing import DEPLOYMENT, loaded, refused, written

from esm.errors import EsmError, TemplateError
from esm.template import load
from esm.template.loading import template_of
from esm.template.reading import read_text

EXTENDED = "Transform: [AWS::LanguageExtensions, AWS::Serverless-2016-10-31]\n"
SHOP = """
Transform: [AWS::LanguageExtensions, AWS::Serverless-2016-10-31]
Parameters:
  Names: {Type: CommaDelimitedList, Default: "Orders, Clicks"}
Mappings:
  Sizes: {Orders: {batch: 10}, Clicks: {batch: 20}}
Conditions:
  Fn::ForEach::Conditions:
    - Name
    - !Ref Names
    - Is${Name}: !Equals [!Ref Name, Orders]
Resources:
  Fn::ForEach::All:
    - Name
    - !Ref Names
    - "${Name}":
        Type: AWS::Kinesis::Stream
        Properties: {Name: !Sub "${AWS::StackName}-${Name}"}
      "${Name}Handler":
        Type: AWS::Serverless::Function
        Properties:
          CodeUri: src/
          Handler: app.handler
          Runtime: python3.13
          Environment:
            Variables:
              STREAM: !Ref Name
              Fn::ForEach::Variables: [Size, [s, l], {"${Size}_${Name}": !Ref Size}]
          Events:
            In:
              Type: Kinesis
              Properties:
                Stream: !GetAtt "${Name}.Arn"
                StartingPosition: LATEST
                BatchSize: !FindInMap [Sizes, !Ref Name, batch]
                Enabled: !If ["Is${Name}", true, false]
"""


def problem(folder: Path, text: str) -> EsmError:
    [error] = loaded(folder, text).problems
    return error


def test_a_loop_makes_streams_functions_and_mappings(tmp_path: Path):
    template = loaded(tmp_path, SHOP)
    assert template.problems == ()
    assert [stream.name for stream in template.streams.values()] == ["shop-Orders", "shop-Clicks"]
    assert list(template.mappings) == ["OrdersHandlerIn", "ClicksHandlerIn"]
    clicks = template.mappings["ClicksHandlerIn"].properties
    assert clicks["event_source_arn"] == template.streams["Clicks"].arn
    assert (clicks["batch_size"], clicks["enabled"]) == (20, False)
    environment = template.functions["OrdersHandler"].environment
    assert environment == {"STREAM": "Orders", "s_Orders": "s", "l_Orders": "l"}


def test_what_a_loop_goes_through_comes_from_outside(tmp_path: Path):
    template = loaded(tmp_path, SHOP.replace("Clicks: {b", "Views: {b"), Names="Views")
    assert list(template.mappings) == ["ViewsHandlerIn"]


def test_letters_and_digits_alone(tmp_path: Path):
    text = EXTENDED + (
        "Resources:\n"
        "  Fn::ForEach::Streams:\n"
        "    - Name\n"
        "    - [a.b-1, c]\n"
        '    - "S&{Name}": {Type: AWS::Kinesis::Stream, Properties: {Name: "${Name}-${Other}"}}\n'
    )
    streams = loaded(tmp_path, text).streams
    assert {name: s.name for name, s in streams.items()} == {
        "Sab1": "a.b-1-${Other}",
        "Sc": "c-${Other}",
    }


def test_a_complaint_leads_into_the_loops_body(tmp_path: Path):
    text = SHOP.replace('"${Name}.Arn"', '"${Name}s.Arn"')
    errors = [e for m in loaded(tmp_path, text).mappings.values() for e in m.problems]
    assert {(e.esm_code, e.fix) for e in errors} == {
        ("E120", "!GetAtt Orders.Arn"),
        ("E120", "!GetAtt Clicks.Arn"),
    }
    assert {e.place.text.strip() for e in errors if e.place and e.place.text} == {
        'Stream: !GetAtt "${Name}s.Arn"'
    }


@pytest.mark.parametrize(
    ("loop", "code", "fix"),
    [
        ("[Name, [a]]", "E123", 'Fn::ForEach::Streams: [Name, [Orders, Clicks], {"${Name}": {…}}]'),
        ("[Name, a, {}]", "E123", "[Orders, Clicks]"),
        ("[Name, !Ref Unset, {}]", "E112", "--parameter-overrides Unset=…"),
        ("[Name, !ImportValue x, {}]", "E122", "a parameter instead"),
    ],
)
def test_a_loop_that_cannot_be_written_out(tmp_path: Path, loop: str, code: str, fix: str):
    text = f"""
    Transform: AWS::LanguageExtensions
    Parameters: {{Unset: {{Type: CommaDelimitedList}}}}
    Resources:
      Fn::ForEach::Streams: {loop}
      Orders: {{Type: AWS::Kinesis::Stream}}
    """
    template = loaded(tmp_path, text)
    [error] = template.problems
    assert (error.esm_code, error.fix) == (code, fix)
    assert error.place is not None
    assert error.place.line == 4
    assert list(template.streams) == ["Orders"]


def test_names_that_a_loop_makes_twice(tmp_path: Path):
    text = EXTENDED + (
        "Resources:\n"
        "  Orders: {Type: AWS::Kinesis::Stream}\n"
        "  Fn::ForEach::Streams: [Name, [Orders], {'${Name}': {Type: AWS::Kinesis::Stream}}]\n"
    )
    error = problem(tmp_path, text)
    assert error.message == "'Orders' is there already, at 3:3"
    assert error.place is not None
    assert error.place.line == 4


def test_without_the_transform_there_are_no_loops(tmp_path: Path):
    text = SHOP.replace("[AWS::LanguageExtensions, AWS::Serverless-2016-10-31]", "Other")
    errors = loaded(tmp_path, text).problems
    assert {(e.esm_code, e.fix) for e in errors} >= {
        ("E123", "Transform: [AWS::LanguageExtensions, Other]")
    }


def test_a_loop_elsewhere_over_what_nobody_knows_harms_nobody(tmp_path: Path):
    text = """
    Transform: AWS::LanguageExtensions
    Resources:
      Orders: {Type: AWS::Kinesis::Stream}
      Pool:
        Type: AWS::Cognito::UserPool
        Properties: {Fn::ForEach::Tags: [Name, !ImportValue tags, {"${Name}": x}]}
    Outputs:
      Fn::ForEach::Arns: [Name, [Orders], {"${Name}Arn": {Value: !GetAtt "${Name}.Arn"}}]
    """
    assert loaded(tmp_path, text).problems == ()


def test_loops_in_loops_without_end_are_refused_at_once(tmp_path: Path):
    body = "{x: {Type: T}}"
    for depth in range(12):
        values = ", ".join(str(n) for n in range(10))
        body = f"{{Fn::ForEach::L{depth}: [V{depth}, [{values}], {body}]}}"
    start = time.perf_counter()
    error = refused(tmp_path, f"{EXTENDED}Resources: {body}\n")
    assert error.esm_code == "E126"
    assert time.perf_counter() - start < 10


NAMES = st.sampled_from(["A", "B", "Name", "${Name}", "&{Name}", "Ref", "Fn::ForEach::L", "Type"])
JSON = st.recursive(
    NAMES | st.none() | st.integers(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=20,
)
LOOPS = st.recursive(
    JSON,
    lambda inner: st.tuples(NAMES, st.lists(NAMES) | JSON, st.dictionaries(NAMES, inner)),
    max_leaves=10,
)


@given(st.dictionaries(NAMES, LOOPS, max_size=4), st.dictionaries(NAMES, LOOPS, max_size=4))
def test_any_loop_is_written_out_or_refused(resources: object, conditions: object):
    document = {
        "Transform": "AWS::LanguageExtensions",
        "Resources": resources,
        "Conditions": conditions,
    }
    root = read_text(json.dumps(document), "t.json")
    try:
        problems = template_of(root, Path("t.json"), {}, DEPLOYMENT).problems
    except TemplateError as error:
        problems = (error,)
    assert all(str(error) for error in problems)


def test_a_template_that_is_written_out_is_read_from_a_file(tmp_path: Path):
    path = written(tmp_path, SHOP)
    assert load(path).streams == load(path).streams
