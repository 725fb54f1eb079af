"""A mapping's patterns, compiled or refused in AWS's words."""

from __future__ import annotations

import json

import pytest

from esm.core.filtering import Pattern
from esm.errors import MappingError
from esm.mapping.filters import FilterFault, judge, paste_pattern
from esm.mapping.sources import Source


def fault_of(pattern: str, source: Source | None = Source.KINESIS) -> FilterFault:
    fault = judge(pattern, source)
    assert isinstance(fault, FilterFault)
    return fault


def refusal(pattern: str, source: Source = Source.KINESIS) -> MappingError:
    fault = fault_of(pattern, source)
    return fault.error(2, paste_pattern(fault.meant))


def test_a_sound_pattern_is_compiled():
    pattern = judge('{"data": {"type": ["buy"]}}', Source.KINESIS)
    assert isinstance(pattern, Pattern)
    assert pattern.matches({"data": {"type": "buy"}})


@pytest.mark.parametrize(
    ("pattern", "esm_code", "what", "fix"),
    [
        ("null", "E250", "not a JSON object", '{"data": {"id": [1]}}'),
        ("simple string", "E250", "not JSON", '{"data": {"id": [1]}}'),
        ('{"a": "b"}', "E251", '"a" must be a list of values', '{"a": ["b"]}'),
        (
            '{"a": [{"wildcard": "x"}]}', "E253", 'there is no operator "wildcard"',
            None,
        ),
    ],
)  # fmt: skip
def test_awss_answer_is_unchanged_and_the_reason_stands_beside_it(
    pattern: str, esm_code: str, what: str, fix: str | None
):
    error = refusal(pattern)
    assert error.code == "InvalidParameterValueException"
    assert error.message == "Invalid filter pattern definition."
    assert error.esm_code == esm_code
    assert f"what   filter 2: {what}" in str(error).split("\n")
    if fix is not None:
        assert error.fix == f"Pattern: '{fix}'"


@pytest.mark.parametrize(
    ("source", "key"),
    [
        (Source.KINESIS, "data"),
        (Source.DYNAMODB, "dynamodb"),
        (Source.MSK, "value"),
        (Source.SELF_MANAGED_KAFKA, "value"),
        (None, "data"),
    ],
)
def test_an_example_is_one_for_the_source(source: Source | None, key: str):
    meant = fault_of("{}", source).meant
    assert json.loads(meant) == {key: {"id": [1]}}
    assert isinstance(judge(meant, source), Pattern)


def test_a_quote_in_a_pattern_is_doubled_for_yaml():
    assert paste_pattern("""{"a": ["it's"]}""") == """Pattern: '{"a": ["it''s"]}'"""


@pytest.mark.parametrize("pattern", ['{"data": ["x"]}', '{"data": [{"prefix": "x"}]}'])
def test_data_of_kinesis_is_filtered_as_json_unless_told_otherwise(pattern: str):
    error = refusal(pattern)
    assert (error.esm_code, error.message) == ("E250", "Invalid filter pattern definition.")
    assert error.detail is not None
    assert error.detail.startswith('filter 2: "data" must be an object')
    compiled = judge(pattern, Source.KINESIS, reject_plain_data=False)
    assert isinstance(compiled, Pattern)
    assert compiled.matches({"data": "x"})


def test_plain_text_in_an_alternative_is_found_too():
    assert fault_of('{"$or": [{"data": ["x"]}, {"partitionKey": ["1"]}]}').path == ()
    assert fault_of('{"data": ["x"]}').path == ("data",)


def test_only_kinesis_has_no_plain_text():
    assert not isinstance(judge('{"value": ["x"]}', Source.MSK), FilterFault)
    assert not isinstance(judge('{"dynamodb": ["x"]}', Source.DYNAMODB), FilterFault)
    assert not isinstance(judge('{"data": ["x"]}', None), FilterFault)
