"""A mapping's FilterCriteria: compiled patterns, or why AWS refuses one.

The language itself is in `esm.core.filtering`; here are AWS's answer to a mistake in it, and what
is asked of a pattern for one kind of source.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from esm.core.filtering import Dialect, FaultKind, Path, Pattern, PatternFault, compile_pattern
from esm.errors import MappingError
from esm.mapping.refusals import FILTER_LEAF, FILTER_OPERATOR, FILTER_PATTERN, Refusal
from esm.mapping.sources import Source

# Recorded, whatever is wrong with a pattern.
INVALID_PATTERN = "Invalid filter pattern definition."

DATA_KEYS: Mapping[Source, str] = {
    Source.KINESIS: "data",
    Source.DYNAMODB: "dynamodb",
    Source.MSK: "value",
    Source.SELF_MANAGED_KAFKA: "value",
}
"""Under which key a pattern finds the data of a record."""

_REFUSALS = {
    FaultKind.FORM: FILTER_PATTERN,
    FaultKind.LEAF: FILTER_LEAF,
    FaultKind.OPERATOR: FILTER_OPERATOR,
}


@dataclass(frozen=True, slots=True)
class FilterFault:
    """What is wrong with a pattern: which rule, where in it, and the whole pattern as meant."""

    refusal: Refusal
    message: str
    path: Path
    meant: str

    def error(self, number: int, fix: str) -> MappingError:
        """The error to raise; `number` is the filter's, from 1."""
        what = f"filter {number}: {self.message}"
        if self.refusal.code is None:
            return self.refusal.error(what, fix=fix)
        return self.refusal.error(INVALID_PATTERN, detail=what, fix=fix)


def paste_pattern(pattern: str) -> str:
    """A pattern as YAML, to paste."""
    quoted = pattern.replace("'", "''")
    return f"Pattern: '{quoted}'"


def judge(
    text: str, source: Source | None, *, reject_plain_data: bool = True
) -> Pattern | FilterFault:
    """A pattern, compiled for this kind of source, or what is wrong with it.

    `reject_plain_data`: whether a list right under a Kinesis pattern's `data` is refused. AWS's
    table says that a pattern that is not JSON is, and this is the only pattern that can be meant.
    """
    example = json.dumps({_data_key(source): {"id": [1]}})
    try:
        pattern = compile_pattern(text, dialect=Dialect.LAMBDA)
    except PatternFault as fault:
        refusal = _REFUSALS[fault.kind]
        return FilterFault(refusal, fault.message, fault.path, fault.meant or example)
    if reject_plain_data and source is Source.KINESIS and _asks_for_text(pattern):
        message = '"data" must be an object: the data of a record is filtered as JSON'
        path = ("data",) if "data" in json.loads(text) else ()
        return FilterFault(FILTER_PATTERN, message, path, example)
    return pattern


def names_data(text: str) -> bool:
    """Whether a Kinesis pattern can only match records whose data it looks into."""
    return all(branch.names("data") for branch in compile_pattern(text).branches)


def _data_key(source: Source | None) -> str:
    return "data" if source is None else DATA_KEYS[source]


def _asks_for_text(pattern: Pattern) -> bool:
    conditions = (c for branch in pattern.branches for c in branch.conditions)
    return any(condition.name == "data" for condition in conditions)
