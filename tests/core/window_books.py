"""What must hold of the tumbling windows of a run whose function lists the records in its state."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from driver import Rec, state_after

from esm.core import messages as m
from esm.core.model import Closing, Policy, TumblingWindow

EARLY = Closing.EARLY


@dataclass
class WindowBooks:
    """The open window as it must be shown, and which window each record went to."""

    policy: Policy
    window: TumblingWindow | None = None
    saved: TumblingWindow | None = None
    closed_ms: int = 0  # no window begins before this
    windows: dict[int, int] = field(default_factory=dict)  # position -> start of its window
    finals: Counter[int] = field(default_factory=Counter)  # start of a window -> final calls
    flying: m.Invoke | None = None

    def touch(self, first: Rec) -> None:
        """The first record that is open decides which window is."""
        if self.window is None:
            length_ms = self.policy.tumbling_window_ms
            instant_ms = max(first.arrived_ms, self.closed_ms)
            start_ms = instant_ms - instant_ms % length_ms
            self.window = TumblingWindow(start_ms, start_ms + length_ms)

    def invoked(self, command: m.Invoke) -> None:
        assert self.window is not None
        assert command.window == self.window
        assert (self.window.closing is not None) is (not command.records)
        assert all(r.arrived_ms < self.window.end_ms for r in command.records)
        self.flying = command

    def may_close(self, first: Rec | None, now_ms: int, *, caught_up: bool, ended: bool) -> None:
        """A call without records is due: the open window is closed, early or for good."""
        assert self.window is not None
        if self.window.closing is not None:
            return
        policy, end_ms = self.policy, self.window.end_ms
        wait_ms = max(policy.tumbling_idle_grace_ms, policy.poll_interval_ms)
        if first is None:
            assert ended or (caught_up and now_ms >= end_ms + wait_ms)
        else:
            assert first.arrived_ms >= end_ms
        self.window = replace(self.window, closing=Closing.FINAL)

    def answered(self, outcome: m.LaneInput) -> None:
        command, self.flying = self.flying, None
        match outcome:
            case m.Succeeded() if command is not None and not command.records:
                self.close()
            case m.Succeeded() if command is not None:
                self.take(command, len(command.records))
            case m.PartlyFailed(failed_from=count) if command is not None and count:
                self.take(command, count)
            case _:
                pass

    def take(self, command: m.Invoke, count: int) -> None:
        assert self.window is not None
        state = state_after(command, count)
        assert state is not None
        for record in command.records[:count]:
            assert record.position not in self.windows, "a record is in two windows"
            self.windows[record.position] = self.window.start_ms
        if len(state) <= self.policy.state_limit_bytes:
            self.window = replace(self.window, state=state)
        else:
            kept = state if self.policy.hands_over_oversize_state else self.window.state
            self.window = replace(self.window, state=kept, closing=EARLY)

    def close(self) -> None:
        """A closing call has been answered, or given up."""
        assert self.window is not None
        assert self.window.closing is not None
        if self.window.closing is EARLY:
            self.window = TumblingWindow(self.window.start_ms, self.window.end_ms)
            return
        self.finals[self.window.start_ms] += 1
        self.closed_ms = self.window.end_ms
        self.window = None

    def save(self, window: TumblingWindow | None, first: Rec | None) -> None:
        """The checkpoint shows the window as it is; one that is to be opened need not be there."""
        if window is not None and first is not None:
            self.touch(first)
        assert window == self.window
        self.saved = window

    def rest(self) -> None:
        """What a restart would find misses no state, and has none that was taken away."""
        if self.saved is None:
            assert self.window is None or self.window.state == "{}"
        else:
            assert self.window is not None
            assert replace(self.window, closing=None) == replace(self.saved, closing=None)
            assert (self.window.closing is EARLY) is (self.saved.closing is EARLY)

    def end(self) -> None:
        """Every window was closed once."""
        assert self.window is None
        assert set(self.finals.values()) <= {1}
        assert set(self.windows.values()) <= self.finals.keys()
