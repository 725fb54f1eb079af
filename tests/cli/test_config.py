"""Options that stay: in the environment, in pyproject.toml and in samconfig.toml."""

from __future__ import annotations

import json
import re

import pytest
from replay_desk import QUEUE, Desk, Ended, all_at_once

from esm.cli.main import main

TEMPLATE = """\
Transform: AWS::Serverless-2016-10-31
Parameters:
  Size: {Type: Number, Default: 100}
  Window: {Type: Number, Default: 0}
Resources:
  Orders: {Type: AWS::Kinesis::Stream}
  Handle:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.11
      CodeUri: src
      Handler: app.handler
      Events:
        Taken:
          Type: Kinesis
          Properties:
            Stream: !GetAtt Orders.Arn
            StartingPosition: TRIM_HORIZON
            BatchSize: !Ref Size
            MaximumRetryAttempts: 0
            MaximumBatchingWindowInSeconds: !Ref Window
"""


@pytest.fixture
def project(desk: Desk) -> Desk:
    """A template whose batch size, 100, and window, 0 s, are parameters: `esm` alone shows both."""
    desk.write("template.yaml", TEMPLATE)
    (desk.folder / "src").mkdir()
    desk.write("src/app.py", "def handler(event, context):\n    return event\n")
    return desk


def run(desk: Desk, *arguments: str) -> Ended:
    code = main(list(arguments))
    return Ended(code, *desk.capsys.readouterr())


# --- which is stronger ---------------------------------------------------------------------------


def test_a_flag_is_stronger_than_the_environment_and_that_than_the_file(
    three_orders: Desk, monkeypatch: pytest.MonkeyPatch
):
    three_orders.write(
        "pyproject.toml", '[tool.esm]\nhandler = "orders_app:fine"\nbatch-size = 3\nat-once = true'
    )
    assert "invocations  1 for 1 batch\n" in three_orders.replay("orders.json").out
    monkeypatch.setenv("ESM_BATCH_SIZE", "2")
    assert "invocations  2 for 2 batches\n" in three_orders.replay("orders.json").out
    flag = three_orders.replay("orders.json", "--batch-size", "1").out
    assert "invocations  3 for 3 batches\n" in flag


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "[tool.esm]\nbatchsize = 3",
            "pyproject.toml  E262  [tool.esm] has 'batchsize', which is no option\n"
            "fix    batch-size = …\n",
        ),
        ("[tool]\nesm = 3", "pyproject.toml  E263  [tool.esm] is no table\n"),
        ("[tool", "pyproject.toml  E263  cannot be read: "),
    ],
)
def test_a_file_of_options_that_is_wrong(three_orders: Desk, content: str, message: str):
    three_orders.write("pyproject.toml", content)
    ended = three_orders.replay(*all_at_once("fine"))
    assert ended.code == 3
    assert ended.err.startswith(message)


@pytest.mark.parametrize(
    ("line", "arguments"),
    [
        ('stream = "copies"', ["--stream", "copies"]),
        ('stream = ["copies", "others:2"]', ["--stream", "copies", "--stream", "others:2"]),
        ('set = {backoff_cap = "5s"}', ["--set", "backoff_cap=5s"]),
        ("limit = 90", ["--limit", "90s"]),
        ("latency = 0.5", ["--latency", "500ms"]),
        (
            'function-response-types = ["ReportBatchItemFailures"]',
            ["--function-response-types", "ReportBatchItemFailures"],
        ),
        (
            f'destination-config = {{OnFailure = {{Destination = "{QUEUE}"}}}}',
            ["--destination-config", f"OnFailure={{Destination={QUEUE}}}"],
        ),
        ("bisect-batch-on-function-error = true", ["--bisect-batch-on-function-error"]),
        ("maximum-retry-attempts = 3", ["--maximum-retry-attempts", "3"]),
        ('fail-on = ["expired", "blocked"]', ["--fail-on", "expired,blocked"]),
        ("batch-size = [1]", ["--batch-size", "1"]),
    ],
)
def test_a_value_of_the_file_is_that_of_the_flag(
    three_orders: Desk, line: str, arguments: list[str]
):
    by_flag = three_orders.replay(*all_at_once("fine", "-o", "json"), *arguments)
    three_orders.write("pyproject.toml", f"[tool.esm.replay]\n{line}\n")
    by_file = three_orders.replay(*all_at_once("fine", "-o", "json"))
    assert (by_flag.code, by_flag.err) == (0, "")
    assert by_file == by_flag


@pytest.mark.parametrize("line", ["bisect-batch-on-function-error = 3", 'timeline = "maybe"'])
def test_a_value_of_the_file_that_is_no_switch(three_orders: Desk, line: str):
    three_orders.write("pyproject.toml", f"[tool.esm.replay]\n{line}\n")
    ended = three_orders.replay(*all_at_once("fine"))
    assert ended.code == 2
    assert "is not a valid boolean" in ended.err


# --- what is for one command, and what for all ---------------------------------------------------


def test_a_table_of_a_command_is_stronger_than_the_one_of_all(three_orders: Desk):
    three_orders.write(
        "pyproject.toml",
        "[tool.esm]\nbatch-size = 3\nat-once = true\n[tool.esm.replay]\nbatch-size = 1\n",
    )
    ended = three_orders.replay("orders.json", "--handler", "orders_app:fine")
    assert "invocations  3 for 3 batches\n" in ended.out


def test_a_variable_of_a_command_is_stronger_than_the_one_of_all(
    three_orders: Desk, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("ESM_BATCH_SIZE", "3")
    monkeypatch.setenv("ESM_REPLAY_BATCH_SIZE", "1")
    assert "invocations  3 for 3 batches\n" in three_orders.replay(*all_at_once("fine")).out


@pytest.mark.parametrize("by", ["file", "variable"])
def test_a_value_that_only_another_command_can_take_is_for_that_one(
    project: Desk, by: str, monkeypatch: pytest.MonkeyPatch
):
    if by == "file":
        project.write("pyproject.toml", '[tool.esm]\noutput = "jsonl"\n')
    else:
        monkeypatch.setenv("ESM_OUTPUT", "jsonl")
    validated = run(project, "validate")
    assert (validated.code, validated.out[:1] == "[") == (0, False)
    assert run(project, "size", "--in", "1").out.startswith("2 shards\n")
    run(project, "generate", "kinesis", "--count", "1", "--out", "one.json")
    assert json.loads(run(project, "replay", "one.json").out)["outcome"] == "succeeded"


def test_a_value_that_no_command_can_take_is_a_mistake(project: Desk):
    project.write("pyproject.toml", '[tool.esm]\noutput = "xml"\n')
    ended = run(project, "validate")
    assert (ended.code, ended.out) == (2, "")
    assert "'xml' is not one of" in ended.err


def test_a_batch_size_for_replay_does_not_keep_generate_from_making_records(project: Desk):
    project.write("pyproject.toml", "[tool.esm]\nbatch-size = 10\n")
    ended = run(project, "generate", "kinesis", "--records", "--count", "1")
    assert (ended.code, "kinesis" in ended.json) == (0, True)


def test_an_option_that_is_not_the_same_everywhere_needs_its_command(
    project: Desk, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("ESM_RECORDS", "8000")
    ended = run(project, "size", "--in", "1")
    assert (ended.code, ended.out) == (3, "")
    assert ended.err == (
        "E262  ESM_RECORDS is one thing for generate and another for size\n"
        "fix    ESM_SIZE_RECORDS=…\n"
    )
    assert run(project, "validate").code == 0
    monkeypatch.delenv("ESM_RECORDS")
    monkeypatch.setenv("ESM_SIZE_RECORDS", "8000")
    assert run(project, "size").out.startswith("10 shards\n")
    assert "Records" in run(project, "generate", "kinesis", "--count", "1").json


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            "[tool.esm]\nrecords = 3",
            "E262  [tool.esm] has 'records', one thing for generate and another for size\n"
            "fix    generate.records = …\n",
        ),
        (
            "[tool.esm.replya]\nseed = 3",
            "E262  [tool.esm.replya] is for no command\nfix    [tool.esm.replay]\n",
        ),
        (
            "[tool.esm.size]\nmagrin = 3",
            "E262  [tool.esm.size] has 'magrin', which is no option\nfix    margin = …\n",
        ),
        ("[tool.esm]\nsize = 3", "E263  [tool.esm.size] is no table\n"),
        ("[tool.esm]\nzzzz = 3", "E262  [tool.esm] has 'zzzz', which is no option\nfix    remove"),
    ],
    ids=["ambiguous", "no command", "no option of it", "no table", "like nothing"],
)
def test_what_no_command_understands_is_told_by_all(project: Desk, content: str, said: str):
    project.write("pyproject.toml", content)
    for command in ([], ["validate"], ["size", "--in", "1"]):
        ended = run(project, *command)
        assert (ended.code, ended.out) == (3, "")
        assert ended.err.startswith(f"pyproject.toml  {said}")


def test_help_is_there_whatever_the_file_says(project: Desk):
    project.write("pyproject.toml", "[tool.esm")
    assert run(project, "validate", "--help").code == 0


# --- SAM's words ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ["Size=7", "Window=9"],
        ["ParameterKey=Size,ParameterValue=7", "ParameterKey=Window,ParameterValue=9"],
        ["Size=7 Window=9"],
        ["Size=7", "--parameter-overrides", "Window=9"],
    ],
    ids=["words", "keys", "one text", "flags"],
)
def test_several_parameters_behind_one_flag(project: Desk, words: list[str]):
    run(project, "generate", "kinesis", "--count", "20", "--out", "events.json")
    flags = ["--parameter-overrides", *words]
    ended = run(project, "replay", *flags, "events.json", "-o", "json")
    properties = ended.json["properties"]
    assert (properties["BatchSize"], properties["MaximumBatchingWindowInSeconds"]) == (7, 9)


def test_several_parameters_end_before_a_flag_and_two_hyphens(project: Desk):
    flags = ("--parameter-overrides=Size=20000", "Window=9", "-o", "json")
    assert "E204" in [each["code"] for each in run(project, "validate", *flags).json]
    ended = run(project, "replay", "--parameter-overrides", "Size=1", "--", "A=1.json")
    assert ended.err == "E420  no such file: A=1.json\n"


def test_a_variable_may_hold_several_parameters(project: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ESM_PARAMETER_OVERRIDES", """Size=7 Window="9" """)
    assert "up to 7 records, window 9 s" in run(project).out


@pytest.mark.parametrize("name", ["samconfig.toml", "samconfig.yaml", "samconfig.yml"])
def test_samconfig_in_each_of_its_forms(project: Desk, name: str):
    project.write(
        name,
        "[default.deploy.parameters]\nparameter_overrides = 'Size=7 Window=9'\n"
        if name.endswith("toml")
        else "default: {deploy: {parameters: {parameter_overrides: [Size=7, Window=9]}}}\n",
    )
    assert "up to 7 records, window 9 s" in run(project).out


def test_another_environment_and_another_file(project: Desk, monkeypatch: pytest.MonkeyPatch):
    project.write(
        "other.toml",
        "[live.global.parameters]\nparameter_overrides = 'Size=20000'\n[default]\n",
    )
    flags = ("--config-file", "other.toml", "--config-env", "live")
    assert "E204" in run(project, "validate", *flags).out
    assert run(project, "validate", "--config-file", "other.toml").code == 0
    monkeypatch.setenv("ESM_CONFIG_ENV", "live")
    project.write("pyproject.toml", '[tool.esm]\nconfig-file = "other.toml"\n')
    assert "E204" in run(project, "validate").out


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--config-file", "none.toml"], "none.toml  E263  cannot be read: No such file or direct"),
        (["--config-file", "none.yaml"], "none.yaml  E263  cannot be read: "),
        (
            ["--config-env", "lvie"],
            "samconfig.toml  E263  there is no environment 'lvie'\nfix    --config-env live\n",
        ),
        (["--config-file", "list.yaml"], "list.yaml  E263  it holds no table\n"),
    ],
)
def test_a_file_or_environment_that_is_asked_for_must_be_there(
    project: Desk, flags: list[str], said: str
):
    project.write("samconfig.toml", "[default]\n[live]\n")
    project.write("list.yaml", "- 3\n")
    ended = run(project, "validate", *flags)
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.startswith(said)


def test_an_environment_without_a_file(project: Desk):
    ended = run(project, "validate", "--config-env", "live")
    assert ended.err == "samconfig.toml  E263  there is none, and so no environment 'live'\n"


def test_variables_of_sams_local_invoke_are_those_of_ours(project: Desk):
    project.write("env.json", {"Handle": {"STAGE": "live"}})
    project.write("samconfig.toml", '[default.local_invoke.parameters]\nenv_vars = "env.json"\n')
    project.write("event.json", {})
    project.write(
        "src/app.py", "import os\ndef handler(event, context):\n    return os.environ['STAGE']\n"
    )
    assert run(project, "invoke", "Handle", "-e", "event.json") == Ended(0, '"live"\n', "")


def test_whole_events_can_be_sent_with_another_environment(project: Desk):
    project.write("samconfig.toml", "[live.global.parameters]\nparameter_overrides = 'Size=7'\n")
    run(project, "generate", "kinesis", "--count", "3", "--out", "events.json")
    ended = run(project, "replay", "events.json", "--as-is", "--config-env", "live")
    assert (ended.code, ended.out) == (0, "events       1 sent as they are, 0 failed\n")


def test_an_unknown_parameter_of_samconfig_is_told_there(project: Desk):
    project.write("samconfig.toml", "[default.deploy.parameters]\nparameter_overrides = 'Sise=7'\n")
    for command in (["validate"], ["replay", "x.json"]):
        ended = run(project, *command)
        told = (ended.out + ended.err).splitlines()
        assert told[0] == "samconfig.toml  E110  there is no parameter Sise"
        assert "fix    Size=…" in told


def test_an_unknown_parameter_of_a_flag_is_mended_by_a_flag(project: Desk):
    project.write("samconfig.toml", "[default.deploy.parameters]\nparameter_overrides = 'Size=7'\n")
    ended = run(project, "validate", "--parameter-overrides", "Sise=7")
    assert re.match(r"template\.yaml:\d+:\d+  E110  there is no parameter Sise\n", ended.out)
    assert "\nfix    --parameter-overrides Size=…\n" in ended.out


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("samconfig.toml", '[default.global.parameters]\ntemplate_file = "a\\u0000b"\n'),
        ("samconfig.toml", '[default.global.parameters]\nparameter_overrides = ["A=\\u0000"]\n'),
        ("pyproject.toml", '[tool.esm]\ntemplate-file = "\\u0000"\n'),
        ("pyproject.toml", '[tool.esm]\nparameter-overrides = {Size = "\\u0000"}\n'),
    ],
)
def test_a_nul_is_in_no_value(project: Desk, file: str, text: str):
    project.write(file, text)
    ended = run(project, "validate")
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.startswith("E262  ")
    assert "has a NUL character, which no option can have\n" in ended.err


@pytest.mark.parametrize("region", ["nowhere", "us-east", "US-EAST-1", ""])
def test_a_region_that_is_none(project: Desk, region: str):
    ended = run(project, "validate", "--region", region)
    assert (ended.code, ended.out) == (2, "")
    assert f"{region!r} is no region: write us-east-1\n" in ended.err
