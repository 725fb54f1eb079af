"""The tumbling window of a shard at work: its batches, its state, and the call that closes it.

The rules are in `window`. The first lane has the window, from its first record to its final call.
https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-windows.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from esm.core import batching, failure
from esm.core import window as tumbling
from esm.core.failure import Batch
from esm.core.lane import Lane
from esm.core.messages import (
    Outcome,
    PartlyFailed,
    SaveCheckpoint,
    ShardCommand,
    StateDropped,
    Succeeded,
)
from esm.core.model import Cause, Closing, Record

if TYPE_CHECKING:
    from esm.core.shard import ShardMachine


def front(shard: ShardMachine, lane: Lane) -> Sequence[Record]:
    """The records at the front of the buffer that may go together."""
    if not shard.policy.tumbling_window_ms or not lane.buffer:
        return lane.buffer
    if lane.window is None:
        arrived_ms = lane.buffer[0].arrived_ms
        lane.window = tumbling.window_of(arrived_ms, shard.windows_end_ms, shard.policy)
    return lane.buffer[: tumbling.belonging(lane.buffer, lane.window, shard.policy)]


def close_if_over(shard: ShardMachine, lane: Lane, now_ms: int) -> bool:
    """A record of a later window, the wait for one, or the shard's end closes the window."""
    if lane.window is None:
        return False
    closing_ms = shard.closing_ms
    is_over = bool(lane.buffer) or (closing_ms is not None and closing_ms <= now_ms)
    if is_over:
        lane.window = replace(lane.window, closing=Closing.FINAL)
    return is_over


def keep_state(shard: ShardMachine, lane: Lane, outcome: Outcome) -> None:
    """The function has taken records of the open window and has returned its state."""
    assert lane.window is not None
    if isinstance(outcome, Succeeded | PartlyFailed) and outcome.state is not None:
        lane.window = tumbling.after_call(lane.window, outcome.state, shard.policy)


def cut_to_fit(shard: ShardMachine, lane: Lane) -> bool:
    """Split a half or a remainder that the window's state has grown too large for: ours."""
    batch = lane.work[-1]
    if not batch.records:
        return False
    envelope = tumbling.weighed(shard.envelope, lane.window)
    count = batching.take(batch.records, shard.policy, envelope)
    if count == len(batch.records):
        return False
    rest = shard.new_batch(batch.records[count:], Cause.REMAINDER, batch.id)
    lane.work[-1:] = [rest, batch.with_records(batch.records[:count])]
    return True


def close(shard: ShardMachine, lane: Lane, out: list[ShardCommand]) -> None:
    """The function has taken the state, or nobody will."""
    assert lane.window is not None
    shard.windows_end_ms = lane.window.end_ms
    lane.window = tumbling.after_closing(lane.window)
    assert shard.watermark.position is not None  # the window's records are resolved
    out.append(SaveCheckpoint(shard.watermark.position, lane.window))


def drop_state(shard: ShardMachine, lane: Lane, batch: Batch, out: list[ShardCommand]) -> None:
    """Nobody has taken the window's state; what comes after it must not wait for ever."""
    assert lane.window is not None
    out.append(StateDropped(lane.index, batch.id, lane.window))
    close(shard, lane, out)


def drop_stale_state(shard: ShardMachine, lane: Lane, now_ms: int, out: list[ShardCommand]) -> bool:
    """A closing call has no records: its age is the time since its window's end.

    Ours, as is its first attempt, which it has at any age.
    """
    batch = lane.work[-1]
    assert lane.window is not None
    is_tried = batch.attempts + batch.throttles > 0
    if not is_tried or not failure.is_too_old(lane.window.end_ms, shard.policy, now_ms):
        return False
    drop_state(shard, lane, lane.work.pop(), out)
    return True
