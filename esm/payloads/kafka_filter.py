"""FilterCriteria over Kafka records: what becomes of conditions on `value` that do not fit it.

They are ignored, and the others decide; Kinesis drops the record instead.
https://docs.aws.amazon.com/lambda/latest/dg/kafka-filtering.html
A tombstone counts as a value that is no text, a bare JSON scalar as plain text: our choice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from esm.core.filter_values import read_json
from esm.core.filtering import Branch, Pattern, is_within

_VALUE = "value"


class KafkaFilter:
    """The filters of one mapping, compiled: a record passes if any of the patterns matches it."""

    __slots__ = ("_of_json", "_of_other", "_of_text")

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        branches = [branch for pattern in patterns for branch in pattern.branches]
        self._of_json = [branch.only(lambda name: name != _VALUE) for branch in branches]
        self._of_text = [branch.only(_is_not_below_value) for branch in branches]
        self._of_other = [b.only(lambda name: not is_within(name, _VALUE)) for b in branches]

    def passes(self, metadata: Mapping[str, object], value: bytes | None) -> bool:
        """Whether a record passes; `metadata` is it as the event shows it."""
        branches, shown = self._asked(value)
        document = {**metadata, _VALUE: shown}
        return any(branch.matches(document) for branch in branches)

    def _asked(self, value: bytes | None) -> tuple[Sequence[Branch], object]:
        try:
            text = None if value is None else value.decode()
        except UnicodeDecodeError:
            text = None
        if text is None:
            return self._of_other, None
        try:
            parsed = read_json(text)
        except ValueError:
            parsed = None
        if isinstance(parsed, dict | list):
            return self._of_json, parsed
        return self._of_text, text


def _is_not_below_value(name: str) -> bool:
    return name == _VALUE or not is_within(name, _VALUE)
