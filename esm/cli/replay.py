"""`esm replay`: captured events or records through a mapping in virtual time, then exit.

Only the command line; what it does is `esm.cli.replaying`, imported when it is done.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from esm.cli.command import ConfiguredCommand
from esm.cli.common_options import duration, fail_on_option
from esm.cli.options import mapping_options, take_properties
from esm.cli.template_options import TemplateOptions, take_template, template_options
from esm.cli.variables import VariablesFile, variables_option

# What counts with --as-is.
_WITHOUT_MAPPING = {
    "paths", "template_file", "parameter_overrides", "region", "config_file", "config_env",
    "mapping", "handler", "code_uri", "function_name", "timeout", "memory_size", "env_vars",
    "latency", "streams", "as_is", "max_bytes", "seed", "fail_on", "output", "debug",
}  # fmt: skip


Latency = str | tuple[str, str]
"""A duration, or two to draw from between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says, beside the properties of the mapping."""

    paths: tuple[str, ...]
    template: TemplateOptions
    mapping: str | None
    handler: str | None
    code_uri: Path | None
    function_name: str | None
    timeout: int | None
    memory_size: int | None
    env_vars: VariablesFile | None
    latency: Latency
    streams: tuple[tuple[str, int], ...]
    chain: bool
    at_once: bool
    as_is: bool
    limit_ms: int
    max_bytes: int | None
    settings: tuple[str, ...]
    seed: int
    fail_on: frozenset[str]
    timeline: bool
    output: str
    trace: Path | None
    debug: bool


def _latency(ctx: click.Context, param: click.Parameter, value: str) -> Latency:
    """A duration, or a range `50ms..2s` to draw from."""
    low, dots, high = value.partition("..")
    first = duration(ctx, param, low)
    if not dots:
        return f"{first}ms"
    last = duration(ctx, param, high)
    if first > last:
        raise click.BadParameter(f"{low} is more than {high}", ctx, param)
    return f"{first}ms", f"{last}ms"


def _streams(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, int], ...]:
    """`NAME` or `NAME:SHARDS`."""
    streams: list[tuple[str, int]] = []
    for value in values:
        name, colon, shards = value.partition(":")
        if colon and not shards.isdecimal():
            raise click.BadParameter(f"{value!r} is not NAME or NAME:SHARDS", ctx, param)
        if name in dict(streams):
            raise click.BadParameter(f"{name!r} is given twice", ctx, param)
        streams.append((name, int(shards) if colon else 1))
    return tuple(streams)


@click.command(cls=ConfiguredCommand)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option(
    "--mapping", metavar="NAME", help="Of the template.  [its only one of a stream, or --handler]"
)
@click.option("--handler", metavar="MODULE:FUNCTION", help="The function to call.  [the mapping's]")
@template_options
@click.option(
    "--code-uri",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with the function's modules.  [the current one]",
)
@click.option("--function-name", metavar="NAME", help="Its name.  [that of the Python function]")
@click.option(
    "--timeout", type=click.IntRange(1, 900), help="Its timeout in seconds.  [3, or the template's]"
)
@click.option(
    "--memory-size",
    type=click.IntRange(128, 10240),
    help="Its memory in MB.  [128, or the template's]",
)
@variables_option
@mapping_options
@click.option(
    "--latency",
    default="0s",
    callback=_latency,
    help="How long a call takes: 100ms, or 50ms..2s to draw from.  [0s]",
)
@click.option(
    "--stream",
    "streams",
    multiple=True,
    callback=_streams,
    metavar="NAME[:SHARDS]",
    help="A stream that the handler may put to.",
)
@click.option(
    "--chain/--no-chain",
    default=True,
    help="Also the template's mappings that read what the function writes.  [--chain]",
)
@click.option("--at-once", is_flag=True, help="All records are there from the start.")
@click.option("--as-is", is_flag=True, help="Each captured event unchanged and once; no mapping.")
@click.option(
    "--limit",
    "limit_ms",
    default="8d",
    callback=duration,
    help="Virtual time to go on after the last record.  [8d]",
)
@click.option(
    "--max-bytes",
    type=click.IntRange(1),
    help="Most bytes of all captures together, unpacked.  [256 MiB]",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="A choice of esm's own.",
)
@click.option("--seed", type=int, default=0, help="Of everything drawn by chance.  [0]")
@fail_on_option
@click.option("--timeline", is_flag=True, help="Tell all that happened, not only what went wrong.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json", "jsonl"]),
    default="text",
    help="jsonl: a line for each call.  [text]",
)
@click.option(
    "--trace",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write everything that happened to a file, JSONL.",
)
@click.option("--debug", is_flag=True, help="Show the traceback of a mistake in esm.")
def replay(**values: Any) -> int:
    """Captured events or records through a mapping, in virtual time; then exit.

    PATH is a file, a folder, a glob, or - for standard input: Lambda events of Kinesis or
    DynamoDB, `aws kinesis get-records` or `aws dynamodbstreams get-records` output, on-failure
    objects from S3, JSON or JSONL, gzipped or not. Nothing reaches AWS.

    The mapping and its function are those of the template, or --handler with flags alone.

    \b
    esm replay events/ --mapping EnrichSignups
    esm replay events/ --handler app:handler --batch-size 10
    """
    context = click.get_current_context()
    if values["as_is"]:
        _check_as_is(context)
    properties = take_properties(values)
    options = Options(template=take_template(values), **values)
    from esm.cli.replaying import run

    return run(options, properties)


def _check_as_is(context: click.Context) -> None:
    """Nothing that only a mapping would heed may be given."""
    for param in context.command.params:
        source = context.get_parameter_source(param.name or "")
        if source is ParameterSource.COMMANDLINE and param.name not in _WITHOUT_MAPPING:
            raise click.UsageError(f"--as-is has no mapping, so no {param.opts[0]}", context)
