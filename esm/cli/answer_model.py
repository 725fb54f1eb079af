"""The forms of a replay's answer: `-o json` prints them, the text is written from them.

Keys are camelCase where AWS has the word, as in the trace.
"""

from __future__ import annotations

from typing import Any

import msgspec


class Records(msgspec.Struct, frozen=True, rename="camel"):
    """Captured records by their fates. `dropped`: discarded, and no destination has them.

    `duplicates` were in the captures again, and are not counted in `read`.
    """

    read: int
    delivered: int
    filtered: int
    discarded: int
    dropped: int
    expired: int
    blocked: int
    before_start: int
    duplicates: int


class Call(msgspec.Struct, frozen=True, rename="camel"):
    """One invocation; `outcome` is the mapping's reading of it.

    The closing call of a tumbling window has no records, and so no sequence numbers.
    """

    at: str
    shard_id: str
    lane: int
    cause: str
    attempt: int
    batch_size: int
    start_sequence_number: str | None
    end_sequence_number: str | None
    request_id: str
    duration_ms: int
    outcome: str
    error: str | None
    response: Any


class Invocations(msgspec.Struct, frozen=True, rename="camel"):
    """How often the function was called: for `batches` for the first time, else `retries`."""

    total: int
    batches: int
    retries: int
    succeeded: int
    partly_failed: int
    failed: int


class VirtualTime(msgspec.Struct, frozen=True, rename="camel"):
    """The time that the run would have taken on AWS; `ended` is "idle" or "limit"."""

    start: str
    end: str
    milliseconds: int
    ended: str


class Published(msgspec.Struct, frozen=True, rename="camel"):
    """A record that a handler put; `data` is base64."""

    shard_id: str
    sequence_number: str
    partition_key: str
    approximate_arrival_timestamp: float
    data: str


class Stream(msgspec.Struct, frozen=True, rename="camel"):
    """A stream of the run, and what was put into it."""

    name: str
    shards: int
    records: list[Published]


class Told(msgspec.Struct, frozen=True, rename="camel"):
    """A message that a handler published to a topic."""

    at: str
    topic_arn: str
    subject: str | None
    message: str
    attributes: dict[str, str]


class FunctionError(msgspec.Struct, frozen=True, rename="camel"):
    """What the handler raised, how often, and the line of it that the first came from."""

    error: str
    count: int
    where: str | None


class GivenUp(msgspec.Struct, frozen=True, rename="camel"):
    """A discarded batch; `destination` has its invocation record, or nobody has."""

    condition: str
    batch_size: int
    destination: str | None
    invocation_record: dict[str, Any]


class FilteredOut(msgspec.Struct, frozen=True):
    """Records that a filter let go no further, and the condition that the first of them failed."""

    reason: str
    count: int


class Warned(msgspec.Struct, frozen=True):
    """What no error is and yet hardly meant, with the flag that mends it."""

    code: str
    message: str
    fix: str


class Chained(msgspec.Struct, frozen=True, rename="camel"):
    """What became of the records that reached another mapping of the template."""

    mapping: str
    records: Records
    invocations: Invocations
    errors: list[FunctionError]
    discarded: list[GivenUp]


class Answer(msgspec.Struct, frozen=True, rename="camel"):
    """The whole of it; `chain` has the mappings behind the one that was asked for.

    `written` counts items, objects and messages by ARN, and `notifications` has those of topics;
    `problems` are words of `--fail-on`, and `story` tells of them as a tree.
    """

    event_source_arn: str
    function_arn: str
    records: Records
    invocations: Invocations
    virtual_time: VirtualTime
    errors: list[FunctionError]
    filtered: list[FilteredOut]
    discarded: list[GivenUp]
    streams: list[Stream]
    written: dict[str, int]
    notifications: list[Told]
    chain: list[Chained]
    problems: list[str]
    warnings: list[Warned]
    story: str
    timeline: str
    properties: dict[str, object]
    settings: dict[str, object]
    seed: int
