"""Statements that were sent to a warehouse, and what came of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """Where a statement stands; the words are the Data API's."""

    STARTED = "STARTED"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    ABORTED = "ABORTED"


@dataclass(frozen=True, slots=True)
class Result:
    """What a SELECT found: columns with DuckDB's types, and rows."""

    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclass(slots=True)
class Statement:
    """One statement, or a batch of them in `parts`; `ends_ms` is when it is, or would be, done."""

    id: str
    sql: str
    at_ms: int
    ends_ms: int
    parameters: Mapping[str, str] = field(default_factory=dict)
    name: str | None = None
    status: Status = Status.STARTED
    error: str | None = None
    result: Result | None = None
    row_count: int = -1
    """How many rows it found or changed; -1 where that does not apply."""
    parts: tuple[Statement, ...] = ()
    asked: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The parameters of the call that sent it."""

    @property
    def is_over(self) -> bool:
        """Whether anything can still come of it."""
        return self.status is not Status.STARTED
