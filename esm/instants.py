"""Instants and durations: the one place where text, datetime and milliseconds meet.

Everything here gives plain `datetime.datetime` objects, also while freezegun has replaced that
class: the real one is kept in a tuple, where freezegun does not look.
"""

from __future__ import annotations

import datetime as _datetime
import re
from datetime import timedelta
from typing import cast

from esm.errors import InvalidValue

# Imported while time is frozen, `datetime` is freezegun's class, which inherits from the real one.
_REAL = cast(
    "tuple[type[_datetime.datetime]]",
    tuple(c for c in _datetime.datetime.__mro__ if c.__module__ == "datetime")[:1],
)
_EPOCH = _REAL[0](1970, 1, 1, tzinfo=_datetime.UTC)
_UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")

Duration = int | float | str | timedelta
"""Seconds, a timedelta, or text such as "5m", "1h30m", "4m59s", "250ms"."""


def from_ms(instant_ms: int) -> _datetime.datetime:
    """An aware, plain datetime in UTC."""
    return _EPOCH + timedelta(milliseconds=instant_ms)


def to_ms(instant: _datetime.datetime) -> int:
    """Epoch milliseconds of an aware datetime, rounded down."""
    if instant.tzinfo is None:
        raise _no_instant(f"{instant!r} has no time zone")
    return (instant - _EPOCH) // timedelta(milliseconds=1)


def iso_ms(instant_ms: int) -> str:
    """`2019-11-14T00:38:06.021Z`, as AWS writes instants in invocation records."""
    return from_ms(instant_ms).strftime("%Y-%m-%dT%H:%M:%S.") + f"{instant_ms % 1000:03d}Z"


def iso_s(instant_ms: int) -> str:
    """The same in whole seconds, cut: `2026-01-01T00:00:00Z`."""
    return from_ms(instant_ms).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_instant(value: str | _datetime.datetime) -> int:
    """Epoch milliseconds of ISO-8601 text or an aware datetime; text without zone is UTC."""
    try:
        parsed = _REAL[0].fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        parsed = None
    if not isinstance(parsed, _REAL):
        raise _no_instant(f"{value!r} is not an instant")
    if isinstance(value, str) and parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=_datetime.UTC)
    return to_ms(parsed)


def _no_instant(what: str) -> InvalidValue:
    return InvalidValue("E444", what, fix='"2026-01-31T12:00:00Z", or an aware datetime')


def duration_ms(value: Duration) -> int:
    """Milliseconds of a duration; E443 for what is none, or negative."""
    try:
        result = _whole_ms(value)
    except (OverflowError, ValueError):
        raise _no_duration(f"{value!r} is not a duration") from None
    if result < 0:
        raise _no_duration(f"a duration cannot be negative: {value!r}")
    return result


def _whole_ms(value: object) -> int:
    if isinstance(value, timedelta):
        return value // timedelta(milliseconds=1)
    if isinstance(value, str):
        return _parse(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(value)
    return round(value * 1000)


def _no_duration(what: str) -> InvalidValue:
    return InvalidValue("E443", what, fix='"90s", "5m", "1h30m", "250ms", or seconds')


def duration_text(value_ms: int) -> str:
    """The shortest text that `duration_ms` reads back: 90500 -> "1m30s500ms"."""
    parts = []
    for unit in ("d", "h", "m", "s", "ms"):
        count, value_ms = divmod(value_ms, _UNIT_MS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def _parse(text: str) -> int:
    compact = text.replace(" ", "")
    if not compact or _PART.sub("", compact):
        raise ValueError(text)
    return round(sum(float(n) * _UNIT_MS[unit] for n, unit in _PART.findall(compact)))
