"""`esm size`: how many shards a load needs, and which limit of Kinesis decides that."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction

import click

from esm.cli.command import ConfiguredCommand
from esm.cli.numbers import decimal, percent, shown
from esm.sizing import Limit, Load, Sizing
from esm.sizing import size as sized

_FAN_OUT_MAX = 20  # of a provisioned stream, and only those have shards to choose


@click.command(cls=ConfiguredCommand)
@click.option(
    "--in",
    "mb",
    metavar="MB/s",
    callback=decimal,
    help="What is written each second.",
)
@click.option(
    "--records", metavar="N/s", callback=decimal, help="How many records are written each second."
)
@click.option(
    "--consumers",
    type=click.IntRange(0),
    default=1,
    metavar="K",
    help="Mappings and others that read it, each all of it, without enhanced fan-out.  [1]",
)
@click.option(
    "--fan-out",
    type=click.IntRange(0, _FAN_OUT_MAX),
    default=0,
    metavar="K",
    help="Those that read it with enhanced fan-out, beside the consumers.  [0]",
)
@click.option("--margin", metavar="25%", default="25", callback=percent, help="Room on top.  [25%]")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="[text]")
def size(
    mb: Fraction | None,
    records: Fraction | None,
    consumers: int,
    fan_out: int,
    margin: Fraction,
    output: str,
) -> int:
    """Shards for a load, and the limit that decides.

    \b
    esm size --in 20 --records 8000 --consumers 3
    """
    if mb is None and records is None:
        raise click.UsageError("--in or --records must say what is written")
    load = Load(
        mb=mb or Fraction(0),
        records=records or Fraction(0),
        consumers=consumers,
        fan_out=fan_out,
        margin=margin,
    )
    answer = sized(load)
    from esm.cli.output import write_answer

    write_answer(_json_of(load, answer) if output == "json" else _text_of(load, answer))
    return 0


def _text_of(load: Load, answer: Sizing) -> str:
    return "".join(f"{line}\n" for line in _lines(load, answer))


def _lines(load: Load, answer: Sizing) -> Iterator[str]:
    decisive = answer.decisive
    yield f"{answer.shards:,} {'shard' if answer.shards == 1 else 'shards'}"
    yield f"{_sum_of(load, decisive)}, and a shard takes {_amount(decisive.per_shard, decisive)}"
    yield ""
    yield f"{'limit':<20}{'load':>20}{'a shard':>20}{'shards':>10}"
    for limit in answer.limits:
        if limit.load:
            each, all_of_it = _amount(limit.per_shard, limit), _amount(limit.load, limit)
            yield f"{limit.name:<20}{all_of_it:>20}{each:>20}{limit.shards:>10,}"


def _sum_of(load: Load, limit: Limit) -> str:
    """`bytes written: 20 MB/s + 25% = 25 MB/s`."""
    before = _amount(limit.load / (1 + load.margin), limit)
    if not load.margin:
        return f"{limit.name}: {before}"
    return f"{limit.name}: {before} + {shown(load.margin * 100)}% = {_amount(limit.load, limit)}"


def _amount(number: Fraction | int, limit: Limit) -> str:
    return f"{shown(Fraction(number))} {limit.unit}"


def _json_of(load: Load, answer: Sizing) -> str:
    document = {
        "shards": answer.shards,
        "decisive": answer.decisive.name,
        "marginPercent": float(load.margin * 100),
        "limits": [
            {
                "name": limit.name,
                "unit": limit.unit,
                "load": float(limit.load),
                "perShard": limit.per_shard,
                "shards": limit.shards,
            }
            for limit in answer.limits
            if limit.load
        ],
    }
    return json.dumps(document, indent=2) + "\n"
