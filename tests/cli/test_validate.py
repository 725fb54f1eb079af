"""`esm validate`: all that is wrong with a template, and none of the user's code is run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from replay_desk import Desk, Ended

from esm.cli.main import main
from esm.cli.template_options import TemplateOptions, take_template, template_options

TEMPLATE = """\
Transform: AWS::Serverless-2016-10-31
Parameters:
  Size:
    Type: Number
    Default: 100
Resources:
  Orders:
    Type: AWS::Kinesis::Stream
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
            StartingPosition: TRIM_HORIZON
            BatchSize: !Ref Size
            MaximumRetryAttempts: 2
"""
SECRET_POSITION = "StartingPosition: !Ref Size"
TOO_LARGE = TEMPLATE.replace("!Ref Size", "20000")
TOO_LATE = TOO_LARGE.replace("TRIM_HORIZON", "LATER")


WITHOUT_TRANSFORM = TEMPLATE.partition("\n")[2]


@pytest.fixture
def project(desk: Desk) -> Desk:
    """A folder with a template and a handler that must not be imported."""
    desk.write("template.yaml", TEMPLATE)
    (desk.folder / "src").mkdir()
    desk.write("src/app.py", "raise SystemExit('imported')\n\ndef handler(event, context): ...\n")
    return desk


def validate(desk: Desk, *arguments: str) -> Ended:
    code = main(["validate", *arguments])
    out, err = desk.capsys.readouterr()
    return Ended(code, out, err)


def test_a_sound_template(project: Desk):
    assert validate(project) == Ended(0, "no mistakes found\n", "")


def test_all_mistakes_are_told_at_once_from_the_top(project: Desk):
    project.write("template.yaml", TOO_LATE)
    ended = validate(project)
    assert (ended.code, ended.err) == (3, "")
    first, second, total = ended.out.rstrip().split("\n\n")
    assert first.startswith("template.yaml:20:31  E205  ")
    assert second.startswith("template.yaml:21:24  E204  ")
    assert second.splitlines()[1:3] == [
        "     21 |             BatchSize: 20000",
        "        |                        ^",
    ]
    assert total == "2 errors"


def test_a_warning_is_told_and_is_no_mistake(project: Desk):
    project.write("template.yaml", TEMPLATE.replace("TRIM_HORIZON", "LATEST"))
    ended = validate(project)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines() == [
        "template.yaml:20:31  W203  HandleTaken: what is written while the mapping starts is lost "
        "with LATEST",
        "     20 |             StartingPosition: LATEST",
        "        |                               ^",
        "why    AWS takes its iterators when it begins to poll, which may take minutes",
        "fix    StartingPosition: TRIM_HORIZON",
        "",
        "1 warning",
    ]
    [warning] = validate(project, "-ojson").json
    assert (warning["code"], warning["severity"]) == ("W203", "warning")


def test_each_form_has_every_mistake(project: Desk):
    project.write("template.yaml", TOO_LATE)
    codes = ["E205", "E204"]
    assert [each["code"] for each in validate(project, "-ojson").json] == codes
    [run] = validate(project, "-o", "sarif").json["runs"]
    assert [each["ruleId"] for each in run["results"]] == codes
    assert [line.split("::")[1] for line in validate(project, "-o", "github").out.splitlines()] == [
        "error file=template.yaml,line=20,col=31,title=E205",
        "error file=template.yaml,line=21,col=24,title=E204",
    ]


def test_another_file(project: Desk):
    project.write("other.yaml", TOO_LARGE)
    assert validate(project, "-t", "other.yaml").code == 3
    assert validate(project, "--template-file", "template.yaml").code == 0


@pytest.mark.parametrize(
    "overrides",
    [
        ["Size=20000"],
        ["ParameterKey=Size,ParameterValue=20000"],
        ["Size='200' Size=20000"],
        ["Size=200", "Size=20000"],
    ],
)
def test_a_parameter_from_outside(project: Desk, overrides: list[str]):
    flags = [word for each in overrides for word in ("--parameter-overrides", each)]
    ended = validate(project, *flags)
    assert (ended.code, "E204" in ended.out) == (3, True)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {}),
        ("A=1", {"A": "1"}),
        (" A=1  B=2\n", {"A": "1", "B": "2"}),
        ("A=", {"A": ""}),
        ("A=x=y B=http://host/?q=1", {"A": "x=y", "B": "http://host/?q=1"}),
        ("A=two words B=O'Neil", {"A": "two words", "B": "O'Neil"}),
        ("""A="two B=3" B='it' """, {"A": "two B=3", "B": "it"}),
        (r'A="say \"no\"" B=""', {"A": 'say "no"', "B": ""}),
        ("ParameterKey=A,ParameterValue=1,2 ParameterKey=B,ParameterValue=", {"A": "1,2", "B": ""}),
        ("ParameterKey=A,ParameterValue=1 B=2 A=3", {"A": "3", "B": "2"}),
    ],
)
def test_parameters_as_sam_takes_them(text: str, found: dict[str, str]):
    seen: list[TemplateOptions] = []

    @click.command()
    @template_options
    def command(**values: object) -> None:
        seen.append(take_template(values))

    command.main(args=["--parameter-overrides", text], standalone_mode=False)
    assert [options.overrides for options in seen] == [found]


@pytest.mark.parametrize("text", ["Size", "=3", "Size-2=3"])
def test_what_is_no_parameter(project: Desk, text: str):
    ended = validate(project, "--parameter-overrides", text)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("E480  Invalid value for '--parameter-overrides'")


def test_a_parameter_that_the_template_does_not_have(project: Desk):
    ended = validate(project, "--parameter-overrides", "Sise=3")
    assert ended.code == 3
    assert ended.out.splitlines()[-3] == "fix    --parameter-overrides Size=…"


def test_a_folder_without_template(desk: Desk):
    ended = validate(desk, "-o", "json")
    assert ended.code == 3
    assert [each["code"] for each in ended.json] == ["E108"]


def test_a_template_that_is_not_there(desk: Desk):
    ended = validate(desk, "-t", "nowhere.yaml")
    assert ended.code == 3
    assert ended.out.startswith("nowhere.yaml  E101  ")


def test_a_template_that_is_none(project: Desk):
    project.write("template.yaml", "Resources: [")
    ended = validate(project, "-o", "github")
    assert ended.code == 3
    assert ended.out.startswith("::error file=template.yaml,line=2,col=1,title=E102::")


def test_pyproject_names_the_template(project: Desk):
    project.write("other.yaml", TOO_LARGE)
    project.write("pyproject.toml", '[tool.esm]\ntemplate-file = "other.yaml"\nbatch-size = 3')
    assert validate(project).code == 3


@pytest.mark.parametrize(
    "template",
    sorted((Path(__file__).parents[1] / "templates").glob("*.yaml")),
    ids=lambda path: path.stem,
)
def test_a_mistake_that_others_let_through_is_found_with_its_line_and_a_fix(
    template: Path, desk: Desk
):
    mistakes = json.loads(validate(desk, "-t", str(template), "-o", "json").out)
    assert mistakes
    assert all(each["line"] and each["why"] and each["fix"] for each in mistakes)


def test_it_imports_neither_aws_nor_the_harness(project: Desk):
    script = (
        "import sys; from esm.cli.main import main; main(['validate']); print('|', *sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True, text=True, cwd=project.folder, check=True,
    )  # fmt: skip
    modules = set(done.stdout.rpartition("|")[2].split())
    assert "esm.template.checking" in modules
    assert modules & {"app", "boto3", "botocore", "esm.harness", "moto", "rich"} == set()


def test_samconfig_has_the_template_and_its_parameters(project: Desk):
    project.write("other.yaml", TEMPLATE)
    project.write(
        "samconfig.toml",
        """
version = 0.1
[default.global.parameters]
template_file = "other.yaml"
stack_name = "orders"
[default.deploy.parameters]
capabilities = "CAPABILITY_IAM"
parameter_overrides = 'Size="20000"'
""",
    )
    ended = validate(project)
    assert (ended.code, ended.out.split(":")[0]) == (3, "other.yaml")
    assert "E204" in ended.out


@pytest.mark.parametrize(
    "overrides", ['["Size=20000"]', "{Size = 20000}", '"Size=200 Size=20000"'],
    ids=["list", "table", "text"],
)  # fmt: skip
def test_samconfig_may_have_parameters_in_several_forms(project: Desk, overrides: str):
    project.write(
        "samconfig.toml", f"[default.global.parameters]\nparameter_overrides = {overrides}"
    )
    assert validate(project).code == 3
    assert validate(project, "--parameter-overrides", "Size=200").code == 0


def test_pyproject_is_stronger_than_samconfig(project: Desk):
    project.write("samconfig.toml", '[default.global.parameters]\ntemplate_file = "none.yaml"')
    project.write("pyproject.toml", '[tool.esm]\ntemplate-file = "template.yaml"')
    assert validate(project).code == 0


def test_a_samconfig_that_cannot_be_read(project: Desk):
    project.write("samconfig.toml", "[default")
    ended = validate(project)
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.startswith("samconfig.toml  E263  cannot be read: ")


@pytest.mark.parametrize("text", ["default = 3", "[default]\nglobal = 3", "other = {}"])
def test_a_samconfig_that_says_nothing_to_us(project: Desk, text: str):
    project.write("samconfig.toml", text)
    assert validate(project).code == 0


def test_a_value_with_no_echo_is_not_shown(desk: Desk, capsys: pytest.CaptureFixture[str]):
    text = TEMPLATE.replace("    Default: 100", "    NoEcho: true")
    desk.write("template.yaml", text.replace("StartingPosition: TRIM_HORIZON", SECRET_POSITION))
    assert main(["validate", "--parameter-overrides", "Size=hushhush"]) == 3
    shown = capsys.readouterr().out
    assert "hushhush" not in shown
    assert "the parameter Size cannot be '****'" in shown
    assert "Value '****' at 'startingPosition'" in shown


def test_sams_resources_without_its_transform(project: Desk) -> None:
    """SAM reads such a template, and CloudFormation does not."""
    project.write("template.yaml", WITHOUT_TRANSFORM)
    ended = validate(project)
    assert ended.code == 3
    assert ended.out.startswith("template.yaml:9:11  E107  Handle is a resource of SAM")
    assert "fix    Transform: AWS::Serverless-2016-10-31" in ended.out
