"""What is no error in a run and yet hardly meant, with what mends it.

https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html
https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis-filtering.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from esm.core import messages as m
from esm.mapping.filters import names_data
from esm.story.words import AGGREGATES, has_aggregates

if TYPE_CHECKING:
    from esm.trace import Trace
    from esm.view import Mapping


class RunCaution(NamedTuple):
    """A warning: its code, what is the matter in the user's terms, and what mends it."""

    code: str
    message: str
    fix: str


def cautions_of(mapping: Mapping, trace: Trace) -> Iterator[RunCaution]:
    """What a mapping's run gives reason to say."""
    if has_aggregates(trace.entries, mapping.name):
        yield RunCaution(*AGGREGATES)
    messages = (entry.message for entry in trace.entries if entry.mapping == mapping.name)
    if any(isinstance(message, m.StateDropped) for message in messages):
        yield RunCaution(
            "W702",
            "the final call of a tumbling window used up its attempts or age: its state is lost",
            "more MaximumRetryAttempts or age, or a function that takes it in its first call",
        )
    yield from _about_responses(mapping)
    yield from _about_filters(mapping)


def _about_responses(mapping: Mapping) -> Iterator[RunCaution]:
    answers = [each.response for each in mapping.invocations if each.error is None]
    naming = [each for each in answers if isinstance(each, dict) and "batchItemFailures" in each]
    unheeded = sum(bool(each["batchItemFailures"]) for each in naming)
    if unheeded and not mapping.properties.report_batch_item_failures:
        yield RunCaution(
            "W201",
            f"{unheeded:,} of the answers named batchItemFailures, which nobody heeds",
            "--function-response-types ReportBatchItemFailures",
        )
    if answers and not naming and mapping.properties.report_batch_item_failures:
        yield RunCaution(
            "W207",
            "FunctionResponseTypes is set, and no answer had batchItemFailures: all are successes",
            'return {"batchItemFailures": []}, or leave FunctionResponseTypes out',
        )


def _about_filters(mapping: Mapping) -> Iterator[RunCaution]:
    """A filter over data drops what is not JSON, and AWS says nothing of it."""
    dropped = mapping.filtered
    patterns = [each.pattern for each in mapping.properties.filter_criteria.filters]
    if not dropped or mapping.delivered or not all(map(names_data, patterns)):
        return
    if not any(map(_is_json, dropped)):
        yield RunCaution(
            "W251",
            f"the filters look into data, and the data of all {len(dropped):,} records is not JSON",
            "filter by other keys than data, or put JSON",
        )


def _is_json(record: Any) -> bool:
    try:
        return isinstance(record.json, dict | list)
    except ValueError:
        return False
