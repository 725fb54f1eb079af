"""docs/fidelity.md says what tests/fidelity.toml says, and names nothing that is not there."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from dataclasses import fields, replace
from pathlib import Path

import pytest

from esm import Settings

SCRIPTS = Path(__file__).parents[1] / "scripts"
sys.path.append(str(SCRIPTS))

import fidelity  # noqa: E402
import scoreboard  # noqa: E402

RULES = fidelity.read_rules()
OURS = [rule for rule in RULES.rules if rule.basis is fidelity.Basis.OURS]


# --- the file ------------------------------------------------------------------------------------


def test_no_rule_is_told_twice():
    ids = Counter(rule.id for rule in RULES.rules)
    texts = Counter(rule.rule for rule in RULES.rules)
    assert [told for counts in (ids, texts) for told, count in counts.items() if count > 1] == []


def test_every_rule_says_how_it_is_known_and_shown():
    assert [rule.id for rule in RULES.rules if not is_sound(rule)] == []


def is_sound(rule) -> bool:
    is_recorded, is_ours = (
        rule.basis is basis for basis in (fidelity.Basis.RECORDED, fidelity.Basis.OURS)
    )
    return (
        (is_recorded or not rule.cases)
        and bool(rule.cases or rule.sources) != is_ours
        and (bool(rule.settings) != bool(rule.fixed)) == is_ours
        and bool(rule.tests or rule.cases) != bool(rule.not_emulated)
        and len(set(rule.tests)) == len(rule.tests)
    )


def test_every_source_is_used_and_is_a_page_of_aws_or_has_no_page():
    used = {name for rule in RULES.rules for name in rule.sources}
    assert used == set(RULES.sources)
    pages = [source.url for source in RULES.sources.values() if source.url]
    assert all(page.startswith("https://docs.aws.amazon.com/") for page in pages)
    assert [name for name, source in RULES.sources.items() if not source.url] == ["published"]


def test_every_case_of_a_rule_was_recorded_and_says_what_the_rule_says():
    cases = json.loads(fidelity.CASES.read_text())["cases"]
    said = {f"{case['id']}: {what}" for case in cases for what in case["expected"]}
    named = {case for rule in RULES.rules for case in rule.cases}
    assert named <= said | fidelity.read_cases().keys()


def test_every_setting_is_a_choice_of_ours():
    named = {name for rule in OURS for name in rule.settings}
    assert named == {field.name for field in fields(Settings)}


# --- the page ------------------------------------------------------------------------------------


def test_the_page_is_what_the_file_says_and_its_tests_are_there():
    checked = subprocess.run(
        [sys.executable, str(SCRIPTS / "scoreboard.py"), "--expect"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.stdout + checked.stderr == ""
    assert checked.returncode == 0


def test_every_rule_and_every_case_has_a_row():
    text = scoreboard.PAGE.read_text()
    for rule in RULES.rules:
        assert text.count(f"| {fidelity.cell(rule.rule)} |") == 1
    for case in fidelity.read_cases():
        assert text.count(f"| `{case}` |") == 1


def test_a_rule_is_as_good_as_its_worst_test():
    result, outcome = fidelity.Result, fidelity.Outcome
    rule = replace(RULES.rules[0], tests=("tests/a.py::whole", "tests/a.py::part[b]"), cases=())
    passed, failed = result(outcome.PASSED), result(outcome.FAILED)
    excused = result(outcome.EXPECTED_FAILURE, "not yet")

    def of(whole_1, whole_2, **part):
        results = {"tests/a.py::whole[1]": whole_1, "tests/a.py::whole[2]": whole_2}
        results |= {f"tests/a.py::part[{name}]": result for name, result in part.items()}
        return fidelity.outcome_of(rule, fidelity.by_name(results))

    assert of(passed, passed, b=passed, c=failed) == passed
    assert of(passed, excused, b=passed) == excused
    assert of(failed, excused, b=passed) == failed
    assert of(passed, passed, c=passed) == result(outcome.FAILED, "no test")


def test_a_recorded_case_is_told_by_the_tests_that_bear_its_name():
    result, outcome = fidelity.Result, fidelity.Outcome
    results = {
        "ddb-a: invocations": result(outcome.PASSED),
        "ddb-a: states": result(outcome.EXPECTED_FAILURE, "not yet"),
        "ddb-ab": result(outcome.FAILED),
    }
    told = fidelity.by_name(
        {f"tests/recorded/test_a.py::test_it[{name}]": each for name, each in results.items()}
    )
    assert fidelity.outcome_of_case("ddb-a", told) == result(
        outcome.EXPECTED_FAILURE, "1 of its 2 statements passed; not yet"
    )
    whole = replace(RULES.rules[0], tests=(), cases=("ddb-a",))
    part = replace(whole, cases=("ddb-a: invocations",))
    assert fidelity.outcome_of(whole, told).outcome is outcome.EXPECTED_FAILURE
    assert fidelity.outcome_of(part, told).outcome is outcome.PASSED


def test_what_fails_is_told_and_is_on_the_page(tmp_path, monkeypatch, capsys):
    results = dict.fromkeys(RULES.rules[0].tests, fidelity.Result(fidelity.Outcome.FAILED))
    monkeypatch.setattr(scoreboard, "PAGE", tmp_path / "fidelity.md")
    monkeypatch.setattr(scoreboard, "results_of", lambda tests, *, run: results)
    assert scoreboard.main(["--write"]) == 1
    assert f"failed: {RULES.rules[0].id}\n" in capsys.readouterr().err
    assert "| failed |" in (tmp_path / "fidelity.md").read_text()
    (tmp_path / "fidelity.md").write_text("old")
    assert scoreboard.main(["--check"]) == 1
    assert "docs/fidelity.md is out of date: make scoreboard" in capsys.readouterr().err


def test_a_test_that_is_not_there_is_named():
    found = ["tests/a.py::there[1]"]
    scoreboard.refuse_missing(["tests/a.py::there", "tests/a.py::there[1]"], found)
    with pytest.raises(SystemExit, match=r"no such test:\n  tests/a\.py::gone\n  tests/a"):
        scoreboard.refuse_missing(["tests/a.py::there[2]", "tests/a.py::gone"], found)
