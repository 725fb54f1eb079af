"""`esm generate`: records and events that nobody captured, for `esm replay` and `esm invoke`."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import click
from click.core import ParameterSource

from esm.cli.command import ConfiguredCommand
from esm.cli.common_options import duration
from esm.cli.numbers import decimal
from esm.errors import InvalidValue
from esm.instants import parse_instant
from esm.scenarios import names

_KEYS_MAX = 1_000_000
_MIX = re.compile(r"([0-9]{1,6}):([0-9]{1,6}):([0-9]{1,6})")
_BATCH_SIZE = 100  # AWS's default for a stream's mapping


@click.group(no_args_is_help=False)
def generate() -> None:
    """Events or records, as many as wanted."""


def _keys(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...]:
    """A number of keys, or the keys themselves."""
    if value is None:
        return ()
    if not value.isdecimal():
        return tuple(value.split(","))
    # A longer number is never read: int() refuses very many digits.
    count = int(value) if len(value) < len(str(_KEYS_MAX)) + 1 else _KEYS_MAX + 1
    if not 1 <= count <= _KEYS_MAX:
        raise click.BadParameter(f"{value[:20]} is not 1 to {_KEYS_MAX:,} keys", ctx, param)
    return tuple(f"key-{number}" for number in range(1, count + 1))


def _instant(ctx: click.Context, param: click.Parameter, value: str) -> int:
    """Epoch milliseconds of ISO-8601 text."""
    try:
        return parse_instant(value)
    except InvalidValue as error:
        raise click.BadParameter(f"{error.message}: write {error.fix}", ctx, param) from None


_WHAT = (
    click.option("--count", type=click.IntRange(1), default=100, help="How many records.  [100]"),
    click.option(
        "--keys",
        metavar="N|A,B,…",
        callback=_keys,
        help="How many partition keys to draw from, or which.  [each record its own]",
    ),
    click.option(
        "--data",
        metavar="JSON",
        default='{"id": {{n}}}',
        help='What is in a record, with placeholders.  [{"id": {{n}}}]',
    ),
    click.option("--seed", type=int, default=0, help="Of everything drawn by chance.  [0]"),
)
_HOW = (
    click.option(
        "--start",
        "start_ms",
        metavar="TIME",
        default="2026-01-01T00:00:00Z",
        callback=_instant,
        help="When the first one arrives.  [2026-01-01T00:00:00Z]",
    ),
    click.option(
        "--rate", metavar="N/s", default="100", callback=decimal, help="How many a second.  [100]"
    ),
    click.option(
        "--batch-size",
        type=click.IntRange(1, 10_000),
        help=f"Most records of an event.  [{_BATCH_SIZE}]",
    ),
    click.option("--records", is_flag=True, help="A record on each line, and no events."),
    click.option(
        "--out",
        type=click.Path(dir_okay=False, path_type=Path),
        help="File to write, packed if it ends in .gz.  [stdout]",
    ),
    click.option("--debug", is_flag=True, help="Show the traceback of a mistake in esm."),
)

Command = Callable[..., int]


def _with_options(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Options in the order in which the help shows them."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def _batch_size(given: int | None, *, records: bool) -> int | None:
    """Most records of an event; None where records are wanted and no events."""
    source = click.get_current_context().get_parameter_source("batch_size")
    if records and source is ParameterSource.COMMANDLINE:
        raise click.UsageError("--records makes no events, so no --batch-size")
    return None if records else given or _BATCH_SIZE


def _mix(ctx: click.Context, param: click.Parameter, value: str) -> tuple[int, int, int]:
    """Three weights with colons between them."""
    match = _MIX.fullmatch(value)
    weights = tuple(map(int, match.groups())) if match else (0, 0, 0)
    if not any(weights):
        raise click.BadParameter(f"{value!r} is not INSERT:MODIFY:REMOVE such as 6:3:1", ctx, param)
    insert, modify, remove = weights
    return insert, modify, remove


@generate.command(cls=ConfiguredCommand)
@_with_options(
    *_WHAT,
    click.option("--shards", type=int, default=1, help="How many the stream has.  [1]"),
    click.option(
        "--stream", metavar="NAME|ARN", default="stream", help="Which they are from.  [stream]"
    ),
    *_HOW,
)
def kinesis(
    count: int,
    keys: tuple[str, ...],
    data: str,
    seed: int,
    shards: int,
    stream: str,
    start_ms: int,
    rate: Fraction,
    batch_size: int | None,
    records: bool,  # noqa: FBT001  (click passes options by name)
    out: Path | None,
    debug: bool,  # noqa: FBT001
) -> int:
    """Events of a Kinesis stream as a function gets them, one on each line; or its records.

    Placeholders in --data: {{n}} the record's number, {{key}} its partition key, {{now}} its
    arrival, {{uuid}}, {{int 1 100}}, {{float 0 1}}, {{choice new paid sent}}. In quotes they
    become text.

    \b
    esm generate kinesis --count 1000 --keys 20 --shards 4 --out orders.jsonl.gz
    """
    size = _batch_size(batch_size, records=records)
    from esm.cli.generating import write
    from esm.data_template import DataTemplate
    from esm.generating import Plan

    plan = Plan(
        stream=stream,
        count=count,
        data=DataTemplate(data),
        start_ms=start_ms,
        rate=rate,
        keys=keys,
        shards=shards,
        seed=seed,
    )
    write(plan, size, out)
    return 0


@generate.command(cls=ConfiguredCommand)
@_with_options(
    *_WHAT,
    click.option("--key-name", metavar="NAME", default="pk", help="The key attribute.  [pk]"),
    click.option(
        "--mix",
        metavar="I:M:R",
        default="1:0:0",
        callback=_mix,
        help="How often INSERT, MODIFY and REMOVE are, as weights.  [1:0:0]",
    ),
    click.option(
        "--view",
        metavar="TYPE",
        default="NEW_AND_OLD_IMAGES",
        help="The StreamViewType.  [NEW_AND_OLD_IMAGES]",
    ),
    click.option(
        "--table", metavar="NAME|ARN", default="table", help="Whose, or the stream's ARN.  [table]"
    ),
    *_HOW,
)
def dynamodb(
    count: int,
    keys: tuple[str, ...],
    data: str,
    seed: int,
    key_name: str,
    mix: tuple[int, int, int],
    view: str,
    table: str,
    start_ms: int,
    rate: Fraction,
    batch_size: int | None,
    records: bool,  # noqa: FBT001  (click passes options by name)
    out: Path | None,
    debug: bool,  # noqa: FBT001
) -> int:
    """Events of a DynamoDB table's stream as a function gets them; or their records.

    --data is an item without its key, with the placeholders of `generate kinesis`. An item is
    inserted before it is changed or removed; a change that would change nothing removes it.

    \b
    esm generate dynamodb --count 1000 --keys 20 --mix 6:3:1 --out orders.jsonl.gz
    """
    size = _batch_size(batch_size, records=records)
    from esm.cli.generating import write
    from esm.data_template import DataTemplate
    from esm.generating_changes import ChangePlan

    plan = ChangePlan(
        table=table,
        count=count,
        data=DataTemplate(data),
        start_ms=start_ms,
        rate=rate,
        key_name=key_name,
        keys=keys,
        mix=mix,
        view=view,
        seed=seed,
    )
    write(plan, size, out)
    return 0


@generate.command(cls=ConfiguredCommand)
@click.argument("name", type=click.Choice(names()))
@_with_options(
    click.option(
        "--duration",
        "for_ms",
        metavar="TIME",
        default="1h",
        callback=duration,
        help="How long.  [1h]",
    ),
    click.option(
        "--rate",
        metavar="N/s",
        default="10",
        callback=decimal,
        help="How many a second, on average over a day.  [10]",
    ),
    click.option("--seed", type=int, default=0, help="Of everything drawn by chance.  [0]"),
    click.option(
        "--start",
        "start_ms",
        metavar="TIME",
        default="2026-01-01T00:00:00Z",
        callback=_instant,
        help="When it begins; nights are quiet.  [2026-01-01T00:00:00Z]",
    ),
    click.option("--shards", type=int, default=1, help="How many the stream has.  [1]"),
    click.option(
        "--stream", metavar="NAME|ARN", default="stream", help="Which they are from.  [stream]"
    ),
    click.option(
        "-o",
        "--output",
        type=click.Choice(["jsonl", "events"]),
        default="jsonl",
        help="Records, or events of a hundred of them; one on each line.  [jsonl]",
    ),
    *_HOW[-2:],
)
def scenario(
    name: str,
    for_ms: int,
    rate: Fraction,
    seed: int,
    start_ms: int,
    shards: int,
    stream: str,
    output: str,
    out: Path | None,
    debug: bool,  # noqa: FBT001  (click passes options by name)
) -> int:
    """Records of one of the example applications, as believable as we could make them.

    They come as they would: busy hours and quiet ones, keys that are used more than others, some
    records late and a few malformed.

    \b
    esm generate scenario internet_provider --duration 1h --rate 20 --out sign-ups.jsonl
    """
    from esm.cli.generating import write
    from esm.generating_scenarios import ScenarioPlan

    plan = ScenarioPlan(
        scenario=name,
        stream=stream,
        start_ms=start_ms,
        duration_ms=for_ms,
        rate=rate,
        shards=shards,
        seed=seed,
    )
    write(plan, _BATCH_SIZE if output == "events" else None, out)
    return 0
