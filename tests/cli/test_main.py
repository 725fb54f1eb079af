"""`esm` itself: what it costs to ask it for help, and how it ends when something goes wrong."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from esm.cli import replay as replay_module
from esm.cli.main import LazyGroup, esm, main
from esm.errors import (
    EndpointError,
    EsmError,
    HandlerError,
    InputError,
    MappingError,
    Place,
    RunError,
    StateError,
    TemplateError,
)

DOCS = Path(__file__).parents[2] / "docs"
HEAVY = {
    "boto3", "botocore", "freezegun", "importlib.metadata", "msgspec", "pydantic", "rich",
    "tomllib", "yaml",
}  # fmt: skip
HELP = """\
Usage: esm [OPTIONS] [COMMAND] [ARGS]...

  AWS Lambda event source mappings for streams: no AWS account, no Docker.

Options:
  --version   Show the version and exit.
  -h, --help  Show this message and exit.

Commands:
  run          Mappings of the template, kept running.
  invoke       One event through one function of the template, once.
  replay       Captured events or records through a mapping, in virtual time.
  generate     Events or records, as many as wanted.
  serve        The embedded AWS alone, to outlive runs.
  put          Put records into a stream of the running esm run or esm serve.
  record       Read a live source into a capture; nobody's checkpoints move.
  validate     Every rule we know, with file:line:column; no code is imported.
  checkpoints  Where each shard is, and how far behind.
  size         Shards for a load, and the limit that decides.
"""


def modules_after(*arguments: str) -> set[str]:
    """Every module that a command line has imported."""
    script = (
        "import sys; from esm.cli.main import main; main(sys.argv[1:]); print('|', *sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True
    )
    return set(done.stdout.rpartition("|")[2].split())


@pytest.fixture
def ending(monkeypatch: pytest.MonkeyPatch):
    """Make `esm replay` end with an exception."""

    def end_with(error: BaseException) -> None:
        @click.command()
        @click.option("-o", "--output")
        @click.option("--debug", is_flag=True)
        def replay(output: str | None, debug: bool) -> None:
            raise error

        monkeypatch.setattr(replay_module, "replay", replay)

    return end_with


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_lists_the_commands(flag: str, capsys: pytest.CaptureFixture[str]):
    assert main([flag]) == 0
    assert capsys.readouterr() == (HELP, "")


def test_the_line_on_a_command_is_the_beginning_of_its_own_help():
    context = click.Context(esm)
    for name, line in LazyGroup.COMMANDS.items():
        command = esm.get_command(context, name)
        assert command is not None
        assert command.help is not None
        assert command.help.startswith(line.removesuffix("."))


@pytest.mark.parametrize("command", LazyGroup.COMMANDS)
def test_every_command_is_shown_with_its_output(command: str):
    pages = [page.read_text(encoding="utf-8") for page in DOCS.glob("*.md")]
    assert any(f"\n$ esm {command}" in page for page in pages)


def test_help_imports_no_command_and_nothing_heavy():
    modules = modules_after("--help")
    assert "esm.cli.main" in modules
    assert modules & (HEAVY | {"esm.cli.replay"}) == set()


@pytest.mark.parametrize("command", LazyGroup.COMMANDS)
def test_the_help_of_a_command_imports_nothing_heavy(command: str):
    modules = modules_after(command, "--help")
    assert f"esm.cli.{command}" in modules
    assert modules & HEAVY - {"tomllib"} == set()  # for pyproject.toml


def test_the_version_is_that_of_the_distribution(capsys: pytest.CaptureFixture[str]):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"esm {importlib.metadata.version('lambda-esm')}\n"


def test_a_command_that_does_not_exist(capsys: pytest.CaptureFixture[str]):
    assert main(["rply"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("E480  No such command 'rply'. (Did you mean 'replay'?)\n")
    assert err.endswith("\nfix    esm --help\n")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TemplateError("E101", "x"), 3),
        (MappingError("E201", "x"), 3),
        (HandlerError("E301", "x"), 4),
        (InputError("E401", "x"), 2),
        (EndpointError("E501", "x"), 5),
        (StateError("E601", "x"), 6),
        (RunError("E701", "x"), 1),
    ],
    ids=lambda value: getattr(value, "esm_code", ""),
)
def test_each_kind_of_mistake_has_its_exit_code(
    error: EsmError, code: int, ending, capsys: pytest.CaptureFixture[str]
):
    ending(error)
    assert main(["replay"]) == code
    assert capsys.readouterr() == ("", f"{error.esm_code}  x\n")


def test_a_mistake_as_json(ending, capsys: pytest.CaptureFixture[str]):
    place = Place("a.json", 3, 7, "secret")
    ending(InputError("E422", "not JSON", detail="at all", place=place, why="so", fix="mend it"))
    assert main(["replay", "-o", "json"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert json.loads(err) == {
        "code": "E422",
        "severity": "error",
        "message": "not JSON at all",
        "file": "a.json",
        "line": 3,
        "column": 7,
        "why": "so",
        "fix": "mend it",
    }


@pytest.mark.parametrize(
    "flags", [["-ojson"], ["--output=jsonl"], ["-o", "jsonl"], ["--output", "json"]]
)
def test_a_wrong_command_line_as_json(flags: list[str], capsys: pytest.CaptureFixture[str]):
    assert main(["replay", "--nonsense", *flags]) == 2
    assert json.loads(capsys.readouterr().err)["code"] == "E480"


def test_ctrl_c(ending, capsys: pytest.CaptureFixture[str]):
    ending(KeyboardInterrupt())
    assert main(["replay"]) == 130
    assert capsys.readouterr().err.strip() == "interrupted"


def test_our_own_mistake_is_short(ending, capsys: pytest.CaptureFixture[str]):
    ending(AssertionError("lane 3 is empty"))
    assert main(["replay"]) == 70
    line, why, fix = capsys.readouterr().err.splitlines()
    assert line.startswith("bug  AssertionError: lane 3 is empty (test_main.py:")
    assert why == "why    this is a mistake in esm, not in what you gave it"
    assert fix == "fix    run it again with --debug, and report what that prints"


def test_our_own_mistake_with_its_traceback(ending, capsys: pytest.CaptureFixture[str]):
    ending(AssertionError("lane 3 is empty"))
    assert main(["replay", "--debug"]) == 70
    assert capsys.readouterr().err.startswith("Traceback (most recent call last):\n")


def test_our_own_mistake_as_json(ending, capsys: pytest.CaptureFixture[str]):
    ending(ZeroDivisionError("no records"))
    assert main(["replay", "-o", "json"]) == 70
    report = json.loads(capsys.readouterr().err)
    assert report["code"] == "bug"
    assert report["message"].startswith("ZeroDivisionError: no records (test_main.py:")


def test_the_package_can_be_run_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "esm", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("esm")
