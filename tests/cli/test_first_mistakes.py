"""The five mistakes that a new user of a template makes first: the fix is in the message."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from esm.cli.main import main

Told = Callable[..., tuple[int, str, str]]

TEMPLATE = """\
Transform: AWS::Serverless-2016-10-31
Parameters:
  Window: {Type: Number}
Resources:
  Orders: {Type: AWS::Kinesis::Stream, Properties: {ShardCount: 1}}
  Handle:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src/
      Handler: app.handler
      Runtime: python3.11
      Events:
        Taken:
          Type: Kinesis
          Properties:
            Stream: !GetAtt Orders.Arn
            StartingPosition: LATEST
            MaximumBatchingWindowInSeconds: !Ref Window
"""


@pytest.fixture
def esm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Told:
    """Run a command in a folder with a template; gives exit code, stdout, stderr."""
    (tmp_path / "src").mkdir()
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    (tmp_path / "src" / "app.py").write_text("def handler(event, context):\n    return 'done'\n")
    (tmp_path / "s3.json").write_text('{"Records": [{"eventSource": "aws:s3", "s3": {}}]}')
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(list(arguments))
        out, err = capfd.readouterr()
        return code, out, err

    return run


def lines(text: str) -> str:
    return textwrap.dedent(text).lstrip("\n")


def test_the_wrong_folder(esm: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    code, _, err = esm("invoke", "Handle", "-e", "event.json")
    assert code == 3
    assert err == lines("""
        E108  this folder has no template: no template.yaml, template.yml or template.json
        fix    --template-file ../template.yaml
        """)


def test_an_application_of_the_cdk(
    esm: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `cdk synth` wrote lies one folder deeper, and a folder is no template."""
    synthesized = tmp_path / "cdk" / "cdk.out"
    synthesized.mkdir(parents=True)
    (synthesized / "Shop.template.json").write_text("{}")
    monkeypatch.chdir(tmp_path / "cdk")
    fix = "fix    --template-file cdk.out/Shop.template.json\n"
    assert esm("invoke", "Handle", "-e", "event.json")[2].endswith(fix)
    assert esm("invoke", "Handle", "-e", "event.json", "-t", "cdk.out")[2] == (
        f"E108  cdk.out is a folder, and a template is a file\n{fix}"
    )


@pytest.mark.parametrize(
    "command",
    [("invoke", "Handle", "-e", "s3.json"), ("replay", "s3.json", "--mapping", "HandleTaken")],
)
def test_a_condition_that_is_false(esm: Told, tmp_path: Path, command: tuple[str, ...]) -> None:
    """What the template has must not be told as a misspelt name."""
    text = TEMPLATE.replace("  Handle:\n", "  Handle:\n    Condition: IsLive\n")
    conditions = "Conditions: {IsLive: !Equals [!Ref Window, 7]}\n"
    (tmp_path / "template.yaml").write_text(text + conditions)
    code, out, err = esm(*command, "--parameter-overrides", "Window=5")
    assert (code, out) == (3, "")
    assert err == lines("""
        template.yaml:7:16  E125  Handle is not created: IsLive is false with these parameters
              7 |     Condition: IsLive
                |                ^
        why    its condition is false, so there is no such resource
        fix    --parameter-overrides with values that make IsLive true
        """)


@pytest.mark.parametrize(
    "command",
    [("invoke", "Handle", "-e", "s3.json"), ("replay", "s3.json", "--mapping", "HandleTaken")],
)
def test_the_wrong_name_of_a_parameter(esm: Told, command: tuple[str, ...]) -> None:
    """Whoever misspells it must not get the default in its place."""
    code, out, err = esm(*command, "--parameter-overrides", "Windwo=5")
    assert (code, out) == (3, "")
    assert err.startswith("template.yaml:1:1  E110  there is no parameter Windwo\n")
    assert err.endswith("fix    --parameter-overrides Window=…\n")


def test_the_wrong_name_of_a_mapping(esm: Told) -> None:
    code, _, err = esm("replay", "s3.json", "--mapping", "HandleTakn")
    assert code == 3
    assert err == lines("""
        E150  template.yaml has no mapping 'HandleTakn'
        why    its mappings: HandleTaken
        fix    --mapping HandleTaken
        """)


def test_a_dependency_that_is_not_installed(esm: Told, tmp_path: Path) -> None:
    (tmp_path / "src" / "app.py").write_text("import no_such_library\nhandler = print\n")
    code, out, err = esm("invoke", "Handle", "-e", "s3.json")
    assert (code, out) == (4, "")
    assert err.endswith("fix    pip install no_such_library\n")
    assert "E302  app needs the module 'no_such_library', which is not installed here" in err


def test_an_event_of_another_source(esm: Told) -> None:
    code, out, err = esm("invoke", "Handle", "-e", "s3.json")
    assert (code, out) == (0, '"done"\n')
    assert err == lines("""
        s3.json  W402  the event is from aws:s3, and mappings send Handle events from aws:kinesis
        why    it is sent all the same
        fix    esm generate kinesis --count 3 | esm invoke Handle --event -
        """)


def test_a_parameter_without_a_value(esm: Told) -> None:
    code, _, err = esm("replay", "s3.json", "--mapping", "HandleTaken")
    assert code == 3
    assert err == lines("""
        template.yaml:18:45  E112  the parameter Window has no value
             18 |             MaximumBatchingWindowInSeconds: !Ref Window
                |                                             ^
        why    it is used, and its value comes from outside
        fix    --parameter-overrides Window=…
        """)
