"""FilterCriteria over records of a DynamoDB stream: a pattern sees the record of the event.

Attribute values keep DynamoDB's types, and numbers are strings in them.
https://docs.aws.amazon.com/lambda/latest/dg/with-ddb-filtering.html
"""

from __future__ import annotations

from collections.abc import Sequence

from esm.core.filtering import Explanation, Pattern, divide
from esm.payloads.dynamodb import DynamoDbEvents, DynamoDbRecord


class DynamoDbFilter:
    """The filters of one mapping, compiled: a record passes if any of the patterns matches it."""

    __slots__ = ("_events", "patterns")

    def __init__(self, patterns: Sequence[Pattern], events: DynamoDbEvents) -> None:
        self.patterns = tuple(patterns)
        self._events = events

    def split(
        self, shard_id: str, records: Sequence[DynamoDbRecord]
    ) -> tuple[Sequence[DynamoDbRecord], Sequence[DynamoDbRecord]]:
        """Those that pass and those that do not, in order; `records` itself when all pass."""
        shown = self._events.build(shard_id, records)["Records"]
        return divide(records, map(self._passes, shown))

    def explain(self, shard_id: str, record: DynamoDbRecord) -> list[Explanation]:
        """What decided, for each pattern."""
        [shown] = self._events.build(shard_id, [record])["Records"]
        return [pattern.explain(shown) for pattern in self.patterns]

    def _passes(self, shown: object) -> bool:
        return any(pattern.matches(shown) for pattern in self.patterns)
