"""`esm run`: mappings of the template, kept running on embedded or real sources.

Only the command line; what it does is `esm.cli.running`, imported when it is done.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from esm.cli.command import ConfiguredCommand
from esm.cli.common_options import duration, fail_on_option
from esm.cli.given import is_typed
from esm.cli.options import mapping_options, take_properties
from esm.cli.template_options import TemplateOptions, take_template, template_options
from esm.cli.variables import VariablesFile, variables_option


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says, beside the properties of a mapping.

    `until_ms`: for so long; -1 until it is idle; None for ever.
    """

    mappings: tuple[str, ...]
    template: TemplateOptions
    env_vars: VariablesFile | None
    feed: tuple[str, ...]
    feed_speed: float | None
    until_ms: int | None
    poll_interval_ms: int | None
    fresh: bool
    endpoint_url: str | None
    aws: bool
    profile: str | None
    port: int | None
    limits: bool
    settings: tuple[str, ...]
    fail_on: frozenset[str]
    output: str
    trace: Path | None
    debug: bool


IDLE = -1


def _until(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    return IDLE if value == "idle" else duration(ctx, param, value)


def _interval(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    interval_ms = duration(ctx, param, value)
    if interval_ms == 0:
        raise click.BadParameter("0 would poll without a pause: write 0.01", ctx, param)
    return interval_ms


@click.command(cls=ConfiguredCommand)
@click.argument("mappings", nargs=-1, metavar="[MAPPING...]")
@template_options
@variables_option
@mapping_options
@click.option(
    "--feed",
    multiple=True,
    metavar="[MAPPING=]FILE",
    help="Captured records, put where the mapping reads that is named, or that reads their stream.",
)
@click.option(
    "--feed-speed",
    type=click.FloatRange(0, min_open=True),
    metavar="FACTOR",
    help="Feed them as they arrived, so many times as fast.  [all at once]",
)
@click.option(
    "--until",
    "until_ms",
    callback=_until,
    metavar="idle|5m",
    help="Go on until nothing is left to do, or for so long.  [for ever]",
)
@click.option(
    "--poll-interval",
    "poll_interval_ms",
    callback=_interval,
    metavar="SECONDS",
    help="How often a shard is read.  [as AWS: 1 for Kinesis, 0.25 for DynamoDB]",
)
@click.option("--fresh", is_flag=True, help="Begin anew: checkpoints are set aside.")
@click.option(
    "--endpoint-url",
    metavar="URL",
    help="Of what speaks AWS's API on this machine.  [the embedded AWS]",
)
@click.option("--aws", is_flag=True, help="Read and write in a real account.")
@click.option("--profile", metavar="NAME", help="Whose account, with --aws.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Of the embedded AWS; 0 takes a free one.  [4577, or a free one]",
)
@click.option("--limits", is_flag=True, help="Shards of the embedded AWS have AWS's limits.")
@click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", help="A choice of esm's own."
)
@fail_on_option
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json", "jsonl"]),
    default="text",
    help="jsonl: a line for each call, as it ends.  [text]",
)
@click.option(
    "--trace",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write everything that happens to a file, JSONL.",
)
@click.option("--debug", is_flag=True, help="Show the traceback of a mistake in esm.")
def run(**values: Any) -> int:
    """Mappings of the template, kept running on embedded or real sources.

    All that are enabled, or those that are named. What the template declares is made in an AWS
    of this machine, which lasts as long as the run, or as `esm serve`. Ctrl-C lets what is in
    flight end, and saves checkpoints.

    \b
    esm run
    esm run EnrichSignups --feed events/ --until idle
    """
    properties = take_properties(values)
    options = Options(template=take_template(values), **values)
    _check(options)
    from esm.cli.running import run as go

    return go(options, properties)


def _check(options: Options) -> None:
    """Nothing is typed that nothing would come of."""
    if not options.feed and is_typed("feed_speed"):
        raise click.UsageError("--feed-speed is of --feed, which is not given")
    elsewhere = "--aws" if options.aws else "--endpoint-url" if options.endpoint_url else None
    for option in ("port", "limits"):
        if elsewhere is not None and is_typed(option):
            raise click.UsageError(f"--{option} is of the embedded AWS: {elsewhere} is another")
