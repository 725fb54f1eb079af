"""The rules of tests/fidelity.toml, what becomes of them, and the page that says so."""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

ROOT = Path(__file__).parents[1]
RULES = ROOT / "tests" / "fidelity.toml"
CASES = ROOT / "tests" / "recorded" / "aws-recorded-cases.json"


class Basis(StrEnum):
    """How a rule is known."""

    RECORDED = "recorded"
    DOCUMENTED = "documented"
    OURS = "ours"


class Outcome(StrEnum):
    """What became of a rule or a test."""

    PASSED = "passed"
    EXPECTED_FAILURE = "expected failure"
    FAILED = "failed"
    NOT_EMULATED = "not emulated"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a rule is written or was recorded."""

    title: str
    url: str = ""

    def __str__(self) -> str:
        return f"[{self.title}]({self.url})" if self.url else self.title


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A row of tests/fidelity.toml.

    `cases` are recorded ones; `sources` name entries of the file's table; of a choice of ours,
    `settings` change it, or `fixed` says why nothing does. `not_emulated` stands in place of tests.
    """

    id: str
    section: str
    rule: str
    basis: Basis
    cases: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    fixed: str = ""
    tests: tuple[str, ...] = ()
    not_emulated: str = ""


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules in their order, and what their sources stand for."""

    sources: Mapping[str, Source]
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one test, and why it was expected to fail."""

    outcome: Outcome
    reason: str = ""


def read_rules(path: Path = RULES) -> Rules:
    """The file, or a TypeError or ValueError for what is not known in it."""
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    sources = {name: Source(**entry) for name, entry in tables["sources"].items()}
    rules = []
    for section, entries in tables["rules"].items():
        for entry in entries:
            lists = {key: tuple(value) for key, value in entry.items() if isinstance(value, list)}
            given = entry | lists | {"basis": Basis(entry["basis"])}
            rules.append(Rule(section=section, **given))
    return Rules(sources, tuple(rules))


def read_cases() -> dict[str, str]:
    """Every recorded case: its source type by its id."""
    cases = json.loads(CASES.read_text(encoding="utf-8"))["cases"]
    return {case["id"]: case["source_type"] for case in cases}


# --- judging -------------------------------------------------------------------------------------

Told = Mapping[str, list[Result]]
"""Results by the names that a rule may use: node ids, tests as a whole, recorded cases."""


def by_name(results: Mapping[str, Result]) -> Told:
    """What was told under each name."""
    told = defaultdict[str, list[Result]](list)
    for node, result in results.items():
        for name in dict.fromkeys((node, plain(node), *told_by(node))):
            told[name].append(result)
    return told


def outcome_of(rule: Rule, told: Told) -> Result:
    """A rule holds when everything that it names does; what is not there has failed."""
    if rule.not_emulated:
        return Result(Outcome.NOT_EMULATED, rule.not_emulated)
    return worst(worst(told.get(name, ())) for name in (*rule.tests, *rule.cases))


def worst(results: Iterable[Result]) -> Result:
    """The worst of them; of none, a failure."""
    told = list(results) or [Result(Outcome.FAILED, "no test")]
    for outcome in (Outcome.FAILED, Outcome.EXPECTED_FAILURE):
        for result in told:
            if result.outcome is outcome:
                return result
    return told[0]


# --- the page ------------------------------------------------------------------------------------

_HEAD = """\
# Fidelity

Every rule that a mapping of a Kinesis or DynamoDB stream follows here, how we know it, and whether
the tests that show it pass. `make scoreboard` runs these tests and writes this page; the rules
and the names of their tests are in [tests/fidelity.toml](../tests/fidelity.toml).

- **recorded**: seen on AWS. The cases are those of the last table, or were published by others.
- **documented**: AWS's pages say it, or the models of its APIs.
- **our choice**: AWS publishes nothing. The named setting of `esm.Settings` changes it
  (`--set NAME=VALUE` on the command line), or the row says why there is none.
- An *expected failure* is a part of a rule that needs what is not there yet; the day it passes,
  its test says so. *Not emulated* names what stops with an error, or cannot be asked for.
"""


def page(rules: Rules, cases: Mapping[str, str], told: Told) -> str:
    """The whole page."""
    outcomes = {rule.id: outcome_of(rule, told) for rule in rules.rules}
    recorded = {case: outcome_of_case(case, told) for case in cases}
    parts = [_HEAD, summary(rules, outcomes, recorded)]
    for section in dict.fromkeys(rule.section for rule in rules.rules):
        rows = [rule for rule in rules.rules if rule.section == section]
        parts.append(f"\n## {section}\n\n| rule | known from | result |\n|---|---|---|\n")
        parts += [
            f"| {cell(rule.rule)} | {basis(rule, rules.sources)} | {shown(outcomes[rule.id])} |\n"
            for rule in rows
        ]
    parts.append("\n## Recorded cases\n\n| case | source | result |\n|---|---|---|\n")
    parts += [f"| `{case}` | {cases[case]} | {shown(recorded[case])} |\n" for case in cases]
    return "".join(parts)


def outcome_of_case(case: str, told: Told) -> Result:
    """What became of everything that a case says."""
    said = told.get(case, [])
    overall = worst(said)
    if overall.outcome is not Outcome.EXPECTED_FAILURE:
        return overall
    passed = sum(result.outcome is Outcome.PASSED for result in said)
    held = f"{passed} of its {len(said)} statements passed; " if passed else ""
    return Result(overall.outcome, held + overall.reason)


def summary(rules: Rules, outcomes: Mapping[str, Result], cases: Mapping[str, Result]) -> str:
    """The counts at the top."""
    kinds = Counter(rule.basis for rule in rules.rules)
    return (
        f"\n**{len(rules.rules)} rules**: {kinds[Basis.RECORDED]} recorded, "
        f"{kinds[Basis.DOCUMENTED]} documented, {kinds[Basis.OURS]} our choice. "
        f"{counted(outcomes.values())}.\n\n"
        f"**{len(cases)} recorded cases**: {counted(cases.values())}.\n"
    )


def counted(results: Iterable[Result]) -> str:
    """`120 passed, 1 expected to fail, 0 failed`; the others only where there are some."""
    words = {Outcome.EXPECTED_FAILURE: "expected to fail"}
    counts = Counter(result.outcome for result in results)
    always = {Outcome.PASSED, Outcome.FAILED}
    kinds = [outcome for outcome in Outcome if counts[outcome] or outcome in always]
    return ", ".join(f"{counts[kind]} {words.get(kind, kind)}" for kind in kinds)


def basis(rule: Rule, sources: Mapping[str, Source]) -> str:
    """How the rule is known, with what to look at."""
    if rule.basis is Basis.OURS:
        changed = ", ".join(f"`{name}`" for name in rule.settings) or f"no setting: {rule.fixed}"
        return f"our choice: {cell(changed)}"
    cases = dict.fromkeys(case.partition(":")[0] for case in rule.cases)
    looked_at = [f"`{case}`" for case in cases] + [str(sources[name]) for name in rule.sources]
    return f"{rule.basis}: {', '.join(looked_at)}"


def shown(result: Result) -> str:
    """The outcome, and the reason for one that is not simply passed."""
    return f"{result.outcome}: {cell(result.reason)}" if result.reason else str(result.outcome)


def cell(text: str) -> str:
    """Text of one line that does not end a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def plain(node: str) -> str:
    """A test's node id without its parameters."""
    return node.partition("[")[0]


def told_by(node: str) -> tuple[str, ...]:
    """The recorded case that a test tells, and what it says of it: `case`, `case: invocations`.

    Such a test stands in tests/recorded and has one of the two as its id.
    """
    told = re.fullmatch(r"tests/recorded/[^\[]+\[(([\w-]+)(?:: .+)?)\]", node)
    return (told[2], told[1]) if told else ()
