"""`esm record`: a live stream into a capture, without touching anybody's checkpoints.

Only the command line; what it does is `esm.cli.recording`, imported when it is done.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from esm.cli.command import ConfiguredCommand
from esm.cli.common_options import duration
from esm.cli.reaching import Reach, reach_options, take_reach
from esm.cli.template_options import TemplateOptions, take_template, template_options
from esm.core.model import AtTimestamp, Latest, Position, TrimHorizon
from esm.errors import InvalidValue
from esm.instants import parse_instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    stream: str
    out: Path
    template: TemplateOptions
    reach: Reach
    start: Position
    for_ms: int | None
    count: int | None
    shards: tuple[str, ...]
    force: bool
    output: str
    debug: bool


def _start(ctx: click.Context, param: click.Parameter, value: str) -> Position:
    """A starting position by its name, or an instant."""
    match value.lower().replace("-", "_"):
        case "latest":
            return Latest()
        case "trim_horizon":
            return TrimHorizon()
    try:
        return AtTimestamp(parse_instant(value))
    except InvalidValue:
        message = f"{value!r} is neither latest, trim_horizon nor a time like 2026-01-31T12:00:00Z"
        raise click.BadParameter(message, ctx, param) from None


@click.command(cls=ConfiguredCommand)
@click.argument("stream", metavar="MAPPING|STREAM")
@click.option(
    "--out",
    "--output-file",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write, packed if it ends in .gz.",
)
@click.option(
    "--from",
    "start",
    default="latest",
    callback=_start,
    metavar="PLACE",
    help="trim_horizon, latest, or a time.  [latest]",
)
@click.option(
    "--for", "for_ms", callback=duration, metavar="TIME", help="How long.  [until Ctrl-C]"
)
@click.option("--count", type=click.IntRange(1), help="How many records at most.  [no limit]")
@click.option("--shard", "shards", multiple=True, metavar="ID", help="Only this one.  [all]")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@template_options
@reach_options
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="[text]")
@click.option("--debug", is_flag=True, help="Show the traceback of a mistake in esm.")
def record(**values: Any) -> int:
    """Read a live source into a capture; nobody's checkpoints move.

    MAPPING is one of the template: what it reads is recorded. STREAM is a stream or table by its
    name, its ARN or its logical id. Ctrl-C ends the recording, and the file is complete.

    \b
    esm record orders --out orders.jsonl.gz --for 30s
    esm record EnrichSignups --out sign-ups.jsonl --from trim_horizon --count 1000
    """
    template, reach = take_template(values), take_reach(values)
    options = Options(template=template, reach=reach, **values)
    from esm.cli.recording import run

    return run(options)
