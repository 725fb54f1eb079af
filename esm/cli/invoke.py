"""`esm invoke`: one event through one function of the template, once, in this process.

Only the command line; what it does is `esm.cli.one_event`, imported when it is done.
"""

from __future__ import annotations

import click

from esm.cli.command import ConfiguredCommand
from esm.cli.template_options import take_template, template_options
from esm.cli.variables import VariablesFile, variables_option


@click.command(cls=ConfiguredCommand)
@click.argument("function")
@click.option(
    "-e", "--event", required=True, metavar="FILE", help="The event as JSON; - is standard input."
)
@variables_option
@template_options
@click.option("--debug", is_flag=True, help="Show the traceback of a mistake in esm.")
def invoke(function: str, event: str, env_vars: VariablesFile | None, **values: object) -> int:
    """One event through one function of the template, once.

    FUNCTION is a logical id of the template. The response goes to stdout as JSON; what the handler
    prints, and its traceback when it fails, to stderr. Nothing reaches AWS.

    \b
    esm invoke Enrich --event events/batch.json
    """
    options = take_template(values)
    from esm.cli.one_event import run

    return run(options, function, event, env_vars)
