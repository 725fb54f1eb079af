"""Inputs and commands are plain data: they compare, print, hash their fields and can be kept."""

from __future__ import annotations

import pickle
from dataclasses import fields, is_dataclass
from typing import get_args

import pytest
from driver import Rec

from esm.core import messages as m
from esm.core.model import (
    Cause,
    Condition,
    DiscardInfo,
    Fate,
    Shard,
    TrimHorizon,
    TumblingWindow,
)

RECORDS = [Rec(1), Rec(2)]
INFO = DiscardInfo(Condition.RECORD_AGE_EXCEEDED, 1)
EVERY: list[object] = [
    m.RecordsArrived(RECORDS),
    m.PollFailed(m.PollFailure.THROTTLED, "slow down"),
    m.PollsSuspended(),
    m.PollsSkipped(4),
    m.PollsResumed(),
    m.Succeeded(0, 1),
    m.PartlyFailed(0, 1, 1),
    m.Failed(0, 1),
    m.Throttled(0, 1),
    m.DestinationDelivered(0, 1),
    m.DestinationFailed(0, 1, "no such queue"),
    m.DeadlineReached(),
    m.Stopped(),
    m.GetRecords(TrimHorizon(), 10),
    m.Invoke(0, 1, RECORDS, 1, Cause.BATCH),
    m.SendToDestination(0, 1, RECORDS, INFO),
    m.Resolved(0, 1, RECORDS, Fate.DISCARDED, INFO),
    m.SaveCheckpoint(2),
    m.StateDropped(0, 1, TumblingWindow(0, 60_000)),
    m.CloseShard(),
    m.ShardsListed([Shard("a")]),
    m.ShardDone("a"),
    m.ListShards(),
    m.OpenShard("a", TrimHorizon()),
]


def test_every_message_is_known_here() -> None:
    unions = (m.ShardInput, m.ShardCommand, m.StreamInput, m.StreamCommand)
    assert {type(message) for message in EVERY} == {kind for u in unions for kind in get_args(u)}


@pytest.mark.parametrize("message", EVERY, ids=lambda message: type(message).__name__)
def test_a_message_can_be_kept_and_compared(message: object) -> None:
    assert pickle.loads(pickle.dumps(message)) == message
    assert is_dataclass(message)
    assert not hasattr(message, "__dict__")
    for field in fields(message):
        with pytest.raises(AttributeError):
            setattr(message, field.name, None)


def test_a_read_is_up_to_date_and_not_the_last_until_it_says_so() -> None:
    read = m.RecordsArrived([])
    assert (read.millis_behind, read.end_of_shard) == (0, False)
    assert (read.lost, read.filtered) == ((), ())


def test_a_mapping_without_tumbling_windows_says_nothing_of_them() -> None:
    assert m.Succeeded(0, 1).state is m.PartlyFailed(0, 1, 1).state is None
    assert m.Invoke(0, 1, RECORDS, 1, Cause.BATCH).window is None
    assert m.SendToDestination(0, 1, RECORDS, INFO).window is None
    assert m.SaveCheckpoint(2).window is None


def test_a_failure_is_a_function_error_until_it_says_otherwise() -> None:
    assert m.Failed(0, 1).function_error == "Unhandled"


def test_read_failures_have_the_names_of_the_kinesis_api() -> None:
    assert m.PollFailure("ExpiredIteratorException") is m.PollFailure.EXPIRED_ITERATOR
    assert m.PollFailure("ProvisionedThroughputExceededException") is m.PollFailure.THROTTLED
