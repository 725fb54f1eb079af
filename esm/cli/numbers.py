"""Decimal numbers of a command line, exact: 0.1 is a tenth."""

from __future__ import annotations

import re
from fractions import Fraction

import click

_DECIMAL = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")


def decimal(ctx: click.Context, param: click.Parameter, value: str | None) -> Fraction | None:
    """A number above 0."""
    if value is None:
        return None
    number = Fraction(value) if _DECIMAL.fullmatch(value) else Fraction(0)
    if number == 0:
        raise click.BadParameter(f"it must be a number above 0, not {value!r}", ctx, param)
    return number


def percent(ctx: click.Context, param: click.Parameter, value: str) -> Fraction:
    """A part of one; the sign may be left out."""
    text = value.removesuffix("%").rstrip()
    if not _DECIMAL.fullmatch(text):
        raise click.BadParameter(f"{value!r} is not a percentage such as 25%", ctx, param)
    return Fraction(text) / 100


def shown(number: Fraction) -> str:
    """`1,250`, `0.3`: at most three digits behind the point."""
    text = f"{float(number):,.3f}"
    return text.rstrip("0").rstrip(".")
