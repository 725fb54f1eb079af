"""AWS's own open-source matcher as the oracle of ours, over many random patterns and events.

Needs Maven, which fetches the matcher; run with `pytest -m oracle`.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from ruler_pairs import pairs

from esm.core.filter_values import read_json
from esm.core.filtering import Dialect, PatternFault, compile_pattern

PROGRAM = Path(__file__).with_name("event_ruler")
COUNT, SEED = 120_000, 2026
BUILD = ["mvn", "-q", "-B", "compile", "dependency:build-classpath", "-Dmdep.outputFile=classpath"]


@pytest.fixture(scope="module")
def matcher(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command that runs AWS's matcher."""
    if not (shutil.which("mvn") and shutil.which("java")):
        pytest.skip("needs Maven and Java")
    folder = tmp_path_factory.mktemp("oracle") / "event_ruler"
    shutil.copytree(PROGRAM, folder)
    built = subprocess.run(BUILD, cwd=folder, capture_output=True, text=True, timeout=180)
    if built.returncode != 0:
        pytest.skip(f"Maven could not build it: {(built.stdout + built.stderr)[:200]}")
    libraries = (folder / "classpath").read_text().strip()
    return ["java", "-cp", f"{folder / 'target' / 'classes'}:{libraries}", "Oracle"]


def verdict(pattern: str, event: str) -> str:
    try:
        compiled = compile_pattern(pattern, dialect=Dialect.EVENTBRIDGE)
    except PatternFault:
        return "invalid"
    return "match" if compiled.matches(read_json(event)) else "not"


@pytest.mark.oracle
def test_our_verdicts_are_those_of_awss_matcher(matcher: list[str]):
    asked = list(pairs(SEED, COUNT))
    lines = "".join(json.dumps({"pattern": p, "event": e}) + "\n" for p, e in asked)
    done = subprocess.run(matcher, input=lines, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    answers = done.stdout.split()
    assert len(answers) == COUNT
    assert min(map(answers.count, ("match", "not", "invalid"))) > COUNT / 20
    others = [
        (pattern, event, answer, ours)
        for (pattern, event), answer in zip(asked, answers, strict=True)
        if (ours := verdict(pattern, event)) != answer
    ]
    assert others == []
