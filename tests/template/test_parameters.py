"""Parameters: what their values may be, and what is said where they are not."""

from __future__ import annotations

from pathlib import Path

import pytest
from writing import loaded

from esm.errors import EsmError
from esm.template import Template


def with_parameter(folder: Path, written: str, **overrides: str) -> Template:
    """A template in which a stream is called what the parameter says."""
    text = f"""
    Parameters:
      P: {{{written}}}
    Resources:
      Orders: {{Type: AWS::Kinesis::Stream, Properties: {{Name: !Ref P}}}}
    """
    return loaded(folder, text, **overrides)


def only(template: Template) -> EsmError:
    [problem] = template.problems
    return problem


@pytest.mark.parametrize(
    ("written", "said", "fix"),
    [
        ("Type: String, AllowedPattern: '[a-z]+', Default: A1", "it must match [a-z]+", "…"),
        ("Type: String, AllowedPattern: 'a|b', Default: ab", "it must match a|b", "…"),
        ("Type: String, MinLength: 3, Default: ab", "it needs 3 characters", "…"),
        ("Type: String, MaxLength: '3', Default: abcd", "it has more than 3 characters", "abc"),
        ("Type: Number, MinValue: 3, Default: 2.5", "it must be at least 3", "3"),
        ("Type: Number, MaxValue: 3, Default: 4", "it must be at most 3", "3"),
        ("Type: Number, Default: nan", "it is no number", "1"),
        ("Type: Number, AllowedValues: [1, 2], Default: 3", "only one of 1, 2", "2"),
        ("Type: List<Number>, Default: '1, x'", "it is no number", "1,1"),
        (
            "Type: CommaDelimitedList, AllowedValues: [red, blue], Default: 'red, bleu'",
            "only one of red, blue",
            "red,blue",
        ),
    ],
)
def test_a_default_that_breaks_a_rule(tmp_path: Path, written: str, said: str, fix: str):
    error = only(with_parameter(tmp_path, written))
    assert error.esm_code == "E111"
    assert error.message.endswith(said)
    assert error.fix == f"Default: {fix}"
    assert error.place is not None
    assert error.place.text is not None
    assert error.place.column is not None
    assert error.place.text[: error.place.column - 1].endswith("Default: ")


def test_a_value_from_outside_is_told_with_the_templates_own_words(tmp_path: Path):
    written = "Type: String, AllowedPattern: '[a-z]+', ConstraintDescription: only small letters"
    error = only(with_parameter(tmp_path, written, P="ABC"))
    assert error.message == (
        "the parameter P cannot be 'ABC': it must match [a-z]+ (only small letters)"
    )
    assert error.fix == "--parameter-overrides P=…"
    assert with_parameter(tmp_path, written, P="abc").problems == ()


def test_a_secret_value_is_never_shown(tmp_path: Path):
    written = "Type: String, NoEcho: true, MaxLength: 5, Default: opensesame"
    template = with_parameter(tmp_path, written)
    error = only(template)
    assert "opens" not in str(error)
    assert error.fix == "Default: …"
    assert template.secrets == {"opensesame"}


def test_no_other_part_of_a_secret_list_is_shown(tmp_path: Path):
    written = "Type: CommaDelimitedList, NoEcho: true, AllowedValues: [a]"
    error = only(with_parameter(tmp_path, written, P="a,sesame,open"))
    assert error.fix == "--parameter-overrides P=…"
    assert "sesame" not in str(error)


@pytest.mark.parametrize(
    ("written", "fix"),
    [
        ("Type: Strng", "Type: String"),
        ("Type: List<String>", "Type: CommaDelimitedList"),
        ("Type: commadelimitedlist", "Type: CommaDelimitedList"),
        ("Type: AWS::SSM::Parameter::Value<Strin>", "Type: AWS::SSM::Parameter::Value<String>"),
        ("Type: String, AllowedValue: [a]", "AllowedValues"),
        ("Type: String, AllowedValues: a", "AllowedValues: [a, b]"),
        ("Type: String, MinLength: few", "MinLength: 1"),
        ("Default: a", "Type: String"),
    ],
)
def test_what_is_no_parameter(tmp_path: Path, written: str, fix: str):
    error = only(with_parameter(tmp_path, written, P="a"))
    assert (error.esm_code, error.fix) == ("E111", fix)


@pytest.mark.parametrize(
    "kind",
    [
        "AWS::EC2::KeyPair::KeyName",
        "List<AWS::EC2::Subnet::Id>",
        "AWS::SSM::Parameter::Name",
        "CommaDelimitedList",
    ],
)
def test_types_that_aws_knows_are_taken(tmp_path: Path, kind: str):
    assert with_parameter(tmp_path, f"Type: '{kind}', Default: a").problems[1:] == ()


def test_a_list_is_taken_apart(tmp_path: Path):
    text = """
    Parameters:
      Names: {Type: CommaDelimitedList, Default: "orders , clicks"}
      Shards: {Type: List<Number>, Default: "2, 3"}
    Resources:
      A:
        Type: AWS::Kinesis::Stream
        Properties: {Name: !Select [1, !Ref Names], ShardCount: !Select [1, !Ref Shards]}
    """
    stream = loaded(tmp_path, text).streams["A"]
    assert (stream.name, stream.shards) == ("clicks", 3)


def test_a_stored_value_is_needed_where_it_is_used(tmp_path: Path):
    written = "Type: 'AWS::SSM::Parameter::Value<String>', Default: /shop/name, MaxLength: 4"
    error = only(with_parameter(tmp_path, written))
    assert error.esm_code == "E112"
    assert error.message == (
        "the parameter P lies in SSM's parameter store, and its value is not known here"
    )
    assert error.fix == "--parameter-overrides P=…"
    assert error.place is not None
    assert error.place.line == 4
    assert with_parameter(tmp_path, written, P="orders").streams["Orders"].name == "orders"


def test_a_stored_value_that_nobody_uses_harms_nobody(tmp_path: Path):
    text = """
    Parameters:
      P: {Type: 'AWS::SSM::Parameter::Value<List<String>>', Default: /shop/name}
    Resources:
      Orders: {Type: AWS::Kinesis::Stream}
    """
    assert loaded(tmp_path, text).problems == ()
