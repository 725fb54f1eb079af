"""Every case about filters that was recorded on AWS: the language, and what a mapping refuses.

The cases of the language were recorded with EventBridge, of whose language a mapping has a part.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from esm.core.filtering import Dialect, Pattern, PatternFault, compile_pattern
from esm.mapping.filters import FilterFault, judge, paste_pattern
from esm.mapping.sources import Source

CASES = json.loads(Path(__file__).with_name("aws-recorded-cases.json").read_text())["cases"]
LANGUAGE = [case for case in CASES if case["source_type"] == "filter-language"]
INVALID = [case for case in LANGUAGE if "error" in case["expected"]]
MATCHING = [case for case in LANGUAGE if "match" in case["expected"]]
REFUSED = [case for case in CASES if "filter-invalid" in case["id"]]
# Operators of EventBridge that no mapping has, and so no mapping was asked about.
EVENTBRIDGE_ONLY = {
    "rule-wildcard-empty", "rule-cidr", "rule-cidr-number", "rule-anything-but-prefix-on-number",
    "rule-anything-but-suffix-list", "rule-anything-but-wildcard",
}  # fmt: skip


def named(cases: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(case, id=case["id"]) for case in cases]


def test_every_case_is_asked():
    assert len(LANGUAGE) == len(INVALID) + len(MATCHING) == 39
    assert len(REFUSED) == 5


@pytest.mark.parametrize("case", named(MATCHING))
def test_a_recorded_verdict(case: dict[str, Any]):
    [document] = case["input_records"]
    pattern = compile_pattern(case["esm_config"]["pattern"], dialect=Dialect.EVENTBRIDGE)
    assert pattern.matches(document) is case["expected"]["match"]
    assert pattern.explain(document).matches is case["expected"]["match"]


@pytest.mark.parametrize("case", named(MATCHING))
def test_a_mapping_gives_the_same_verdict_or_does_not_have_the_operator(case: dict[str, Any]):
    judged = judge(json.dumps(case["esm_config"]["pattern"]), Source.DYNAMODB)
    if case["id"] in EVENTBRIDGE_ONLY:
        assert isinstance(judged, FilterFault)
    else:
        assert isinstance(judged, Pattern)
        assert judged.matches(case["input_records"][0]) is case["expected"]["match"]


@pytest.mark.parametrize("case", named(INVALID))
def test_a_recorded_fault(case: dict[str, Any]):
    pattern = case["esm_config"]["pattern"]
    with pytest.raises(PatternFault):
        compile_pattern(pattern, dialect=Dialect.EVENTBRIDGE)
    check_refusal(json.dumps(pattern), case["expected"]["esm_error"])


@pytest.mark.parametrize("case", named(REFUSED))
def test_a_recorded_refusal(case: dict[str, Any]):
    [entry] = case["esm_config"]["FilterCriteria"]["Filters"]
    check_refusal(entry["Pattern"], case["expected"]["error"])


def check_refusal(pattern: str, expected: dict[str, Any]) -> None:
    for source in Source:
        fault = judge(pattern, source)
        assert isinstance(fault, FilterFault)
        error = fault.error(1, paste_pattern(fault.meant))
        assert error.code == expected["code"]
        assert error.message == expected["message"]
        assert "filter 1: " in str(error)
