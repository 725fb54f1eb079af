"""Records of a shard that are given up: forgotten by the source, too old, too large, or exhausted.

The rules are in `failure`, `retention` and `batching`.
https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from esm.core import batching, failure, shard_windows
from esm.core import window as tumbling
from esm.core.lane import Discard, Lane, LaneState
from esm.core.messages import SendToDestination, ShardCommand
from esm.core.model import Cause, Condition, DiscardInfo, Fate, Record
from esm.core.retention import is_trimmed

if TYPE_CHECKING:
    from esm.core.shard import ShardMachine


def drop_outdated(shard: ShardMachine, lane: Lane, now_ms: int, out: list[ShardCommand]) -> bool:
    """Before every invoke: drop what the source forgot, is too old or too large.

    True when something was dropped, so that the lane has to be looked at again.
    """
    batch = lane.work[-1]
    if batch.cause is Cause.WINDOW:
        return shard_windows.drop_stale_state(shard, lane, now_ms, out)
    oldest_ms = min([r.arrived_ms for r in batch.records])
    if is_trimmed(oldest_ms, shard.retention_ms, now_ms):
        _forget(shard, lane, now_ms, out)
        return True
    if failure.is_too_old(oldest_ms, shard.policy, now_ms):
        old = [r for r in batch.records if failure.is_too_old(r.arrived_ms, shard.policy, now_ms)]
        _give_up(shard, lane, old, Condition.RECORD_AGE_EXCEEDED)
        return True
    if len(batch.records) > 1 or batch.attempts:
        return False
    envelope = tumbling.weighed(shard.envelope, lane.window)
    if batching.is_too_large(batch.records[0], shard.policy, envelope):
        _give_up(shard, lane, batch.records, Condition.MAXIMUM_PAYLOAD_SIZE_EXCEEDED)
        return True
    return False


def _forget(shard: ShardMachine, lane: Lane, now_ms: int, out: list[ShardCommand]) -> None:
    """The source no longer has these records: AWS drops them in silence, we count them."""
    batch = lane.work[-1]
    lost: list[Record] = []
    kept: list[Record] = []
    for record in batch.records:
        is_lost = is_trimmed(record.arrived_ms, shard.retention_ms, now_ms)
        (lost if is_lost else kept).append(record)
    lane.keep(kept)
    shard.resolve(lane, batch.id, lost, Fate.EXPIRED, out)


def _give_up(
    shard: ShardMachine, lane: Lane, dropped: Sequence[Record], condition: Condition
) -> None:
    batch = lane.work[-1]
    # One more than the invocations, also when there was none: recorded on AWS for age.
    info = DiscardInfo(condition, batch.attempts + 1, invoked=batch.attempts > 0)
    kept, runs = failure.separate(batch.records, dropped)
    window = lane.window
    lane.discards += tuple(Discard(batch.id, run, info, window) for run in runs)
    lane.keep(kept)


def hand_over(shard: ShardMachine, lane: Lane, out: list[ShardCommand]) -> bool:
    """Send the first discard off. True when it is resolved at once, for want of a place."""
    if not shard.policy.has_destination:
        resolve_discard(shard, lane, out, delivered=False)
        return True
    discard = lane.discards[0]
    lane.state = LaneState.DISCARDING
    out.append(
        SendToDestination(lane.index, discard.batch, discard.records, discard.info, discard.window)
    )
    return False


def resolve_discard(
    shard: ShardMachine, lane: Lane, out: list[ShardCommand], *, delivered: bool
) -> None:
    """The first discard is over: a delivery that failed counts as dropped, and the lane goes on."""
    discard, *rest = lane.discards
    lane.discards = tuple(rest)
    info = replace(discard.info, delivered=delivered)
    shard.resolve(lane, discard.batch, discard.records, Fate.DISCARDED, out, info)
