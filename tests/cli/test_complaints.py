"""Mistakes in the forms of people, programs, GitHub and code scanners."""

from __future__ import annotations

import json
from typing import Any

import pytest

from esm.cli.codes import meanings
from esm.cli.complaints import FORMATS, github_of, in_order, json_of, sarif_of, text_of
from esm.errors import EsmError, InputError, MappingError, Place, TemplateError

BATCH = MappingError(
    "E204",
    "1 validation error",
    detail="10000 is the most",
    place=Place("app/template.yaml", 12, 20, "        BatchSize: 20000"),
    why="AWS refuses it: out of range",
    fix="BatchSize: 10000",
)
FOLDER = TemplateError("E150", "no folder src,a", place=Place("app/my template.yaml", 3))
WARNING = InputError("W201", "100% unheeded:\r\nall of them")


def sarif(*errors: EsmError) -> Any:
    return json.loads(sarif_of(errors))


def test_text_is_what_each_mistake_says_of_itself():
    assert text_of([BATCH, WARNING]) == f"{BATCH}\n\n{WARNING}\n\n1 error, 1 warning\n"
    assert text_of([BATCH, FOLDER]).endswith("\n\n2 errors\n")


def test_json_has_a_field_for_each_part():
    assert json.loads(json_of([BATCH, WARNING])) == [
        {
            "code": "E204",
            "severity": "error",
            "message": "1 validation error 10000 is the most",
            "file": "app/template.yaml",
            "line": 12,
            "column": 20,
            "why": "AWS refuses it: out of range",
            "fix": "BatchSize: 10000",
        },
        {
            "code": "W201",
            "severity": "warning",
            "message": "100% unheeded:\r\nall of them",
            "file": None,
            "line": None,
            "column": None,
            "why": None,
            "fix": None,
        },
    ]


def test_github_gets_a_workflow_command_for_each():
    assert github_of([BATCH, WARNING]).splitlines() == [
        "::error file=app/template.yaml,line=12,col=20,title=E204::"
        "1 validation error 10000 is the most%0Awhy: AWS refuses it: out of range"
        "%0Afix: BatchSize: 10000",
        "::warning title=W201::100%25 unheeded:%0D%0Aall of them",
    ]


def test_github_would_read_commas_and_colons_of_a_file_name_as_its_own():
    odd = TemplateError("E101", "none", place=Place("a,b:c%d.yaml"))
    assert github_of([odd]) == "::error file=a%2Cb%3Ac%25d.yaml,title=E101::none\n"


def test_sarif_has_results_with_places_and_their_rules():
    log = sarif(BATCH, FOLDER, WARNING, BATCH)
    assert log["version"] == "2.1.0"
    [run] = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["E150", "E204", "W201"]
    assert [result["ruleId"] for result in run["results"]] == ["E204", "E150", "W201", "E204"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    first, second, third, _ = run["results"]
    assert (first["level"], third["level"]) == ("error", "warning")
    assert first["message"]["text"].startswith("1 validation error 10000 is the most\nwhy: AWS")
    assert first["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "app/template.yaml"},
                "region": {"startLine": 12, "startColumn": 20},
            }
        }
    ]
    assert second["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "app/my%20template.yaml"},
                "region": {"startLine": 3},
            }
        }
    ]
    assert "locations" not in third


def test_a_sarif_rule_says_what_the_page_of_codes_says():
    rules = {rule["id"]: rule for rule in sarif(BATCH)["runs"][0]["tool"]["driver"]["rules"]}
    meaning, remedy = meanings()["E204"]
    assert rules["E204"]["shortDescription"] == {"text": meaning}
    assert rules["E204"]["help"] == {"text": remedy}


def test_a_sarif_place_outside_of_the_folder_is_a_uri():
    odd = TemplateError("E101", "none", place=Place("/srv/a b.yaml"))
    location = sarif(odd)["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert location == {"artifactLocation": {"uri": "file:///srv/a%20b.yaml"}}


@pytest.mark.parametrize(
    ("form", "nothing"),
    [("text", "no mistakes found\n"), ("json", "[]\n"), ("github", "")],
)
def test_nothing_to_complain_about(form: str, nothing: str):
    assert FORMATS[form]([]) == nothing


def test_nothing_to_complain_about_is_a_sarif_log_without_results():
    [run] = sarif()["runs"]
    assert (run["results"], run["tool"]["driver"]["rules"]) == ([], [])


def test_mistakes_are_told_from_the_top():
    later = TemplateError("E101", "later", place=Place("app/template.yaml", 12, 21))
    assert in_order([FOLDER, later, BATCH, WARNING]) == [WARNING, FOLDER, BATCH, later]
