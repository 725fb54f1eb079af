"""Structured values, in the two forms in which the AWS CLI takes them."""

from __future__ import annotations

import pytest

from esm.cli.shorthand import NotAValue, parse_list, parse_structure


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"OnFailure": {"Destination": "arn:x"}}', {"OnFailure": {"Destination": "arn:x"}}),
        ("OnFailure={Destination=arn:x}", {"OnFailure": {"Destination": "arn:x"}}),
        ("OnFailure={ Destination=arn:x }", {"OnFailure": {"Destination": "arn:x"}}),
        ("A=b,C=d", {"A": "b", "C": "d"}),
        ("A=two words,B=c", {"A": "two words", "B": "c"}),
        ("A=[b,c]", {"A": ["b", "c"]}),
        ("A=[]", {"A": []}),
        ("Filters=[{Pattern='{\"a\": [1]}'}]", {"Filters": [{"Pattern": '{"a": [1]}'}]}),
        (r'A="say \"b\""', {"A": 'say "b"'}),
        ("A=''", {"A": ""}),
        ("{}", {}),
        ("[1]", [1]),
    ],
)
def test_a_structure(text: str, value: object):
    assert parse_structure(text) == value


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "expected a name"),
        ("A", 'expected "="'),
        ("A=", "expected a value"),
        ("A={B=c", 'expected "}"'),
        ("A=[b", 'expected ","'),
        ("A='b", 'expected a closing quote before "\'b"'),
        ("A=b}", "expected the end before '}'"),
        ("A=b,", "expected a name"),
        ('{"A": }', "not JSON: Expecting value: line 1 column 7 (char 6)"),
        ("[" * 100_000, "not JSON: maximum recursion depth exceeded"),
    ],
    ids=lambda value: value[:20],
)
def test_no_structure(text: str, complaint: str):
    with pytest.raises(NotAValue) as caught:
        parse_structure(text)
    assert str(caught.value).startswith(complaint)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("ReportBatchItemFailures", ["ReportBatchItemFailures"]),
        ("a b", ["a", "b"]),
        ("a,b", ["a", "b"]),
        ('["a", "b"]', ["a", "b"]),
        ("[]", []),
        ("", []),
    ],
)
def test_a_list(text: str, value: object):
    assert parse_list(text) == value
