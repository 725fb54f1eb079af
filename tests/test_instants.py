"""Instants and durations: text, datetime and milliseconds, under a frozen clock too."""

import datetime
import subprocess
import sys
from datetime import UTC, timedelta, timezone

import pytest
from freezegun import freeze_time

from esm.errors import InputError
from esm.instants import (
    duration_ms,
    duration_text,
    from_ms,
    iso_ms,
    parse_instant,
    to_ms,
)

# In a list, where freezegun does not replace it.
REAL = [datetime.datetime]
NEW_YEAR_MS = 1_767_225_600_000


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(2, 2_000, id="seconds"),
        pytest.param(0.25, 250, id="fraction"),
        pytest.param(timedelta(minutes=5, microseconds=1_500), 300_001, id="timedelta"),
        pytest.param("5m", 300_000, id="minutes"),
        pytest.param("1h30m", 5_400_000, id="two-units"),
        pytest.param("4m 59s", 299_000, id="spaced"),
        pytest.param("250ms", 250, id="milliseconds"),
        pytest.param("1.5d", 129_600_000, id="fraction-of-a-day"),
        pytest.param("0s", 0, id="none"),
    ],
)
def test_a_duration_has_many_forms(value, expected):
    assert duration_ms(value) == expected


@pytest.mark.parametrize(
    "value",
    ["", "5", "m", "5 minutes", "-5m", -1, timedelta(-1), True, None, float("inf"), float("nan"),
     "5.5.5s", "9" * 400 + "d"],
)  # fmt: skip
def test_what_is_no_duration_is_refused(value):
    with pytest.raises(ValueError, match="duration") as refusal:
        duration_ms(value)
    assert isinstance(refusal.value, InputError)
    assert refusal.value.esm_code == "E443"


def test_a_refused_duration_shows_how_to_write_one():
    with pytest.raises(InputError) as refusal:
        duration_ms("5 minutes")
    assert str(refusal.value) == (
        'E443  \'5 minutes\' is not a duration\nfix    "90s", "5m", "1h30m", "250ms", or seconds'
    )


@pytest.mark.parametrize("milliseconds", [0, 1, 90_500, 86_400_000, 694_861_001])
def test_a_duration_is_read_back_from_its_text(milliseconds):
    assert duration_ms(duration_text(milliseconds)) == milliseconds


def test_the_text_of_a_duration_is_the_shortest():
    assert duration_text(90_500) == "1m30s500ms"


@pytest.mark.parametrize(
    "value",
    [
        "2026-01-01T00:00:00Z",
        "2026-01-01",
        "2026-01-01T01:00:00+01:00",
        REAL[0](2026, 1, 1, tzinfo=UTC),
        REAL[0](2025, 12, 31, 19, tzinfo=timezone(timedelta(hours=-5))),
    ],
)
def test_an_instant_is_text_or_an_aware_datetime(value):
    assert parse_instant(value) == NEW_YEAR_MS


def test_a_datetime_without_zone_is_refused():
    with pytest.raises(ValueError, match=r"E444  .* has no time zone"):
        parse_instant(REAL[0](2026, 1, 1))


@pytest.mark.parametrize("value", ["soon", "", "2026-13-01", 5, None, datetime.date(2026, 1, 1)])
def test_what_is_no_instant_is_refused(value):
    with pytest.raises(ValueError, match=r"E444  .* is not an instant"):
        parse_instant(value)


def test_milliseconds_are_kept_and_less_is_cut():
    assert from_ms(NEW_YEAR_MS + 21).microsecond == 21_000
    assert to_ms(REAL[0](2026, 1, 1, 0, 0, 0, 1_999, tzinfo=UTC)) == NEW_YEAR_MS + 1
    assert iso_ms(NEW_YEAR_MS + 21) == "2026-01-01T00:00:00.021Z"


@freeze_time("2020-02-02")
def test_instants_are_plain_datetimes_while_time_is_frozen():
    assert datetime.datetime is not REAL[0]
    assert type(from_ms(0)) is REAL[0]
    assert parse_instant("2026-01-01") == NEW_YEAR_MS
    assert to_ms(datetime.datetime.now(UTC)) == to_ms(from_ms(1_580_601_600_000))


def test_instants_are_plain_datetimes_when_first_imported_while_time_is_frozen():
    program = """
import datetime, freezegun
real = [datetime.datetime]
with freezegun.freeze_time("2020-02-02"):
    from esm.instants import from_ms, parse_instant
    assert type(from_ms(0)) is real[0]
    assert parse_instant("1970-01-02") == 86_400_000
assert type(from_ms(0)) is real[0]
assert parse_instant("1970-01-02") == 86_400_000
"""
    subprocess.run([sys.executable, "-c", program], check=True)
