"""`esm` alone: what the folder's template has, and what to try next."""

from __future__ import annotations

import subprocess
import sys

import pytest
from replay_desk import Desk, Ended
from test_main import HELP

from esm.cli.main import main

TEMPLATE = """\
Transform: AWS::Serverless-2016-10-31
Resources:
  Orders:
    Type: AWS::Kinesis::Stream
    Properties: {Name: orders}
  Handle:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.11
      Handler: app.handler
      CodeUri: src
      Events:
        Taken:
          Type: Kinesis
          Properties:
            Stream: !GetAtt Orders.Arn
            StartingPosition: LATEST
            BatchSize: 20
            MaximumBatchingWindowInSeconds: 5
            Enabled: false
"""
FUNCTION_ALONE = TEMPLATE.partition("      Events:")[0]
STREAM_ALONE = TEMPLATE.partition("  Handle:")[0]


def alone(desk: Desk) -> Ended:
    code = main([])
    out, err = desk.capsys.readouterr()
    return Ended(code, out, err)


def test_a_mapping_and_three_commands(desk: Desk):
    desk.write("template.yaml", TEMPLATE)
    assert alone(desk) == Ended(
        0,
        """\
template.yaml: 1 mapping

HandleTaken
  source    Kinesis orders
  batches   up to 20 records, window 5 s
  function  Handle: app.handler in src
  enabled   no

next
  esm validate
  esm generate kinesis --count 3 | esm invoke Handle --event -
  esm generate kinesis --count 100 | esm replay - --mapping HandleTaken
  esm run HandleTaken
""",
        "",
    )


def test_awss_defaults_are_told(desk: Desk):
    rest = TEMPLATE.partition("            BatchSize")[0]
    desk.write("template.yaml", rest)
    out = alone(desk).out
    assert "\n  batches   up to 100 records, window 0 s\n" in out
    assert "\n  enabled   yes\n" in out


def test_a_mapping_with_a_mistake_is_listed(desk: Desk):
    desk.write("template.yaml", TEMPLATE.replace("!GetAtt Orders.Arn", "!GetAtt Order.Arn"))
    ended = alone(desk)
    assert ended.code == 0
    assert "\n  source    Kinesis\n" in ended.out
    assert "\n  mistakes  esm validate tells them\n" in ended.out


@pytest.mark.parametrize(
    ("template", "command"),
    [
        (FUNCTION_ALONE, "esm invoke Handle --event event.json"),
        (STREAM_ALONE, "esm generate kinesis --count 3"),
    ],
)
def test_a_template_without_mappings_has_three_commands_too(
    template: str, command: str, desk: Desk
):
    desk.write("template.yaml", template)
    lines = alone(desk).out.splitlines()
    assert lines[0] == "template.yaml: no mappings"
    assert lines[-4:] == ["next", "  esm validate", f"  {command}", "  esm --help"]


def test_a_folder_without_template_is_shown_the_help_and_how_to_start(desk: Desk):
    start = "Start in the folder of a template.yaml: esm lists its mappings there."
    assert alone(desk) == Ended(0, f"{HELP}\n{start}\n", "")


def test_the_configuration_names_the_template(desk: Desk):
    (desk.folder / "infra").mkdir()
    desk.write("infra/main.yaml", TEMPLATE)
    desk.write("pyproject.toml", '[tool.esm]\ntemplate-file = "infra/main.yaml"')
    assert alone(desk).out.startswith("infra/main.yaml: 1 mapping\n")


def test_a_template_that_cannot_be_read_is_a_mistake(desk: Desk):
    desk.write("template.yaml", "Resources: [")
    ended = alone(desk)
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.startswith("template.yaml:2:1  E102  ")


def test_it_imports_neither_aws_nor_the_harness(desk: Desk):
    desk.write("template.yaml", TEMPLATE)
    script = "import sys; from esm.cli.main import main; main([]); print('|', *sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True, text=True, cwd=desk.folder, check=True,
    )  # fmt: skip
    modules = set(done.stdout.rpartition("|")[2].split())
    assert "esm.cli.overview" in modules
    assert modules & {"app", "boto3", "esm.harness", "pydantic", "rich"} == set()


def test_a_value_with_no_echo_is_not_shown(desk: Desk):
    secret = "  Token: {Type: String, NoEcho: true, Default: hushhush}\n"
    text = TEMPLATE.replace("Resources:\n", f"Parameters:\n{secret}Resources:\n")
    desk.write("template.yaml", text.replace("app.handler", "!Ref Token"))
    assert "\n  function  Handle: **** in src\n" in alone(desk).out


def test_windows_and_filters_are_told(desk: Desk):
    more = """\
            TumblingWindowInSeconds: 60
            FilterCriteria: {Filters: [{Pattern: '{"data":  {"id": [1]}}'}, {Pattern: '{}'}]}
"""
    desk.write("template.yaml", TEMPLATE + more)
    lines = alone(desk).out.splitlines()
    assert lines[5:8] == [
        "  tumbling  windows of 60 s",
        '  filter    {"data": {"id": [1]}}',
        "  filter    {}",
    ]


@pytest.mark.parametrize("flags", [["-t", "other.yaml"], ["--template-file=other.yaml"]])
def test_another_template_can_be_named(flags: list[str], desk: Desk):
    desk.write("template.yaml", TEMPLATE)
    desk.write("other.yaml", FUNCTION_ALONE)
    assert main(flags) == 0
    assert desk.capsys.readouterr().out.startswith("other.yaml: no mappings\n")


def test_an_environment_of_sams_can_be_named(desk: Desk):
    desk.write("template.yaml", TEMPLATE)
    desk.write("other.yaml", FUNCTION_ALONE)
    desk.write("samconfig.toml", "[live.global.parameters]\ntemplate_file = 'other.yaml'\n")
    assert main(["--config-env", "live"]) == 0
    assert desk.capsys.readouterr().out.startswith("other.yaml: no mappings\n")


def test_options_of_the_overview_are_for_no_command(desk: Desk):
    desk.write("template.yaml", TEMPLATE)
    assert main(["-t", "template.yaml", "validate"]) == 2
    assert "unexpected extra argument (validate)" in desk.capsys.readouterr().err


def test_a_wrong_option_of_the_overview_leads_to_the_help_of_the_whole(desk: Desk):
    assert main(["--region", "nowhere"]) == 2
    assert desk.capsys.readouterr().err == (
        "E480  Invalid value for '--region': 'nowhere' is no region: write us-east-1\n"
        "fix    esm --help\n"
    )
