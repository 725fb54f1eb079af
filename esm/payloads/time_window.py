"""What an event shows of a tumbling window, for every source that has them.

https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-windows.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from esm.core.model import Closing, TumblingWindow
from esm.instants import iso_s
from esm.ports import Payloads


def event_of(
    payloads: Payloads, shard_id: str, records: Sequence[Any], window: TumblingWindow | None
) -> dict[str, Any]:
    """The event of an invocation, fresh."""
    event = payloads.build(shard_id, records)
    if window is not None:
        event |= window_members(window, shard_id, payloads.event_source_arn)
    return event


def state_text(state: Mapping[str, object]) -> str:
    """A state as JSON, compact and unescaped, except where half a character leaves no choice."""
    text = json.dumps(state, separators=(",", ":"), ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(state, separators=(",", ":"))
    return text


def window_members(
    window: TumblingWindow, shard_id: str, event_source_arn: str
) -> dict[str, object]:
    """The members beside "Records", in AWS's order; the state is a fresh copy."""
    return {
        "window": {"start": iso_s(window.start_ms), "end": iso_s(window.end_ms)},
        "state": json.loads(window.state),
        "shardId": shard_id,
        "eventSourceARN": event_source_arn,
        "isFinalInvokeForWindow": window.closing is Closing.FINAL,
        "isWindowTerminatedEarly": window.closing is Closing.EARLY,
    }


def window_bytes(shard_id: str, event_source_arn: str) -> int:
    """What those members weigh in compact JSON, the state aside."""
    members = window_members(TumblingWindow(0, 0, "{}"), shard_id, event_source_arn)
    braces_and_state = len("{}") + len("{}")
    return len(msgspec.json.encode(members)) - braces_and_state + len(",")
