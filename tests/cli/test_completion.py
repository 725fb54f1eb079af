"""Completion in a shell: click's own, at the price of the help."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import sys
from esm.cli.main import main
try:
    main(sys.argv[1:])
finally:
    print("|", *sys.modules)
"""
HEAVY = {"boto3", "botocore", "freezegun", "msgspec", "pydantic", "rich", "tomllib", "yaml"}


def complete(folder: Path, instruction: str, words: str = "", at: int = 0) -> list[str]:
    """What the shell is given; nothing heavy may have been imported for it."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "_ESM_COMPLETE": instruction,
        "COMP_WORDS": words,
        "COMP_CWORD": str(at),
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True, text=True, cwd=folder, env=environment, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    answer, _, modules = done.stdout.rpartition("|")
    assert set(modules.split()) & HEAVY == set()
    return answer.splitlines()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_can_load_the_completion(shell: str, tmp_path: Path):
    script = "\n".join(complete(tmp_path, f"{shell}_source"))
    assert f"_ESM_COMPLETE={shell}_complete" in script


@pytest.mark.parametrize(
    ("words", "at", "found"),
    [
        ("esm ge", 1, ["plain,generate"]),
        ("esm generate k", 2, ["plain,kinesis"]),
        ("esm size --ma", 2, ["plain,--margin"]),
        ("esm size -o j", 3, ["plain,json"]),
        ("esm replay --maximum-retry", 2, ["plain,--maximum-retry-attempts"]),
    ],
)
def test_what_can_follow(words: str, at: int, found: list[str], tmp_path: Path):
    assert complete(tmp_path, "bash_complete", words, at) == found


def test_a_broken_pyproject_does_not_disturb_the_line(tmp_path: Path):
    (tmp_path / "pyproject.toml").write_text("[tool.esm]\nnonsense = 3")
    assert complete(tmp_path, "bash_complete", "esm rep", 1) == ["plain,replay"]
