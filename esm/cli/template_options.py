"""Options of the commands that begin with a template, spelt as SAM and the AWS CLI spell them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from esm.errors import TemplateError

if TYPE_CHECKING:
    from esm.template import Template

# https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-cli-command-reference-sam-validate.html
_NAMES = ("template.yaml", "template.yml", "template.json")
_REGION = "us-east-1"

# SAM takes both `Name=Value` and `ParameterKey=Name,ParameterValue=Value`, several in one text. A
# value without quotes ends where the next name begins.
_START = r"(?:ParameterKey=[^,=\s]+,ParameterValue=|[A-Za-z0-9]+=)"
_QUOTED = r"""(?:"(?:\\.|[^"\\])*"|'[^']*')"""
_OVERRIDE = re.compile(
    rf"\s*(?P<start>{_START})"
    rf"(?:(?P<quoted>{_QUOTED})(?=\s|$)|(?P<plain>.*?)(?=\s+{_START}|\s*$))",
    re.DOTALL,
)

Command = TypeVar("Command", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class TemplateOptions:
    """Which template, and what is to be known beside it; no file: the one of this folder."""

    file: Path | None
    overrides: dict[str, str]
    region: str

    @property
    def path(self) -> Path:
        """The template's file. Raises TemplateError E108 when a folder has none."""
        if self.file is not None:
            return self.file
        found = next((Path(name) for name in _NAMES if Path(name).is_file()), None)
        if found is None:
            raise TemplateError(
                "E108",
                f"this folder has no template: no {', '.join(_NAMES[:-1])} or {_NAMES[-1]}",
                fix=f"--template-file path/to/{_NAMES[0]}",
            )
        return found

    def load(self) -> Template:
        """Read the template; nothing of the user's is imported."""
        from esm.template import Deployment, load

        return load(self.path, parameters=self.overrides, deployment=Deployment(region=self.region))


def template_options(command: Command) -> Command:
    """Give a command the options from which `take_template` makes `TemplateOptions`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def take_template(values: dict[str, object]) -> TemplateOptions:
    """Take the options that concern the template out of a command's values."""
    file, overrides, region = (
        values.pop(name) for name in ("template_file", "parameter_overrides", "region")
    )
    assert file is None or isinstance(file, Path)
    assert isinstance(overrides, dict)
    assert isinstance(region, str)
    return TemplateOptions(file, overrides, region)


def _overrides(ctx: click.Context, param: click.Parameter, values: Sequence[str]) -> dict[str, str]:
    """Values by parameter; of one that is given twice, the last."""
    found: dict[str, str] = {}
    for text in values:
        end = 0
        while text[end:].strip():
            match = _OVERRIDE.match(text, end)
            if match is None:
                raise click.BadParameter(f"{text[end:].strip()!r} is not NAME=VALUE", ctx, param)
            name, *long = re.split("[=,]", match["start"])
            quoted = match["quoted"]
            value = match["plain"] if quoted is None else "".join(shlex.split(quoted))
            found[long[0] or name] = value
            end = match.end()
    return found


_OPTIONS = (
    click.option(
        "-t",
        "--template-file",
        "--template",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help=f"The template.  [{_NAMES[0]}]",
    ),
    click.option(
        "--parameter-overrides",
        envvar="ESM_PARAMETER_OVERRIDES",
        multiple=True,
        callback=_overrides,
        metavar="NAME=VALUE",
        help="A value for a parameter of the template, or several in one text.",
    ),
    click.option(
        "--region", default=_REGION, metavar="REGION", help=f"For AWS::Region.  [{_REGION}]"
    ),
)
