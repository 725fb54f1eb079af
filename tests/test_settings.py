"""Our own settings: one meaning however a duration is written, and no nonsense."""

import pickle
import subprocess
import sys
from dataclasses import FrozenInstanceError
from datetime import timedelta

import pytest

from esm.errors import SettingsError
from esm.settings import Settings, parse_settings


def test_the_same_wait_written_three_ways_is_the_same_setting():
    ways = [Settings(backoff_cap=v) for v in (90, "1m30s", timedelta(minutes=1, seconds=30))]
    assert len(set(ways)) == 1
    assert repr(ways[0]) == "Settings(backoff_cap='1m30s')"


def test_only_what_is_not_default_is_shown():
    settings = Settings(backoff_cap="1m", read_ahead_records=5, skip_idle_polls=False)
    assert repr(Settings()) == "Settings()"
    assert repr(settings) == "Settings(read_ahead_records=5, skip_idle_polls=False)"
    assert settings.changed() == {"read_ahead_records": 5, "skip_idle_polls": False}
    assert settings.changed_text() == (
        "read_ahead_records=5 (default 10000), skip_idle_polls=False (default True)"
    )
    assert Settings().changed_text() == ""


def test_what_is_shown_can_be_pasted():
    settings = Settings(latest_delay=2.5, bisect_midpoint="upper")
    assert eval(repr(settings)) == settings
    assert pickle.loads(pickle.dumps(settings)) == settings


def test_settings_do_not_change():
    with pytest.raises(FrozenInstanceError):
        Settings().backoff_cap = "1s"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        pytest.param(
            {"backoff_first": "soon"},
            "Settings(backoff_first='soon'): backoff_first must be a duration such as "
            '"500ms", "5m" or 2.5',
            id="no-duration",
        ),
        pytest.param(
            {"throttle_first": 0},
            "Settings(throttle_first='0s'): throttle_first must be at least 1ms",
            id="a-retry-takes-time",
        ),
        pytest.param(
            {"poll_failure_cap": "500ms"},
            "Settings(poll_failure_cap='500ms'): poll_failure_cap must not be below "
            "poll_failure_first (1s)",
            id="cap-below-first",
        ),
        pytest.param(
            {"read_ahead_records": 0},
            "Settings(read_ahead_records=0): read_ahead_records must be a whole number from 1",
            id="no-room",
        ),
        pytest.param(
            {"read_ahead_bytes": True},
            "Settings(read_ahead_bytes=True): read_ahead_bytes must be a whole number from 1",
            id="no-number",
        ),
        pytest.param(
            {"bisect_midpoint": "middle"},
            'Settings(bisect_midpoint=\'middle\'): bisect_midpoint must be "lower" or "upper"',
            id="no-midpoint",
        ),
        pytest.param(
            {"skip_idle_polls": 1},
            "Settings(skip_idle_polls=1): skip_idle_polls must be True or False",
            id="no-flag",
        ),
        pytest.param(
            {"latest_delay": -1},
            "Settings(latest_delay=-1): latest_delay must be a duration such as "
            '"500ms", "5m" or 2.5',
            id="negative",
        ),
    ],
)
def test_a_senseless_setting_is_refused(wrong, message):
    with pytest.raises(SettingsError) as caught:
        Settings(**wrong)
    (name,) = wrong
    assert (caught.value.esm_code, caught.value.message) == ("E260", message)
    assert caught.value.fix == f"{name}={getattr(Settings(), name)!r}"


def test_settings_are_read_from_text():
    texts = ["backoff_cap=30s", "read_ahead_records=7", "skip_idle_polls=False", "backoff_cap=40s"]
    assert parse_settings(texts) == Settings(
        backoff_cap="40s", read_ahead_records=7, skip_idle_polls=False
    )
    assert parse_settings([]) == Settings()


@pytest.mark.parametrize(
    ("text", "code"),
    [("backof_cap=1s", "E261"), ("backoff_cap", "E261"), ("read_ahead_records=x", "E260"),
     ("skip_idle_polls=1", "E260")],
)  # fmt: skip
def test_a_text_that_is_no_setting_is_refused(text, code):
    with pytest.raises(SettingsError) as caught:
        parse_settings([text])
    assert caught.value.esm_code == code


def test_settings_cost_no_import_of_pydantic():
    program = "import sys, esm.settings, esm.core.model; assert 'pydantic' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
