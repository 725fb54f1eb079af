"""A small world for live runs without servers: streams that behave as if behind an endpoint."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from esm.checkpoints.memory import MemoryCheckpoints
from esm.core.messages import PollFailed, PollFailure, RecordsArrived
from esm.core.model import AtTimestamp, Latest, Position, Shard, TrimHorizon
from esm.live import LiveRun
from esm.live.workers import Workers
from esm.mapping import create
from esm.pipeline import Pipeline
from esm.ports import (
    Checkpoint,
    CheckpointStore,
    FunctionResult,
    SourceUnavailable,
    StoreUnavailable,
    TaskTimedOut,
)
from esm.settings import Settings
from esm.sources.memory import KinesisStream
from esm.trace import Entry

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:"
PATIENCE_S = 20
QUICK = Settings(backoff_first="10ms", throttle_first="10ms", poll_failure_first="10ms")


class Behind:
    """A stream in memory as a live source; `answer` may say what a read or a listing gives."""

    def __init__(self, stream: KinesisStream, now: Callable[[], int]) -> None:
        self.stream = stream
        self.arn = stream.arn
        self.retention_ms = stream.retention_ms
        self.incarnation = "1"
        self.before_read: Callable[[str], PollFailed | None] = lambda shard_id: None
        self.before_list: Callable[[], None] = lambda: None
        self.hidden: set[str] = set()
        self.opened_at: dict[str, list[Position]] = {}
        self._now = now
        self._latest: dict[str, Position] = {}

    def describe(self) -> None:
        self.before_list()

    def look_at_retention(self) -> None:
        self.before_list()
        self.retention_ms = self.stream.retention_ms

    def list_shards(self, now_ms: int, since_ms: int | None = None) -> Sequence[Shard]:
        self.before_list()
        shards = self.stream.list_shards(now_ms, since_ms)
        return [shard for shard in shards if shard.shard_id not in self.hidden]

    def pin(self, shard_id: str, position: Position, now_ms: int) -> Position:
        if not isinstance(position, Latest):
            return position
        self._latest[shard_id] = self.stream.pin_latest(shard_id, self._now())
        return AtTimestamp(now_ms)

    def beginning(self, shard_id: str) -> Position:
        return TrimHorizon()

    def whole_before(self, shard_id: str, position: int) -> int:
        return position

    def sequence_number_of(self, position: int) -> str:
        return str(position)

    def open(self, shard_id: str, on_put: Callable[[], None]) -> Reader:
        return Reader(self, shard_id, self._latest.pop(shard_id, None))


class Reader:
    must_poll = True

    def __init__(self, behind: Behind, shard_id: str, latest: Position | None) -> None:
        self._behind = behind
        self._shard_id = shard_id
        self._latest = latest
        self._reader = behind.stream.open(shard_id, lambda: None)

    def read(self, position: Position, limit: int, now_ms: int) -> RecordsArrived | PollFailed:
        refusal = self._behind.before_read(self._shard_id)
        if refusal is not None:
            return refusal
        start, self._latest = self._latest or position, None
        self._behind.opened_at.setdefault(self._shard_id, []).append(start)
        return self._reader.read(start, limit, now_ms)

    def ready_ms(self, position: Position, now_ms: int) -> int | None:
        return now_ms

    def idle_until(self, instant_ms: int) -> None: ...

    def close(self) -> None: ...


class Called:
    """A function whose invocations run one at a time in a thread of their own."""

    def __init__(self, handler: Callable[[dict[str, Any]], Any]) -> None:
        self._handler = handler
        self._workers = Workers("function", 1, self._failed)
        self._is_stopping = False
        self.deadline_ms: int | None = None

    def submit(
        self,
        build_event: Callable[[], dict[str, Any]],
        request_id: str,
        done: Callable[[FunctionResult], None],
    ) -> None:
        def call() -> None:
            if self._is_stopping:
                done(FunctionResult(throttled=True))
                return
            try:
                done(FunctionResult(payload=self._handler(build_event())))
            except Exception as error:
                done(FunctionResult(error=error))

        self._workers.submit(call)

    def expire(self, now_ms: int) -> None:
        raise TaskTimedOut(0)

    def stop(self) -> None:
        self._is_stopping = True

    def _failed(self, error: BaseException) -> None:
        raise error


class FullDisk(MemoryCheckpoints):
    """Cannot be written to while `is_full`; `durable` is what a restart would find."""

    def __init__(self) -> None:
        super().__init__()
        self.is_full = False
        self.durable: dict[tuple[str, str], dict[str, Checkpoint]] = {}

    def commit(self) -> None:
        if self.is_full:
            raise StoreUnavailable("No space left on device")
        self.durable = {key: dict(shards) for key, shards in self._saved.items()}


class World:
    """Streams and mappings of one run, which goes on in a thread."""

    def __init__(
        self,
        store: CheckpointStore | None = None,
        *,
        poll_ms: int | None = 5,
        settings: Settings = QUICK,
        hear: Callable[[Entry], None] | None = None,
    ) -> None:
        self.entries: list[Entry] = []
        self.store = store or MemoryCheckpoints()
        hear = hear or self.entries.append
        self.live = LiveRun(self.store, settings, hear, poll_interval_ms=poll_ms)
        self.ended: Any = None
        self._thread: threading.Thread | None = None

    def stream(self, name: str = "orders", shards: int = 1) -> Behind:
        now = self.live.clock.now_ms
        return Behind(KinesisStream(name, shards, now=now), now)

    def map(
        self,
        source: Any,
        handler: Callable[[dict[str, Any]], Any] | Any,
        destination: Any = None,
        **properties: Any,
    ) -> Pipeline:
        name = f"mapping-{len(self.live.pipelines)}"
        function = handler if hasattr(handler, "submit") else Called(handler)
        if destination is not None:
            properties["destination_config"] = {"OnFailure": {"Destination": destination.arn}}
        request = {
            "event_source_arn": source.arn,
            "function_name": FUNCTION + name,
            "starting_position": "TRIM_HORIZON",
        }
        known = create(request | properties, now_ms=self.live.clock.now_ms())
        return self.live.map(name, source, function, FUNCTION + name, known, destination)

    def start(self, until: Any = None) -> None:
        def run() -> None:
            try:
                self.ended = self.live.run(until)
            except BaseException as error:
                self.ended = error

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    def wait(self) -> Any:
        assert self._thread is not None
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive(), "the run has not ended"
        if isinstance(self.ended, BaseException):
            raise self.ended
        return self.ended

    def stop(self) -> Any:
        self.live.stop()
        return self.wait()

    def until(self, happened: Callable[[], object]) -> None:
        """Wait for something, for a bounded time."""
        pause = threading.Event()
        for _ in range(PATIENCE_S * 200):
            if happened():
                return
            assert self.ended is None, self.ended
            pause.wait(0.005)
        raise AssertionError("it has not happened")


def unavailable(text: str = "connection refused") -> PollFailed:
    return PollFailed(PollFailure.UNAVAILABLE, text)


def not_there() -> None:
    raise SourceUnavailable("connection refused")


def numbers(events: Sequence[dict[str, Any]]) -> list[str]:
    """The partition keys of all records of events, in order."""
    return [record["kinesis"]["partitionKey"] for event in events for record in event["Records"]]
