"""One shard machine told by hand, its commands as short text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from driver import Rec

from esm.core import messages as m
from esm.core.model import (
    After,
    AtTimestamp,
    DiscardInfo,
    Envelope,
    Policy,
    Position,
    TrimHorizon,
    TumblingWindow,
)
from esm.core.shard import ShardMachine


def numbers(records: Sequence[Any]) -> str:
    return "[" + " ".join(str(r.position) for r in records) + "]"


def show_info(info: DiscardInfo) -> str:
    assert isinstance(info.delivered, bool)
    text = f"{info.condition} x{info.approximate_invoke_count}"
    text += f" {info.function_error}" if info.function_error else ""
    text += " invoked" if info.invoked else ""
    return text + (" handed over" if info.delivered else "")


def show_position(position: Position) -> str:
    match position:
        case After(position=number):
            return f"after {number}"
        case AtTimestamp(timestamp_ms=instant_ms):
            return f"from instant {instant_ms}"
        case TrimHorizon():
            return "from the trim horizon"
        case _:
            return "from the latest"


def show_window(window: TumblingWindow | None) -> str:
    if window is None:
        return ""
    closing = f" {window.closing}" if window.closing else ""
    return f" | {window.start_ms}-{window.end_ms} {window.state}{closing}"


def show(command: m.ShardCommand) -> str:
    """A command in one line; "0: invoke #3 [5 6] bisect 1 of #2" is lane 0, batch 3, attempt 1.

    " | 0-60000 {} final" is the tumbling window, its state, and what kind of closing call it is.
    """
    match command:
        case m.GetRecords(position=position, limit=limit):
            return f"read {limit} {show_position(position)}"
        case m.Invoke(lane, batch, records, attempt, cause, parent, window):
            origin = f" of #{parent}" if parent is not None else ""
            what = f"{lane}: invoke #{batch} {numbers(records)} {cause} {attempt}{origin}"
            return what + show_window(window)
        case m.SendToDestination(lane, batch, records, info, window):
            what = f"{lane}: send #{batch} {numbers(records)} {show_info(info)}"
            return what + show_window(window)
        case m.Resolved(None, None, records, fate):
            return f"{numbers(records)} {fate}"
        case m.Resolved(lane, batch, records, fate, info):
            why = f" {show_info(info)}" if info else ""
            return f"{lane}: #{batch} {numbers(records)} {fate}{why}"
        case m.SaveCheckpoint(position=number, window=window):
            return f"checkpoint {number}{show_window(window)}"
        case m.StateDropped(lane, batch, window):
            return f"{lane}: #{batch} state dropped{show_window(window)}"
        case m.CloseShard():
            return "close"
    raise AssertionError(command)


NO_ENVELOPE = Envelope()
OLDEST = TrimHorizon()


class Story:
    """A shard, told step by step. Instants are milliseconds from the opening of the shard."""

    def __init__(
        self,
        *,
        retention_ms: int | None = None,
        envelope: Envelope = NO_ENVELOPE,
        start: Position = OLDEST,
        at: int = 0,
        window: TumblingWindow | None = None,
        **policy: Any,
    ) -> None:
        self.now_ms = at
        self.policy = Policy(**policy)
        self.machine = ShardMachine.open(
            "shard-0", self.policy, envelope, start, retention_ms, at, window
        )

    @property
    def deadline_ms(self) -> int | None:
        return self.machine.deadline_ms

    def tell(self, message: m.ShardInput, *, after: int = 0, at: int | None = None) -> list[str]:
        self.now_ms = self.now_ms + after if at is None else at
        return [show(command) for command in self.machine.handle(message, self.now_ms)]

    def wait(self) -> list[str]:
        """Until the machine wants to be called."""
        assert self.machine.deadline_ms is not None
        return self.tell(m.DeadlineReached(), at=max(self.now_ms, self.machine.deadline_ms))

    def read(self, *records: Rec | int, at: int | None = None, **fields: Any) -> list[str]:
        """The next poll comes, and its answer at once. A bare number is a record that just came."""
        if at is not None:
            self.now_ms = at
        asked = self.wait()
        assert [text.split()[0] for text in asked] == ["read"]
        return self.answer_read(*records, **fields)

    def answer_read(self, *records: Rec | int, **fields: Any) -> list[str]:
        found = [r if isinstance(r, Rec) else Rec(r, arrived_ms=self.now_ms) for r in records]
        return self.tell(m.RecordsArrived(found, **fields))

    def _flying(self, lane: int) -> tuple[int, int]:
        batch = self.machine.lanes[lane].in_flight
        assert batch is not None, f"lane {lane} awaits no answer"
        return lane, batch

    def succeed(self, lane: int = 0, *, after: int = 0, state: str | None = None) -> list[str]:
        return self.tell(m.Succeeded(*self._flying(lane), state), after=after)

    def fail(self, lane: int = 0, error: str | None = "Unhandled", *, after: int = 0) -> list[str]:
        return self.tell(m.Failed(*self._flying(lane), error), after=after)

    def fail_from(
        self, index: int, lane: int = 0, *, after: int = 0, state: str | None = None
    ) -> list[str]:
        return self.tell(m.PartlyFailed(*self._flying(lane), index, state), after=after)

    def throttle(self, lane: int = 0, *, after: int = 0) -> list[str]:
        return self.tell(m.Throttled(*self._flying(lane)), after=after)

    def deliver(self, lane: int = 0, *, after: int = 0) -> list[str]:
        return self.tell(m.DestinationDelivered(*self._flying(lane)), after=after)

    def lose(self, lane: int = 0, *, after: int = 0) -> list[str]:
        return self.tell(m.DestinationFailed(*self._flying(lane)), after=after)
