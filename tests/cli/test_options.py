"""The mapping's flags are its properties."""

from __future__ import annotations

import click
import pytest

from esm.cli.options import MAPPING_FLAGS, mapping_options, take_properties, with_flags
from esm.errors import MappingError, SettingsError
from esm.mapping import PROPERTIES, Group

# What the capture says, and what a mapping that only replays would never heed.
NO_FLAGS = {"event_source_arn", "function_name", "enabled"}


def parsed(*arguments: str) -> dict[str, object]:
    """The properties that a command line sets."""
    seen: dict[str, object] = {}

    @click.command()
    @mapping_options
    def command(**values: object) -> None:
        seen.update(take_properties(values))

    command.main(args=list(arguments), standalone_mode=False)
    return seen


def test_each_property_that_can_matter_has_a_flag():
    matter = {row.attribute for row in PROPERTIES if row.about.group is Group.ENFORCED}
    assert {flag.attribute for flag in MAPPING_FLAGS} == matter - NO_FLAGS


@pytest.mark.parametrize("flag", MAPPING_FLAGS, ids=lambda flag: flag.name)
def test_the_help_of_a_flag_says_the_default(flag):
    default = next(row.default for row in PROPERTIES if row.attribute == flag.attribute)
    assert default in ("none", "false", "required") or f"[{default}" in flag.help


def test_what_is_not_given_is_left_out():
    assert parsed() == {}


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        (["--batch-size", "10"], {"batch_size": 10}),
        (["--batch-size", "ten"], {"batch_size": "ten"}),
        (["--maximum-retry-attempts", "-1"], {"maximum_retry_attempts": -1}),
        (["--bisect-batch-on-function-error"], {"bisect_batch_on_function_error": True}),
        (["--no-bisect-batch-on-function-error"], {"bisect_batch_on_function_error": False}),
        (["--function-response-types", "X"], {"function_response_types": ["X"]}),
        (["--destination-config", "{}"], {"destination_config": {}}),
        (["--starting-position", "LATEST"], {"starting_position": "LATEST"}),
        (["--starting-position-timestamp", "17.5"], {"starting_position_timestamp": 17.5}),
        (
            ["--starting-position-timestamp", "1970-01-01T01:00:00+00:30"],
            {"starting_position_timestamp": 1800.0},
        ),
        (["--starting-position-timestamp", "noon"], {"starting_position_timestamp": "noon"}),
        (["--starting-position-timestamp", "inf"], {"starting_position_timestamp": "inf"}),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_values_are_read_but_not_judged(arguments: list[str], value: dict[str, object]):
    assert parsed(*arguments) == value


@pytest.mark.parametrize(
    ("fix", "flag"),
    [
        ("batch_size=100", "--batch-size 100"),
        ("starting_position='TRIM_HORIZON'", "--starting-position TRIM_HORIZON"),
        ("bisect_batch_on_function_error=True", "--bisect-batch-on-function-error"),
        ("bisect_batch_on_function_error=False", "--no-bisect-batch-on-function-error"),
        ("function_response_types=['X']", "--function-response-types X"),
        ("filter_criteria={'Filters': []}", """--filter-criteria '{"Filters": []}'"""),
        ("event_source_arn='arn:x'", "event_source_arn='arn:x'"),
        ("remove topics", "remove topics"),
        (None, None),
    ],
)
def test_a_fix_is_a_flag(fix: str | None, flag: str | None):
    assert with_flags(MappingError("E204", "x", fix=fix)).fix == flag


def test_the_fix_of_a_setting_is_a_flag():
    assert with_flags(SettingsError("E260", "x", fix="backoff_cap='1m'")).fix == (
        "--set backoff_cap=1m"
    )
