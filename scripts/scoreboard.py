"""docs/fidelity.md: the rules that a mapping follows, how each is known, and whether it holds.

The rules stand in tests/fidelity.toml, each with the tests that show it. This runs exactly those
tests, and every case of tests/recorded/aws-recorded-cases.json, and tells the outcome of each rule:

    python scripts/scoreboard.py --write     run them, write the page
    python scripts/scoreboard.py --check     run them, exit with 1 when the page says otherwise
    python scripts/scoreboard.py --expect    run nothing: is the page what passing tests would give?
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Callable, Iterable
from contextlib import redirect_stdout
from dataclasses import dataclass, field

import pytest
from fidelity import (
    CASES,
    ROOT,
    Outcome,
    Result,
    by_name,
    outcome_of,
    outcome_of_case,
    page,
    plain,
    read_cases,
    read_rules,
    told_by,
)

PAGE = ROOT / "docs" / "fidelity.md"


@dataclass(eq=False)  # pytest keeps its plugins in sets
class Observer:
    """A pytest plugin: keeps the wanted tests alone, and what becomes of them."""

    wanted: Callable[[str], bool]
    expected: dict[str, Result] = field(default_factory=dict)
    results: dict[str, Result] = field(default_factory=dict)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Before the run."""
        items[:] = [item for item in items if self.wanted(item.nodeid)]
        for item in items:
            mark = item.get_closest_marker("xfail")
            reason = str(mark.kwargs.get("reason", "")) if mark else ""
            outcome = Outcome.EXPECTED_FAILURE if mark else Outcome.PASSED
            self.expected[item.nodeid] = Result(outcome, reason)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """During it: of a test's phases the worst counts, and a skipped test shows nothing."""
        if hasattr(report, "wasxfail") and report.skipped:
            self.results[report.nodeid] = Result(Outcome.EXPECTED_FAILURE, report.wasxfail)
        elif not report.passed:
            self.results[report.nodeid] = Result(Outcome.FAILED)
        elif report.when == "call":
            self.results[report.nodeid] = Result(Outcome.PASSED)


def results_of(tests: Iterable[str], *, run: bool) -> dict[str, Result]:
    """The results of these tests by node id; a test that is named whole stands for its parameters.

    Those of recorded cases are always among them.
    """
    named = set(tests)
    files = {test.partition("::")[0] for test in named} | {str(CASES.parent.relative_to(ROOT))}
    observer = Observer(lambda node: node in named or plain(node) in named or bool(told_by(node)))
    arguments = [str(ROOT / file) for file in sorted(files)]
    options = ["-q", "--no-header", f"--rootdir={ROOT}", "-p", "no:cacheprovider", "-p", "no:xdist"]
    said = sys.stderr if run else io.StringIO()
    with redirect_stdout(said):
        code = pytest.main(
            [*options, *([] if run else ["--collect-only"]), *arguments], plugins=[observer]
        )
    if code not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}:
        told = said.getvalue() if isinstance(said, io.StringIO) else ""
        name = pytest.ExitCode(code).name
        raise SystemExit(f"{told}pytest could not run the rules' tests: {name}")
    refuse_missing(named, observer.expected)
    return observer.results if run else observer.expected


def refuse_missing(named: Iterable[str], found: Iterable[str]) -> None:
    """A rule must not lean on a test that is gone."""
    there = {name for node in found for name in (node, plain(node))}
    missing = sorted(set(named) - there)
    if missing:
        raise SystemExit("no such test:\n  " + "\n  ".join(missing))


def main(arguments: list[str]) -> int:
    """Write or check; 1 when a rule fails or the page is another."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    mode = parser.add_mutually_exclusive_group(required=True)
    for name in ("--write", "--check", "--expect"):
        mode.add_argument(name, action="store_true")
    options = parser.parse_args(arguments)
    rules, cases = read_rules(), read_cases()
    tests = [test for rule in rules.rules for test in rule.tests]
    told = by_name(results_of(tests, run=not options.expect))
    text = page(rules, cases, told)
    outcomes = {rule.id: outcome_of(rule, told) for rule in rules.rules}
    outcomes |= {case: outcome_of_case(case, told) for case in cases}
    failed = [name for name, result in outcomes.items() if result.outcome is Outcome.FAILED]
    sys.stderr.write("".join(f"failed: {name}\n" for name in failed))
    if options.write:
        PAGE.write_text(text, encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != text:
        sys.stderr.write("docs/fidelity.md is out of date: make scoreboard\n")
        return 1
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
