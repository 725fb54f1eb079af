"""`esm serve`: the embedded AWS alone, to outlive several runs or to point other programs at."""

from __future__ import annotations

from typing import Any

import click

from esm.cli.command import ConfiguredCommand
from esm.cli.template_options import take_template, template_options


@click.command(cls=ConfiguredCommand)
@template_options
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Where to listen; 0 takes a free one.  [4577, or a free one]",
)
@click.option("--limits", is_flag=True, help="Shards have AWS's limits of reads and writes.")
@click.option("--debug", is_flag=True, help="Show the traceback of a mistake in esm.")
def serve(**values: Any) -> int:
    """The embedded AWS alone, to outlive runs or to point programs at.

    Kinesis and DynamoDB with streams, SQS, SNS, S3 and the rest, all of it in memory, until
    Ctrl-C. `esm run` in this folder uses it instead of one of its own, so that streams outlive
    each run. With a template, what it declares is there at once. Other programs find it by its
    address, which is printed: it listens on this machine only.

    \b
    esm serve
    aws kinesis list-streams --endpoint-url http://127.0.0.1:4577
    """
    template = take_template(values)
    from esm.cli.serving import serve as go

    return go(template, values["port"], limits=values["limits"])
