"""`esm put`: records into a live stream, or items into a live table.

Only the command line; what it does is `esm.cli.putting`, imported when it is done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click

from esm.cli.command import ConfiguredCommand
from esm.cli.reaching import Reach, reach_options, take_reach
from esm.cli.template_options import TemplateOptions, take_template, template_options


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    stream: str
    paths: tuple[str, ...]
    template: TemplateOptions
    reach: Reach
    data: str | None
    lines: bool
    partition_key: str | None
    explicit_hash_key: str | None
    output: str
    debug: bool


@click.command(cls=ConfiguredCommand)
@click.argument("stream")
@click.argument("paths", nargs=-1, metavar="[FILE]...")
@click.option(
    "--data", metavar="TEXT|@FILE|-", help="One record: text, a file's content, or stdin."
)
@click.option("--lines", is_flag=True, help="Each line of FILE is a record, whatever it says.")
@click.option("--partition-key", metavar="KEY", help="Of --data or --lines.  [each its own]")
@click.option(
    "--explicit-hash-key", metavar="NUMBER", help="A shard's, in place of the partition key's."
)
@template_options
@reach_options
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="[text]")
@click.option("--debug", is_flag=True, help="Show the traceback of a mistake in esm.")
def put(**values: Any) -> int:
    """Put records into a stream of the running esm run or esm serve.

    STREAM is a stream or table by its name, its ARN or its logical id in the template, or a mapping
    that reads one. FILE is a capture as `esm replay` takes it, or - for standard input: records
    keep data, partition key and order, and changes of a table's items are made again.

    \b
    esm put orders --data '{"id": 1}' --partition-key a
    esm put orders events/orders.json
    """
    template, reach = take_template(values), take_reach(values)
    options = Options(template=template, reach=reach, **values)
    _check(options)
    from esm.cli.putting import run

    return run(options)


def _check(options: Options) -> None:
    """What there is to put is said once."""
    if (options.data is None) == (not options.paths):
        both = "not both" if options.paths else "neither is given"
        raise click.UsageError(f"--data, or one FILE or more: {both}")
    if options.lines and not options.paths:
        raise click.UsageError("--lines is of a FILE")
    is_capture = options.data is None and not options.lines
    if is_capture and (options.partition_key or options.explicit_hash_key):
        raise click.UsageError("captured records have their own keys")
