"""Options of the commands that begin with a template, spelt as SAM and the AWS CLI spell them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click
from click.core import ParameterSource

from esm.cli.config import FROM_SAMCONFIG
from esm.cli.mask import Mask
from esm.cli.overrides import FLAG, Overrides, parse_overrides
from esm.errors import Place, TemplateError

if TYPE_CHECKING:
    from esm.template import Template

# https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-cli-command-reference-sam-validate.html
_NAMES = ("template.yaml", "template.yml", "template.json")
_CDK = "cdk.out"
_REGION = "us-east-1"
_A_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d")

Command = TypeVar("Command", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class TemplateOptions:
    """Which template, and what is to be known beside it; no file: the one of this folder.

    `overrides_file` is where the overrides stand, if not on the command line; `account` None: a
    made-up one.
    """

    file: Path | None
    overrides: dict[str, str]
    region: str
    overrides_file: str | None = None
    account: str | None = None

    @property
    def path(self) -> Path:
        """The template's file. Raises TemplateError E108 when a folder has none."""
        if self.file is None:
            return _file_here()
        if self.file.is_dir():
            near = next(_templates_of(self.file), self.file / _NAMES[0])
            message = f"{self.file} is a folder, and a template is a file"
            raise _no_template(message, near)
        return self.file

    def load_to_run(self) -> Template:
        """As `load`; raises TemplateError where a parameter has a value that cannot be meant."""
        template = self.load()
        with Mask(template.secrets).on_errors():
            template.require_parameters()
        return template

    def load(self) -> Template:
        """Read the template; nothing of the user's is imported."""
        from esm.template import Deployment, load
        from esm.template.complaints import UNKNOWN_PARAMETER

        deployment = Deployment(region=self.region)
        if self.account is not None:
            deployment = Deployment(self.account, self.region)
        template = load(self.path, parameters=self.overrides, deployment=deployment)
        for problem in template.problems:
            if problem.esm_code == UNKNOWN_PARAMETER.esm_code and self.overrides_file:
                problem.place = Place(self.overrides_file)
                problem.fix = (problem.fix or "").removeprefix(f"{FLAG} ")
        return template


def _file_here() -> Path:
    found = next((Path(name) for name in _NAMES if Path(name).is_file()), None)
    if found is None:
        folders = (Path(_CDK), *(Path(*[".."] * steps) for steps in (1, 2, 3)))
        near = next((path for folder in folders for path in _templates_of(folder)), None)
        message = f"this folder has no template: no {', '.join(_NAMES[:-1])} or {_NAMES[-1]}"
        raise _no_template(message, near or Path("path", "to", _NAMES[0]))
    return found


def _no_template(message: str, near: Path) -> TemplateError:
    return TemplateError("E108", message, fix=f"--template-file {near}")


def _templates_of(folder: Path) -> Iterator[Path]:
    """Templates by their names, also those that `cdk synth` writes."""
    yield from (folder / name for name in _NAMES if (folder / name).is_file())
    yield from sorted(folder.glob("*.template.json"))


def template_options(command: Command) -> Command:
    """Give a command the options from which `take_template` makes `TemplateOptions`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def _region(ctx: click.Context, param: click.Parameter, value: str) -> str:
    if _A_REGION.fullmatch(value) is None:
        raise click.BadParameter(f"{value!r} is no region: write {_REGION}", ctx, param)
    return value


def take_template(values: dict[str, object]) -> TemplateOptions:
    """Take the options that concern the template out of a command's values."""
    file, overrides, region = (
        values.pop(name) for name in ("template_file", "parameter_overrides", "region")
    )
    for read_already in ("config_file", "config_env"):
        del values[read_already]
    assert file is None or isinstance(file, Path)
    assert isinstance(overrides, dict)
    assert isinstance(region, str)
    return TemplateOptions(file, overrides, region, _overrides_file())


def _overrides_file() -> str | None:
    """SAM's file, where the parameters' values are from there and from no flag."""
    context, name = click.get_current_context(), "parameter_overrides"
    if context.get_parameter_source(name) is not ParameterSource.DEFAULT_MAP:
        return None
    files: dict[str, str] = context.meta.get(FROM_SAMCONFIG, {})
    return files.get(name)


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
        FLAG,
        type=Overrides(),
        multiple=True,
        callback=parse_overrides,
        metavar="NAME=VALUE...",
        help="Values for parameters of the template, as SAM takes them.",
    ),
    click.option(
        "--region",
        default=_REGION,
        callback=_region,
        metavar="REGION",
        help=f"Where the template is.  [{_REGION}]",
    ),
    click.option("--config-file", metavar="FILE", help="SAM's options.  [samconfig.toml]"),
    click.option("--config-env", metavar="NAME", help="Which of its environments.  [default]"),
)
