"""Options of several commands: a mapping's properties, spelt as the AWS CLI spells them.

https://docs.aws.amazon.com/cli/latest/reference/lambda/create-event-source-mapping.html
Nothing here judges a value: that is `esm.mapping`, in AWS's words. What cannot be read at all is
E482. Importing this imports neither pydantic nor boto3.
"""

from __future__ import annotations

import ast
import json
import math
import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import click

from esm.cli.shorthand import NotAValue, parse_list, parse_structure
from esm.errors import EsmError, InputError, MappingError, SettingsError
from esm.instants import parse_instant

_ASSIGNMENT = re.compile(r"(\w+)=(.*)", re.DOTALL)

Command = TypeVar("Command", bound=Callable[..., object])


Convert = Callable[[str, str], object]
"""Makes a value of a flag's name and its text."""


def _number(flag: str, text: str) -> int | str:
    """A whole number; other text goes to the mapping as it is, which refuses it in AWS's words."""
    try:
        return int(text)
    except ValueError:
        return text


def _text(flag: str, text: str) -> str:
    return text


def _timestamp(flag: str, text: str) -> float | str:
    """Epoch seconds, also of ISO-8601 text."""
    try:
        seconds = float(text)
    except ValueError:
        pass
    else:
        return seconds if math.isfinite(seconds) else text
    try:
        return parse_instant(text) / 1000
    except ValueError:
        return text


def _parsed(parse: Callable[[str], object], example: str) -> Convert:
    """What a parser of `esm.cli.shorthand` reads."""

    def convert(flag: str, text: str) -> object:
        try:
            return parse(text)
        except NotAValue as error:
            raise InputError(
                "E482",
                f"{flag} {text}: {error}",
                why="the AWS CLI takes JSON or its shorthand here",
                fix=f"{flag} {example}",
            ) from None

    return convert


_list = _parsed(parse_list, "ReportBatchItemFailures")
_destination = _parsed(
    parse_structure, "'OnFailure={Destination=arn:aws:sqs:us-east-1:123456789012:failures}'"
)
_filters = _parsed(parse_structure, """'{"Filters": []}'""")


@dataclass(frozen=True, slots=True)
class MappingFlag:
    """A property of the mapping that can be given on a command line; a switch has no metavar."""

    attribute: str
    convert: Convert
    metavar: str | None
    help: str

    @property
    def name(self) -> str:
        """`--batch-size`."""
        return "--" + self.attribute.replace("_", "-")

    @property
    def option(self) -> Callable[[Command], Command]:
        """What makes it an option of a command."""
        if self.metavar is None:
            switch = f"{self.name}/--no-{self.name[2:]}"
            return click.option(switch, default=None, help=self.help)
        return click.option(
            self.name, metavar=self.metavar, callback=self._callback, help=self.help
        )

    def _callback(self, ctx: click.Context, param: click.Parameter, value: object) -> object:
        return self.convert(self.name, value) if isinstance(value, str) else value


MAPPING_FLAGS = (
    MappingFlag("batch_size", _number, "N", "Most records of a batch, 1 to 10000.  [100]"),
    MappingFlag(
        "maximum_batching_window_in_seconds",
        _number,
        "N",
        "How long to gather a batch, 0 to 300.  [0]",
    ),
    MappingFlag(
        "parallelization_factor", _number, "N", "Concurrent batches of a shard, 1 to 10.  [1]"
    ),
    MappingFlag("bisect_batch_on_function_error", _text, None, "Split a failed batch in two."),
    MappingFlag(
        "maximum_retry_attempts",
        _number,
        "N",
        "Retries of a failed batch, -1 to 10000.  [-1: no limit]",
    ),
    MappingFlag(
        "maximum_record_age_in_seconds",
        _number,
        "N",
        "Give older records up, 60 to 604800.  [-1: never]",
    ),
    MappingFlag(
        "function_response_types",
        _list,
        "TYPES",
        "ReportBatchItemFailures: the answer names failures.",
    ),
    MappingFlag(
        "destination_config",
        _destination,
        "TARGET",
        "Where discarded batches go: OnFailure={Destination=…}.",
    ),
    MappingFlag("filter_criteria", _filters, "FILTERS", "Which records to deliver."),
    MappingFlag(
        "tumbling_window_in_seconds", _number, "N", "Window of an aggregation, 0 to 900.  [0]"
    ),
    MappingFlag(
        "starting_position",
        _text,
        "POSITION",
        "TRIM_HORIZON, LATEST, AT_TIMESTAMP.  [TRIM_HORIZON]",
    ),
    MappingFlag(
        "starting_position_timestamp",
        _timestamp,
        "TIME",
        "For AT_TIMESTAMP: epoch seconds or ISO 8601.",
    ),
)
_BY_ATTRIBUTE = {flag.attribute: flag for flag in MAPPING_FLAGS}


def mapping_options(command: Command) -> Command:
    """Give a command an option for each of `MAPPING_FLAGS`; None where it is not given."""
    for flag in reversed(MAPPING_FLAGS):
        command = flag.option(command)
    return command


def take_properties(values: dict[str, object]) -> dict[str, object]:
    """Take the mapping's properties that were given out of a command's values."""
    given = {flag.attribute: values.pop(flag.attribute) for flag in MAPPING_FLAGS}
    return {attribute: value for attribute, value in given.items() if value is not None}


@contextmanager
def fixes_in_flags() -> Iterator[None]:
    """Have what is wrong with a mapping or a setting mended on the command line."""
    try:
        yield
    except (MappingError, SettingsError) as error:
        raise with_flags(error) from None


def with_flags(error: EsmError) -> EsmError:
    """An error whose fix is in Python's spelling, `batch_size=100`, with the flag instead."""
    match = _ASSIGNMENT.fullmatch(error.fix or "")
    if match is not None:
        attribute, text = match.groups()
        if attribute in _BY_ATTRIBUTE:
            error.fix = _as_flag(_BY_ATTRIBUTE[attribute], ast.literal_eval(text))
        elif isinstance(error, SettingsError):
            error.fix = f"--set {attribute}={ast.literal_eval(text)}"
    return error


def _as_flag(flag: MappingFlag, value: object) -> str:
    if flag.metavar is None:
        return flag.name if value else f"--no-{flag.name[2:]}"
    if isinstance(value, list):
        return f"{flag.name} {' '.join(value)}"
    text = value if isinstance(value, str) else json.dumps(value)
    return f"{flag.name} {shlex.quote(text)}"
