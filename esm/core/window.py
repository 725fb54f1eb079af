"""Tumbling windows: which window a record belongs to, what a batch may hold, when a window closes.

https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-windows.html
A shard has one window open at a time. Its function gets the state with each batch and gives it
back; a last call without records takes it over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from esm.core.model import Closing, Envelope, Policy, Record, TumblingWindow


def window_of(arrived_ms: int, floor_ms: int, policy: Policy) -> TumblingWindow:
    """The window of a record when none is open; never one that ended at `floor_ms` or before.

    Windows are cut by the time at which the source took a record, and aligned to the epoch, as in
    AWS's example. A record of a window that is closed is taken into the next one: ours.
    """
    length_ms = policy.tumbling_window_ms
    start_ms = max(arrived_ms, floor_ms) // length_ms * length_ms
    return TumblingWindow(start_ms, start_ms + length_ms)


def belonging(buffer: Sequence[Record], window: TumblingWindow, policy: Policy) -> int:
    """How many records at the front of the buffer a batch of this window may hold.

    A record that is older than the window is late, and goes with it.
    """
    most = min(len(buffer), policy.batch_size)
    return next((i for i in range(most) if buffer[i].arrived_ms >= window.end_ms), most)


def closes_ms(window: TumblingWindow, policy: Policy, *, shard_ended: bool) -> int:
    """When a window closes that gets no more records.

    Lambda waits "up to 2 minutes" past its end; what a closed shard leaves does not wait. The wait
    lasts for a poll at least: records that came just before the end are still to be read.
    """
    if shard_ended:
        return window.start_ms
    return window.end_ms + max(policy.tumbling_idle_grace_ms, policy.poll_interval_ms)


def resumed(window: TumblingWindow | None, policy: Policy) -> TumblingWindow | None:
    """The window that a checkpoint says is open; a mapping that has no more windows closes it."""
    if window is None or policy.tumbling_window_ms:
        return window
    return replace(window, closing=Closing.FINAL)


def after_call(window: TumblingWindow, state: str, policy: Policy) -> TumblingWindow:
    """The window once the function has taken a batch and returned `state`.

    A state above 1 MB ends the window early: the function gets a state in a call of its own, and
    the same window goes on with a fresh one. Which state that is AWS does not say; the last that
    was within the limit, or, as a setting of ours, the one that was not.
    """
    if len(state.encode()) <= policy.state_limit_bytes:
        return replace(window, state=state)
    kept = state if policy.hands_over_oversize_state else window.state
    return replace(window, state=kept, closing=Closing.EARLY)


def after_closing(window: TumblingWindow) -> TumblingWindow | None:
    """What is open after a closing call: nothing, or the same window with a fresh state."""
    if window.closing is Closing.EARLY:
        return TumblingWindow(window.start_ms, window.end_ms)
    return None


def weighed(envelope: Envelope, window: TumblingWindow | None) -> Envelope:
    """The envelope of an event that shows this window: its state counts towards the 6 MB."""
    if window is None:
        return envelope
    event_bytes = envelope.event_bytes + envelope.window_bytes + len(window.state.encode())
    return replace(envelope, event_bytes=event_bytes)
