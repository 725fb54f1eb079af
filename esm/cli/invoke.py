"""`esm invoke`: one event through one function of the template, once, in this process.

Only the command line; what it does is `esm.cli.one_event`, imported when it is done.
"""

from __future__ import annotations

import click

from esm.cli.template_options import take_template, template_options


@click.command(context_settings={"auto_envvar_prefix": "ESM"})
@click.argument("function")
@click.option(
    "-e", "--event", required=True, metavar="FILE", help="The event as JSON; - is standard input."
)
@click.option("-n", "--env-vars", metavar="FILE", help="Its variables: JSON, as for SAM.")
@template_options
@click.option("--debug", is_flag=True, help="Show the traceback of a mistake in esm.")
def invoke(function: str, event: str, env_vars: str | None, **values: object) -> int:
    """One event through one function of the template, once.

    FUNCTION is a logical id of the template. The response goes to stdout as JSON; what the handler
    prints, and its traceback when it fails, to stderr. Nothing reaches AWS.

    \b
    esm invoke Enrich --event events/batch.json
    """
    options = take_template(values)
    from esm.cli.one_event import run

    return run(options, function, event, env_vars)
