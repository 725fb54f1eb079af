"""What intrinsic functions give, and what is said of those that only a deployment knows."""

from __future__ import annotations

from pathlib import Path

import pytest
from writing import loaded, written

from esm.errors import EsmError
from esm.template import load

EXTENDED = "Transform: AWS::LanguageExtensions"


def template_text(expression: str, transform: str) -> str:
    return f"""
    {transform}
    Parameters:
      List: {{Type: CommaDelimitedList, Default: "a,b,c"}}
    Mappings:
      Sizes: {{small: {{shards: 1}}}}
    Resources:
      A: {{Type: AWS::Kinesis::Stream, Properties: {{Name: {expression}}}}}
      Inner: {{Type: AWS::Serverless::Application, Properties: {{Location: inner.yaml}}}}
      Nested: {{Type: AWS::CloudFormation::Stack, Properties: {{TemplateURL: nested.yaml}}}}
    """


def value(folder: Path, expression: str, transform: str = EXTENDED) -> str:
    template = loaded(folder, template_text(expression, transform))
    assert template.problems == ()
    return template.streams["A"].name


def refusal(folder: Path, expression: str, transform: str = EXTENDED) -> EsmError:
    [error] = loaded(folder, template_text(expression, transform)).problems
    assert error.place is not None
    assert error.place.text is not None
    assert expression in error.place.text
    return error


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("!Length [a, !Ref AWS::NoValue, b]", "2"),
        ("!Length {Ref: List}", "3"),
        ("!ToJsonString {a: 1, b: [true, é], c: !Ref AWS::Region}",
         '{"a":1,"b":[true,"é"],"c":"us-east-1"}'),
        ("!ToJsonString [!Ref List]", '[["a","b","c"]]'),
        ("!FindInMap [Sizes, small, shards, {DefaultValue: 5}]", "1"),
        ("!FindInMap [Sizes, large, shards, {DefaultValue: 5}]", "5"),
        ("!FindInMap [Forms, large, shards, {DefaultValue: !Ref AWS::StackName}]", "shop"),
        ("!Base64 'a b'", "YSBi"),
        ("!Select [1, !Cidr [10.0.0.0/16, 3, 5]]", "10.0.0.32/27"),
        ("!Select [1, !Cidr [10.0.0.0/16, 3]]", "10.0.1.0/24"),
        ("!Select [1, !Cidr ['2001:db8::/56', 2, 64]]", "2001:db8:0:1::/64"),
    ],
)  # fmt: skip
def test_a_function_gives(tmp_path: Path, expression: str, expected: str):
    assert value(tmp_path, expression) == expected


@pytest.mark.parametrize(
    ("expression", "code", "fix"),
    [
        ("!Length a", "E123", "!Length [a, b]"),
        ("!ToJsonString a", "E123", "!ToJsonString {a: 1}"),
        ("!FindInMap [Sizes, smal, shards]", "E120", "small"),
        ("!FindInMap [Sizes, small, shards, 5]", "E123", "!FindInMap [Map, first, second]"),
        ("!Cidr [10.0.0.0/16]", "E123", '!Cidr ["10.0.0.0/16", 4, 8]'),
        ("!Cidr [10.0.0.0/16, many]", "E123", '!Cidr ["10.0.0.0/16", 4, 8]'),
        ("!Cidr [10.0.0.1/16, 4]", "E123", '!Cidr ["10.0.0.0/16", 4, 8]'),
        ("!Cidr [10.0.0.0/24, 256, 8]", "E123", '!Cidr ["10.0.0.0/16", 4, 8]'),
        ("!Cidr [10.0.0.0/24, 4, 999999999999]", "E123", '!Cidr ["10.0.0.0/16", 4, 8]'),
    ],
)
def test_a_function_without_its_form(tmp_path: Path, expression: str, code: str, fix: str):
    error = refusal(tmp_path, expression)
    assert (error.esm_code, error.fix) == (code, fix)


@pytest.mark.parametrize(
    ("expression", "said", "fix"),
    [
        ("!ImportValue orders", "the export orders of another stack", "a parameter instead"),
        ("!GetAZs ''", "the account's availability zones", "[us-east-1a, us-east-1b, us-east-1c]"),
        ("{Fn::Transform: {Name: Shout}}", "what the macro Shout gives", "what it gives, written"),
        ("!GetAtt Inner.Outputs.Arn", "Inner is a stack of its own (AWS::Serverless::App", "a p"),
        ("!GetAtt Nested.Outputs.Arn", "Nested is a stack of its own (AWS::CloudForm", "a parame"),
    ],
)  # fmt: skip
def test_what_only_a_deployment_knows_is_said_where_it_is_used(
    tmp_path: Path, expression: str, said: str, fix: str
):
    error = refusal(tmp_path, expression)
    assert error.esm_code == "E122"
    assert error.message.startswith(said)
    assert error.message.endswith("is not known here") or expression.startswith("!GetAZs")
    assert error.fix is not None
    assert error.fix.startswith(fix)


@pytest.mark.parametrize(
    "expression",
    ["!Length [a]", "!ToJsonString {a: 1}", "!FindInMap [Sizes, x, y, {DefaultValue: 5}]"],
)
@pytest.mark.parametrize("transform", ["", "Transform: AWS::Serverless-2016-10-31"])
def test_extensions_of_the_language_need_their_transform(
    tmp_path: Path, expression: str, transform: str
):
    error = refusal(tmp_path, expression, transform)
    names = transform.partition(": ")[2]
    whole = ", ".join(filter(None, ["AWS::LanguageExtensions", names]))
    assert (error.esm_code, error.fix) == ("E123", f"Transform: [{whole}]")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Transform: [AWS::Serverless-2016-10-31, Shout]", ["Shout"]),
        ("Transform: {Name: AWS::Include, Parameters: {Location: x}}", ["AWS::Include"]),
        ("Transform: [AWS::LanguageExtensions]", []),
        ("Transform: 5", ["5"]),
    ],
)
def test_a_macro_is_not_run_and_this_is_said_once(tmp_path: Path, text: str, names: list[str]):
    problems = loaded(tmp_path, f"{text}\nResources: {{A: {{Type: X}}}}").problems
    assert [(e.esm_code, e.message) for e in problems] == [
        ("W101", f"the macro {name} is not run: the template is read as it is written")
        for name in names
    ]


def test_a_macro_inside_the_resources_is_not_run(tmp_path: Path):
    text = """
    Resources:
      Fn::Transform: {Name: MoreResources}
      Orders:
        Type: AWS::Kinesis::Stream
        Properties:
          ShardCount: 3
          Fn::Transform: {Name: MoreProperties}
      Pool: {Type: AWS::Cognito::UserPool, Properties: {Fn::Transform: {Name: None}}}
    """
    template = loaded(tmp_path, text)
    assert template.streams["Orders"].shards == 3
    assert [(e.esm_code, e.message.split()[2]) for e in template.problems] == [
        ("W101", "MoreResources"),
        ("W101", "MoreProperties"),
    ]


@pytest.mark.parametrize(
    ("written_in_json", "fix"),
    [
        ('{"Fn::Join": ["a"]}', '{"Fn::Join": ["-", ["orders", "dlq"]]}'),
        ('{"Fn::Length": "a"}', '"Transform": ["AWS::LanguageExtensions"]'),
        ('{"Fn::GetAZs": ""}', '["us-east-1a", "us-east-1b", "us-east-1c"]'),
        ('{"Fn::GetAtt": ["Nobody", "Arn"]}', '{"Fn::GetAtt": ["A", "Arn"]}'),
        ('{"Ref": "P"}', "--parameter-overrides P=…"),
    ],
)
def test_a_fix_can_be_pasted_into_json(tmp_path: Path, written_in_json: str, fix: str):
    text = (
        '{"Parameters": {"P": {"Type": "String"}}, "Resources": {"A": {'
        f'"Type": "AWS::Kinesis::Stream", "Properties": {{"Name": {written_in_json}}}}}}}}}'
    )
    [error] = load(written(tmp_path, text, "template.json")).problems
    assert error.fix == fix
