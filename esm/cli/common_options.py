"""What options of several commands have in common: durations, and what exit code 1 stands for."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar, overload

import click

from esm.errors import InvalidValue
from esm.instants import duration_ms

FAILURES = ("discarded", "dropped", "expired", "blocked", "function-error")
_FAIL_ON = "discarded,dropped,expired,blocked"
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")

Command = TypeVar("Command", bound=Callable[..., object])


@overload
def duration(ctx: click.Context, param: click.Parameter, value: str) -> int: ...
@overload
def duration(ctx: click.Context, param: click.Parameter, value: None) -> None: ...
def duration(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """Milliseconds of text like 1h30m; a number alone is seconds."""
    if value is None:
        return None
    try:
        return duration_ms(float(value) if _NUMBER.fullmatch(value) else value)
    except InvalidValue as error:
        raise click.BadParameter(f"{error.message}: write {error.fix}", ctx, param) from None


def fail_on_option(command: Command) -> Command:
    """Give a command `--fail-on`, whose value is a frozenset of FAILURES."""
    return click.option(
        "--fail-on",
        default=_FAIL_ON,
        callback=_failures,
        help=f"What exit code 1 stands for; also function-error, none.  [{_FAIL_ON}]",
    )(command)


def _failures(ctx: click.Context, param: click.Parameter, value: str) -> frozenset[str]:
    words = frozenset(value.split(",")) - {"none"}
    if unknown := sorted(words - set(FAILURES)):
        known = ", ".join((*FAILURES, "none"))
        raise click.BadParameter(f"{unknown[0]!r} is none of {known}", ctx, param)
    return words
