"""`LiveRun`: mappings over live sources, kept running in real time."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from threading import Event
from typing import Any, Literal

from esm.books import Tally
from esm.core.model import Policy
from esm.faults import Faults
from esm.instants import duration_ms
from esm.live.clock import LiveClock
from esm.live.runner import LiveInvoker, LiveRunner
from esm.mapping import EventSourceMapping, policy, start_position
from esm.pipeline import Pipeline, Terms, new_uuid
from esm.ports import CheckpointStore, Destination, FunctionResult, LiveSource
from esm.runner import Ended
from esm.settings import Settings
from esm.trace import Entry, Trace
from esm.wiring import events_for, filter_for

_FOR_EVER_MS = 1 << 62

Until = Literal["idle"] | float | None
"""`"idle"`: until nothing but empty polls would follow; a number of seconds; None for ever."""


class LiveRun:
    """Mappings over live sources. `on_entry` hears of all that happens, in the loop's thread.

    `poll_interval_ms` stands in for the cadence of AWS, once a second for Kinesis.
    """

    def __init__(
        self,
        store: CheckpointStore,
        settings: Settings,
        on_entry: Callable[[Entry], None],
        *,
        poll_interval_ms: int | None = None,
    ) -> None:
        self.clock = LiveClock()
        self._store = store
        self._settings = settings
        self._poll_interval_ms = poll_interval_ms
        self._rng = random.SystemRandom()
        trace = _Told(self.clock.now_ms(), on_entry)
        self.runner = LiveRunner(self.clock, trace, store)
        self.pipelines: dict[str, Pipeline] = {}

    def map(
        self,
        name: str,
        source: LiveSource,
        function: LiveInvoker,
        function_arn: str,
        properties: EventSourceMapping,
        destination: Destination | None = None,
    ) -> Pipeline:
        """Add a mapping, which begins with `run`; several may share a function."""
        settings = self._settings
        payloads = events_for(source, function_arn, fan_out_arn=settings.fan_out_event_source_arn)
        terms = Terms(
            self._at_pace(policy(properties, settings, has_destination=destination is not None)),
            destination,
            properties.report_batch_item_failures,
            filter_for(payloads, [each.pattern for each in properties.filter_criteria.filters]),
        )
        pipeline = self.pipelines[name] = Pipeline(
            name=name,
            uuid=new_uuid(self._rng),
            function_arn=function_arn,
            source=source,
            payloads=payloads,
            invoker=_Elsewhere(),
            timeout_s=0,
            terms=terms,
            checkpoints=self._store,
            start=start_position(properties),
            latest_delay_ms=duration_ms(settings.latest_delay),
            faults=Faults("0s"),
            books=Tally(),
            rng=self._rng,
            is_live=True,
        )
        self.runner.functions[pipeline] = function
        return pipeline

    def run(self, until: Until = None) -> Ended:
        """Run the mappings; returns also when `stop` has ended them."""
        runner = self.runner
        for pipeline in self.pipelines.values():
            runner.start(pipeline)
        until_ms = _FOR_EVER_MS
        if until is not None and until != "idle":
            until_ms = self.clock.now_ms() + round(until * 1000)
        try:
            ended = runner.run(until_ms, to_idle=until == "idle")
            if ended is not Ended.STOPPED:
                runner.stop_all()
                runner.run(_FOR_EVER_MS, to_idle=False)
        finally:
            runner.close()
        return ended

    def stop(self) -> None:
        """Poll no more, let what is in flight end, save, and return from `run`. From anywhere."""
        self.clock.post(self.runner.stop_all)

    @property
    def begun(self) -> Event:
        """Set when the place from which each mapping reads is fixed, or the run is stopped."""
        return self.runner.begun

    def fail(self, error: BaseException) -> None:
        """End the run with an error. From anywhere."""

        def do() -> None:
            raise error

        self.clock.post(do)

    @property
    def is_saved(self) -> bool:
        """Whether all checkpoints could be written."""
        return self.runner.is_saved

    def blocked(self) -> dict[str, int]:
        """How many records of each mapping are in batches that have failed and are not given up.

        Once the run is over.
        """
        return {name: self._blocked(pipeline) for name, pipeline in self.pipelines.items()}

    def _blocked(self, pipeline: Pipeline) -> int:
        lanes = [lane for each in self.runner.machines(pipeline) for lane in each.lanes]
        stuck = [lane for lane in lanes if any(batch.attempts for batch in lane.work)]
        return sum(len(batch.records) for lane in stuck for batch in lane.work)

    def keep_busy(self, by: int) -> None:
        """So many more (or fewer) have something to put yet, so it is not idle. From anywhere."""

        def change() -> None:
            self.runner.holds += by
            self.runner.stir()

        self.clock.post(change)

    def _at_pace(self, known: Policy) -> Policy:
        interval_ms = self._poll_interval_ms
        if interval_ms is None or not known.poll_interval_ms:  # it is pushed
            return known
        return replace(known, poll_interval_ms=interval_ms)


class _Told(Trace):
    """Keeps nothing: somebody is told of each entry as it comes."""

    __slots__ = ("_tell",)

    def __init__(self, start_ms: int, tell: Callable[[Entry], None]) -> None:
        super().__init__(start_ms, keep=0)
        self._tell = tell

    def add(
        self,
        at_ms: int,
        mapping: str,
        shard_id: str | None,
        message: object,
        detail: str | None = None,
    ) -> None:
        """Tell of one message."""
        self._tell(Entry(at_ms, mapping, shard_id, message, detail))


class _Elsewhere:
    """Functions of a live run have threads of their own."""

    def invoke(self, event: dict[str, Any], request_id: str, start_ms: int) -> FunctionResult:
        """Nobody calls this."""
        raise AssertionError("a live function is submitted to")
