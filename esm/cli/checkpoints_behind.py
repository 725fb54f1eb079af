"""How far behind a checkpoint is: the record that a shard has next, and when it came."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from esm.checkpoints.sqlite_file import Incarnation
from esm.cli.checkpoints_places import sequence_number_of
from esm.core.messages import PollFailed
from esm.core.model import After, AtTimestamp, Position, TrimHorizon
from esm.ports import Checkpoint, LiveSource, SourceUnavailable

_READS_MAX = 10
"""Of one shard: each goes on where the one before has ended, through times without records."""

_RECORDS = 2
"""A source that resumes reads the checkpoint's own record again, and drops it."""


@dataclass(frozen=True, slots=True)
class Next:
    """The first record that is not resolved: what a blocked shard is blocked by."""

    sequence_number: str
    key: str
    arrived_ms: int


@dataclass(frozen=True, slots=True)
class Lag:
    """`behind_ms` 0: everything is resolved. `unknown` says why nothing can be said."""

    behind_ms: int = 0
    next: Next | None = None
    trimmed: bool = False
    unknown: str | None = None


Connect = Callable[[str], LiveSource]
"""The stream or table of an ARN, behind the endpoint that is asked."""


def lags_of(incarnation: Incarnation, connect: Connect, now_ms: int) -> dict[str, Lag]:
    """How far behind each shard of a mapping is."""
    try:
        # A consumer has one subscription to a shard, which is the run's; its stream may be asked.
        source = connect(incarnation.stream.partition("/consumer/")[0])
        source.describe()
    except SourceUnavailable as error:
        return dict.fromkeys(incarnation.shards, Lag(unknown=str(error)))
    if incarnation.incarnation != source.incarnation:
        return dict.fromkeys(incarnation.shards, Lag(unknown="the stream there is another one"))
    return {
        shard_id: _lag(source, incarnation.stream, shard_id, saved.checkpoint, now_ms)
        for shard_id, saved in incarnation.shards.items()
    }


def _lag(
    source: LiveSource, stream: str, shard_id: str, checkpoint: Checkpoint, now_ms: int
) -> Lag:
    position, behind_ms = _position(stream, checkpoint), 0
    reader = source.open(shard_id, lambda: None)
    try:
        for _ in range(_READS_MAX):
            read = reader.read(position, _RECORDS, now_ms)
            if isinstance(read, PollFailed):
                return Lag(unknown=read.error or str(read.reason))
            if read.records:
                record = read.records[0]
                number = source.sequence_number_of(record.position)
                found = Next(number, record.key, record.arrived_ms)
                return Lag(max(1, now_ms - record.arrived_ms), found, read.trimmed)
            behind_ms = read.millis_behind
            if read.end_of_shard or not behind_ms:
                return Lag(trimmed=read.trimmed)
    finally:
        reader.close()
    return Lag(behind_ms)


def _position(stream: str, checkpoint: Checkpoint) -> Position:
    if checkpoint.pinned_at_ms is None:
        number, _ = sequence_number_of(stream, checkpoint.position)
        return After(int(number))
    return AtTimestamp(checkpoint.pinned_at_ms) if checkpoint.pinned_at_ms else TrimHorizon()
