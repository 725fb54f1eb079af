"""Instants and durations: the one place where text, datetime and milliseconds meet.

Everything here gives plain `datetime.datetime` objects, also while freezegun has replaced that
class: the real one is kept in a tuple, where freezegun does not look.
"""

from __future__ import annotations

import datetime as _datetime
import re
from datetime import timedelta

_REAL = tuple(c for c in _datetime.datetime.__mro__ if c.__module__ == "datetime")[:1]
_EPOCH = (_REAL[0](1970, 1, 1, tzinfo=_datetime.timezone.utc),)
_UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")

Duration = int | float | str | timedelta
"""Seconds, a timedelta, or text such as "5m", "1h30m", "4m59s", "250ms"."""


def from_ms(instant_ms: int) -> _datetime.datetime:
    """An aware, plain datetime in UTC."""
    return _EPOCH[0] + timedelta(milliseconds=instant_ms)


def to_ms(instant: _datetime.datetime) -> int:
    """Epoch milliseconds of an aware datetime, rounded down."""
    if instant.tzinfo is None:
        raise ValueError(f"{instant!r} has no time zone: give an aware datetime")
    return (instant - _EPOCH[0]) // timedelta(milliseconds=1)


def iso_ms(instant_ms: int) -> str:
    """`2019-11-14T00:38:06.021Z`, as AWS writes instants in invocation records."""
    return from_ms(instant_ms).strftime("%Y-%m-%dT%H:%M:%S.") + f"{instant_ms % 1000:03d}Z"


def parse_instant(value: str | _datetime.datetime) -> int:
    """Epoch milliseconds of ISO-8601 text or an aware datetime; text without zone is UTC."""
    if isinstance(value, str):
        parsed = _REAL[0].fromisoformat(value)
        value = parsed if parsed.tzinfo else parsed.replace(tzinfo=_datetime.timezone.utc)
    return to_ms(value)


def duration_ms(value: Duration) -> int:
    """Milliseconds of a duration; raises ValueError for what is none, or negative."""
    if isinstance(value, timedelta):
        result = value // timedelta(milliseconds=1)
    elif isinstance(value, str):
        result = _parse(value)
    else:
        result = round(value * 1000)
    if result < 0:
        raise ValueError(f"a duration cannot be negative: {value!r}")
    return result


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
        raise ValueError(f'{text!r} is not a duration: write "90s", "5m", "1h30m" or "250ms"')
    return round(sum(float(n) * _UNIT_MS[unit] for n, unit in _PART.findall(compact)))
