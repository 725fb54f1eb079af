"""`esm checkpoints`: where each shard is; `reset` puts it somewhere else.

Only the command line; what it does is in `checkpoints_list` and `checkpoints_reset`, imported when
it is done.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, BinaryIO

import click
from click.core import ParameterSource

from esm.cli.command import ConfiguredCommand
from esm.cli.given import is_typed
from esm.cli.reaching import reach_options, take_reach
from esm.errors import InvalidValue
from esm.instants import duration_ms, parse_instant

# ISO 8601's, as Kafka's own command takes it.
_ISO_DURATION = re.compile(
    r"P(?=.)(?:(\d+)D)?(?:T(?=.)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?"
)
_SEQUENCE_NUMBER = re.compile(r"[0-9]{1,129}")


class _Group(ConfiguredCommand, click.Group):
    """A group that is a command, too."""


@click.group(cls=_Group, invoke_without_command=True)
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="[text]")
@reach_options
@click.option("--debug", is_flag=True, help="Show the traceback of a mistake in esm.")
@click.pass_context
def checkpoints(context: click.Context, /, output: str, **values: Any) -> int:
    """Where each shard is, and how far behind; reset puts it elsewhere.

    How far behind is asked of the stream, where `esm run` or `esm serve` has it.
    """
    if context.invoked_subcommand is not None:
        _check_group(context.invoked_subcommand)
        return 0
    from esm.cli.checkpoints_list import show_all

    return show_all(take_reach(values), output)


def _check_group(subcommand: str) -> None:
    """Refuse options in front of a subcommand, which has its own."""
    for name in ("output", "endpoint_url", "aws", "profile"):
        if is_typed(name):
            raise click.UsageError(f"{_flag(name)} is of the list, not of {subcommand}")


def _instant(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    try:
        return None if value is None else parse_instant(value)
    except InvalidValue as error:
        raise click.BadParameter(f"{error.message}: write {error.fix}", ctx, param) from None


def _duration(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """Milliseconds of `PT1H30M` or `1h30m`."""
    if value is None:
        return None
    match = _ISO_DURATION.fullmatch(value)
    if match is not None:
        units = zip(match.groups(), "dhms", strict=True)
        value = "".join(f"{count}{unit}" for count, unit in units if count)
    try:
        return duration_ms(value)
    except InvalidValue as error:
        raise click.BadParameter(f"{error.message}: write PT1H30M, or 1h30m", ctx, param) from None


def _number(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is not None and not _SEQUENCE_NUMBER.fullmatch(value):
        raise click.BadParameter(f"{value[:60]!r} is not a sequence number", ctx, param)
    return value


def _content(
    ctx: click.Context, param: click.Parameter, value: BinaryIO | None
) -> tuple[str, bytes] | None:
    return None if value is None else (getattr(value, "name", "-"), value.read())


_TARGETS: tuple[Callable[[Callable[..., object]], Callable[..., object]], ...] = (
    click.option("--to-current", is_flag=True, help="Where it is; with --export."),
    click.option("--to-earliest", is_flag=True, help="TRIM_HORIZON: all that the stream has."),
    click.option("--to-latest", is_flag=True, help="What comes from now on."),
    click.option(
        "--to-datetime",
        metavar="TIME",
        callback=_instant,
        help="What came then or later, ISO 8601.",
    ),
    click.option(
        "--by-duration",
        metavar="DURATION",
        callback=_duration,
        help="What came within it, up to now: PT1H30M, 1h30m.",
    ),
    click.option(
        "--to-sequence-number",
        metavar="N",
        callback=_number,
        help="What follows this record, of one shard.",
    ),
    click.option("--shift-by", metavar="N", type=int, help="Not possible for shards."),
    click.option(
        "--from-file",
        metavar="FILE",
        type=click.File("rb"),
        callback=_content,
        help="What --export has written, - for standard input.",
    ),
    click.option("--undo-fresh", is_flag=True, help="What the last run with --fresh set aside."),
)


def _with_targets(command: Callable[..., object]) -> Callable[..., object]:
    for option in reversed(_TARGETS):
        command = option(command)
    return command


@checkpoints.command(
    cls=ConfiguredCommand, short_help="Let shards be read from somewhere else; a dry run first."
)
@click.argument("mapping", required=False)
@click.option("--shard", "shards", multiple=True, metavar="ID", help="Of the mapping.  [all]")
@click.option("--all-mappings", is_flag=True, help="All that have checkpoints here.")
@_with_targets
@click.option("--execute", is_flag=True, help="Do it; else it is only shown.")
@click.option("--export", is_flag=True, help="Write it as JSON; alone, what there is now.")
@click.option("--debug", is_flag=True, help="Show the traceback of a mistake in esm.")
def reset(
    mapping: str | None,
    shards: tuple[str, ...],
    all_mappings: bool,  # noqa: FBT001  (click passes options by name)
    execute: bool,  # noqa: FBT001
    export: bool,  # noqa: FBT001
    debug: bool,  # noqa: FBT001
    **targets: Any,
) -> int:
    """Let shards be read from somewhere else; shows what would change, until --execute.

    \b
    esm checkpoints reset EnrichSignups --to-earliest
    esm checkpoints reset EnrichSignups --by-duration 1h --execute
    """
    given = [name for name in targets if _is_given(name)]
    if len(given) > 1:
        raise click.UsageError(f"{_flag(given[0])} and {_flag(given[1])} are two places")
    target = given[0] if given else "to_current" if export else None
    if target is None:
        raise click.UsageError("where to? For example --to-earliest")
    if execute and export:
        raise click.UsageError("--export writes what --execute would do: one of the two")
    _check_scope(mapping, shards, target, all_mappings=all_mappings)
    from esm.cli.checkpoints_plan import Scope
    from esm.cli.checkpoints_reset import Request, reset_all

    return reset_all(
        Request(Scope(mapping, shards), target, targets[target], execute=execute, export=export)
    )


def _check_scope(
    mapping: str | None, shards: tuple[str, ...], target: str, *, all_mappings: bool
) -> None:
    if mapping is not None and all_mappings:
        raise click.UsageError(f"{mapping} and --all-mappings are two different things")
    if mapping is None and shards:
        raise click.UsageError("--shard needs the name of its mapping")
    if mapping is None and not all_mappings and target != "from_file":
        raise click.UsageError("of which mapping? Its name, or --all-mappings")


def _is_given(name: str) -> bool:
    context = click.get_current_context()
    if context.params[name] in (None, False):
        return False
    return context.get_parameter_source(name) is not ParameterSource.DEFAULT


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
