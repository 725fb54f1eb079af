"""One mapping at work: its ports, and what a command means at each of them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, assert_never

import msgspec

from esm.books import Books, Invocation
from esm.core.messages import (
    DestinationDelivered,
    DestinationFailed,
    Failed,
    Invoke,
    Outcome,
    PartlyFailed,
    PollFailed,
    RecordsArrived,
    Resolved,
    SaveCheckpoint,
    SendToDestination,
    Succeeded,
    Throttled,
)
from esm.core.model import (
    After,
    AtTimestamp,
    Fate,
    Latest,
    Policy,
    Position,
    Shard,
    TrimHorizon,
)
from esm.core.response import Partial, Rejected, Success, read_response, read_state
from esm.core.stream import StreamMachine
from esm.faults import Fault, FaultKind, Faults
from esm.payloads.invocation_record import invocation_record, s3_key
from esm.payloads.time_window import event_of, state_text
from esm.ports import (
    Checkpoint,
    CheckpointStore,
    CountedSource,
    DeliveryFailed,
    Destination,
    FunctionResult,
    Invoker,
    Payloads,
    RecordFilter,
    Source,
    TaskTimedOut,
)
from esm.trace import error_text


class _LastInvocation(msgspec.Struct, frozen=True):
    """Of a lane."""

    batch: int
    request_id: str
    error: BaseException | None


@dataclass(frozen=True, slots=True)
class Terms:
    """What an update of the mapping can change."""

    policy: Policy
    destination: Destination | None
    report_failures: bool
    filter: RecordFilter | None = None


@dataclass(slots=True, eq=False)
class Pipeline:
    """Everything that the loop needs of one mapping.

    `start` is the mapping's starting position, `passed_over` how many records lie before it;
    `positions` and `origins` are where the shards stand, and where they were begun;
    `stream` is the machine over its shards, once open. `new_terms` hold from its next opening on:
    what is in flight ends under the terms that it began with. `is_live`: the source is behind an
    endpoint, and its positions need not be sequence numbers.
    """

    name: str
    uuid: str
    function_arn: str
    source: Source
    payloads: Payloads
    invoker: Invoker
    timeout_s: int
    terms: Terms
    checkpoints: CheckpointStore
    start: Position
    latest_delay_ms: int
    faults: Faults
    books: Books
    rng: random.Random
    is_live: bool = False
    new_terms: Terms | None = None
    stream: StreamMachine | None = None
    positions: dict[str, int] = field(default_factory=dict)
    origins: dict[str, Position] = field(default_factory=dict)
    begun_ms: int | None = None
    passed_over: int = 0
    _requests: Iterator[int] = field(default_factory=lambda: count(1))
    _last: dict[tuple[str, int], _LastInvocation] = field(default_factory=dict)
    _records: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)

    def take_over(self) -> None:
        """Machines are about to be made: from now on the new terms hold."""
        self.terms, self.new_terms = self.new_terms or self.terms, None

    @property
    def destination(self) -> Destination | None:
        """Where discarded batches go."""
        return self.terms.destination

    @property
    def _stream_arn(self) -> str:
        """The stream's, also where a consumer of it is mapped: whoever reads it fetches records."""
        return self.payloads.event_source_arn.partition("/consumer/")[0]

    @property
    def destination_arn(self) -> str | None:
        """Its ARN."""
        return self.destination.arn if self.destination else None

    # --- where to start ----------------------------------------------------------------------

    def start_delay_ms(self) -> int:
        """How long LATEST waits before it takes its iterators for the first time."""
        is_first = self.begun_ms is None
        return self.latest_delay_ms if is_first and isinstance(self.start, Latest) else 0

    def begin(self, now_ms: int) -> None:
        """Fix, once, where each shard that there is now begins, and so which records count."""
        if self.begun_ms is None:
            self.note_places(self.survey(self.saved(), now_ms), now_ms)

    def survey(self, saved: Mapping[str, Checkpoint], now_ms: int) -> dict[str, Position]:
        """Ask the source where each shard begins that has nothing saved; raises SourceUnavailable.

        Where LATEST was pinned before, a shard without a checkpoint came later.
        """
        if saved and isinstance(self.start, Latest):
            return {}
        shards = [shard.shard_id for shard in self.source.list_shards(now_ms)]
        new = [shard_id for shard_id in shards if shard_id not in saved]
        return {shard_id: self.source.pin(shard_id, self.start, now_ms) for shard_id in new}

    def note_places(self, places: Mapping[str, Position], now_ms: int) -> None:
        """These are the places where shards begin."""
        self.begun_ms = now_ms
        self.origins.update(places)
        if isinstance(self.start, Latest):
            for shard_id, place in places.items():
                self._save(shard_id, _pinned(place))
        if isinstance(self.source, CountedSource):
            counted = [
                self.source.count_after(shard_id, place)
                for shard_id, place in places.items()
                if isinstance(place, After)
            ]
            self.passed_over = self.source.record_count - sum(counted)

    def note_start(self, shard_id: str) -> None:
        """Save where a shard begins: it can be seen, and moved, before anything is resolved.

        AWS, too, heeds the starting position once.
        """
        place = self.start_of(shard_id, None)
        if self.checkpoint(shard_id) is None and not isinstance(place, After):
            self._save(shard_id, _pinned(place))

    def list_shards(self, now_ms: int) -> Sequence[Shard]:
        """The shards that there are or were since the mapping has begun."""
        return self.source.list_shards(now_ms, self.begun_ms)

    def lag(self) -> int:
        """Records from the starting position on that have not met their fate."""
        source = self.source
        assert isinstance(source, CountedSource)
        if self.begun_ms is None:
            return 0
        return source.record_count - self.passed_over - self.books.resolved_count

    def checkpoint(self, shard_id: str) -> Checkpoint | None:
        """What is saved of a shard: up to where all is resolved, or LATEST's pin."""
        return self.saved().get(shard_id)

    def saved(self) -> dict[str, Checkpoint]:
        """What is saved, by shard."""
        return self.checkpoints.load(self.name, self.source.arn)

    def start_of(self, shard_id: str, saved: Checkpoint | None) -> Position:
        """Where a shard is read on from, or begins.

        One that came later counts from its first record: what the source forgets before anybody
        reads it is lost, not passed over.
        """
        if saved is None:
            return self.origins.setdefault(shard_id, self.source.beginning(shard_id))
        if saved.pinned_at_ms is None:
            return After(saved.position)
        return AtTimestamp(saved.pinned_at_ms) if saved.pinned_at_ms else TrimHorizon()

    def save(self, shard_id: str, command: SaveCheckpoint) -> SaveCheckpoint | None:
        """Everything up to here is resolved; gives what of that is saved."""
        position = self.source.whole_before(shard_id, command.position)
        if position != command.position:
            # The state of an open window covers more than an earlier place would say.
            if position is None or command.window or not self._is_news(shard_id, position):
                return None
            command = SaveCheckpoint(position)
        self.positions[shard_id] = command.position
        self._save(shard_id, Checkpoint(command.position, window=command.window))
        return command

    def number_of(self, saved: SaveCheckpoint) -> str:
        """The sequence number, where a position is none by itself."""
        return self.source.sequence_number_of(saved.position)

    def _is_news(self, shard_id: str, position: int) -> bool:
        known = self.positions.get(shard_id)
        if known is None:
            origin = self.origins.get(shard_id)
            known = origin.position if isinstance(origin, After) else 0
        return position > known

    def _save(self, shard_id: str, checkpoint: Checkpoint) -> None:
        self.checkpoints.save(self.name, self.source.arn, shard_id, checkpoint)

    def filtered(
        self, shard_id: str, read: RecordsArrived | PollFailed
    ) -> RecordsArrived | PollFailed:
        """The read as the machine is told of it, with what FilterCriteria removes set aside."""
        criteria = self.terms.filter
        if criteria is None or not isinstance(read, RecordsArrived) or not read.records:
            return read
        matching, filtered = criteria.split(shard_id, read.records)
        return replace(read, records=matching, filtered=filtered) if filtered else read

    # --- the function ------------------------------------------------------------------------

    def new_request_id(self) -> str:
        """A version 4 UUID from the run's seed; those of one mapping differ in their last part."""
        return f"{self.uuid[:24]}{next(self._requests):012x}"

    def invoke(
        self, shard_id: str, command: Invoke, request_id: str, now_ms: int
    ) -> tuple[Outcome, int]:
        """Call the function; its outcome, and when it is known."""
        fault = self.faults.take(command.records)
        if fault is not None and fault.kind is FaultKind.THROTTLE:
            return Throttled(command.lane, command.batch, "Rate Exceeded."), now_ms
        result = self._call(shard_id, command, request_id, fault, now_ms)
        return self.concluded(shard_id, command, request_id, result, now_ms)

    def event(self, shard_id: str, command: Invoke) -> dict[str, Any]:
        """What the function is handed, fresh."""
        return event_of(self.payloads, shard_id, command.records, command.window)

    def concluded(
        self, shard_id: str, command: Invoke, request_id: str, result: FunctionResult, now_ms: int
    ) -> tuple[Outcome, int]:
        """What a result means to the mapping, and when it is known; the call began `now_ms`."""
        if result.throttled:
            text = error_text(result.error) if result.error else "Rate Exceeded."
            return Throttled(command.lane, command.batch, text), now_ms
        ended_ms = now_ms + result.duration_ms
        self._remember(shard_id, command, request_id, result.error)
        self.books.invocations.append(
            Invocation(
                command.records, command.attempt, command.cause, shard_id, command.lane,
                request_id, result.payload, result.error, now_ms, ended_ms, self.payloads,
                command.window,
            )
        )  # fmt: skip
        return self._outcome(command, result), ended_ms

    def forget(self, shard_id: str) -> None:
        """Let go of what its invocations have left, once the shard is done."""
        for key in [key for key in self._last if key[0] == shard_id]:
            del self._last[key]

    def _remember(
        self, shard_id: str, command: Invoke, request_id: str, error: BaseException | None
    ) -> None:
        lane = (shard_id, command.lane)
        last = self._last.get(lane)
        # A batch may be tried ten thousand times: the first traceback and the newest are enough.
        if command.attempt > 2 and last is not None and last.error is not None:
            last.error.__traceback__ = None
        self._last[lane] = _LastInvocation(command.batch, request_id, error)

    def _call(
        self, shard_id: str, command: Invoke, request_id: str, fault: Fault | None, now_ms: int
    ) -> FunctionResult:
        if fault is None:
            event = event_of(self.payloads, shard_id, command.records, command.window)
            return self.invoker.invoke(event, request_id, now_ms)
        if fault.kind is FaultKind.TIMEOUT:
            error = TaskTimedOut(self.timeout_s)
            return FunctionResult(error=error, timed_out=True, duration_ms=self.timeout_s * 1000)
        latency_ms = min(self.faults.draw_latency_ms(self.rng), self.timeout_s * 1000)
        return FunctionResult(error=fault.error, duration_ms=latency_ms)

    def _outcome(self, command: Invoke, result: FunctionResult) -> Outcome:
        lane, batch = command.lane, command.batch
        if result.error is not None:
            # A raised exception, an exit and a timeout are all "Unhandled" to the mapping.
            return Failed(lane, batch, "Unhandled", error_text(result.error))
        returned = None if command.window is None else read_state(result.payload)
        if isinstance(returned, Rejected):
            return Failed(lane, batch, None, returned.reason)
        state = None if returned is None else state_text(returned)
        if not self.terms.report_failures or result.payload is None:
            return Succeeded(lane, batch, state)
        answer = read_response(result.payload, self.payloads.identifiers(command.records))
        match answer:
            case Success():
                return Succeeded(lane, batch, state)
            case Partial(failed_from=index):
                return PartlyFailed(lane, batch, index, state)
            case Rejected(reason=reason):
                return Failed(lane, batch, None, reason)
            case _:
                assert_never(answer)

    # --- records that are given up -----------------------------------------------------------

    def send(
        self, shard_id: str, command: SendToDestination, now_ms: int
    ) -> DestinationDelivered | DestinationFailed:
        """Hand a discarded batch to the destination."""
        try:
            return self.deliver(shard_id, command, now_ms)
        except DeliveryFailed as error:
            return DestinationFailed(command.lane, command.batch, str(error))

    def deliver(
        self, shard_id: str, command: SendToDestination, now_ms: int
    ) -> DestinationDelivered:
        """As `send`; raises DeliveryFailed."""
        destination = self.destination
        assert destination is not None
        document = self._invocation_record(shard_id, command, now_ms)
        self._records[shard_id, command.lane] = document
        key = s3_key(self.uuid, shard_id, now_ms, self.new_request_id())
        destination.deliver(key, document, now_ms)
        return DestinationDelivered(command.lane, command.batch)

    def resolve(self, shard_id: str, command: Resolved, now_ms: int) -> None:
        """Write the fate of records into the books."""
        document = None
        if command.fate is Fate.DISCARDED:
            assert command.lane is not None
            document = self._records.pop((shard_id, command.lane), None)
            document = document or self._invocation_record(shard_id, command, now_ms)
        self.books.resolve(command, document)

    def _invocation_record(
        self, shard_id: str, command: SendToDestination | Resolved, now_ms: int
    ) -> dict[str, Any]:
        info, lane = command.info, command.lane
        assert info is not None
        assert lane is not None
        last = self._last.get((shard_id, lane))
        is_own = info.invoked and last is not None and last.batch == command.batch
        request_id = last.request_id if last and is_own else self.new_request_id()
        event = None
        wants_payload = self.destination is not None and self.destination.wants_payload
        if wants_payload and isinstance(command, SendToDestination):
            event = event_of(self.payloads, shard_id, command.records, command.window)
        return invocation_record(
            info,
            self.payloads.batch_info(shard_id, command.records, self._stream_arn),
            function_arn=self.function_arn,
            request_id=request_id,
            now_ms=now_ms,
            event=event,
        )


def _pinned(place: Position) -> Checkpoint:
    """Where a shard begins, to be saved before anything is read."""
    match place:
        case After(position=position):
            return Checkpoint(position, pinned=True)
        case AtTimestamp(timestamp_ms=instant_ms):
            return Checkpoint(0, pinned=True, pinned_at_ms=instant_ms)
        case TrimHorizon():
            return Checkpoint(0, pinned=True, pinned_at_ms=0)
        case _:
            raise AssertionError(place)


def new_uuid(rng: random.Random) -> str:
    """A version 4 UUID as text."""
    digits = f"{rng.getrandbits(128):032x}"
    variant = "89ab"[int(digits[16], 16) & 3]
    head, tail = f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}", f"{digits[17:20]}-{digits[20:]}"
    return f"{head}-{variant}{tail}"
