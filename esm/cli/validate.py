"""`esm validate`: everything that is wrong with a template, at once, without running any of it."""

from __future__ import annotations

import click

from esm.cli.command import ConfiguredCommand
from esm.cli.mask import Mask
from esm.cli.template_options import TemplateOptions, take_template, template_options
from esm.errors import EsmError

_INVALID = 3
_FORMATS = ("text", "json", "github", "sarif")


@click.command(cls=ConfiguredCommand)
@template_options
@click.option(
    "-o",
    "--output",
    type=click.Choice(_FORMATS),
    default="text",
    help="github: comments at the lines of a pull request; sarif: code scanning.  [text]",
)
@click.option("--debug", is_flag=True, help="Show the traceback of a mistake in esm.")
def validate(output: str, **values: object) -> int:
    """Every rule we know, with file:line:column; no code is imported.

    \b
    esm validate --template-file template.yaml
    """
    errors = _errors(take_template(values))
    from esm.cli.complaints import FORMATS, in_order
    from esm.cli.failures import severity_of
    from esm.cli.output import write_answer

    write_answer(FORMATS[output](in_order(errors)))
    return _INVALID if any(severity_of(error) == "error" for error in errors) else 0


def _errors(options: TemplateOptions) -> list[EsmError]:
    """What keeps the template from being read is a complaint like any other."""
    from esm.clock import SystemClock
    from esm.template.cautions import cautions
    from esm.template.checking import check

    try:
        template = options.load()
    except EsmError as error:
        return [error]
    mask = Mask(template.secrets)
    errors = [*check(template, now_ms=SystemClock().now_ms()), *cautions(template)]
    if template.without_transform is not None:
        errors.append(template.without_transform)
    return [mask.error(error) for error in errors]
