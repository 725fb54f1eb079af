"""`Mapping`: what a user sees of one event source mapping in a Harness, and can do to it."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from esm.books import Books, Discard, Invocation
from esm.core.model import Latest
from esm.errors import InputError, MappingError
from esm.faults import Faults
from esm.instants import duration_ms
from esm.invokers.inline import Function, InlineInvoker
from esm.loading import load_handler
from esm.mapping import (
    EventSourceMapping,
    FilterTerms,
    create,
    policy,
    start_position,
    updated,
)
from esm.mapping.duplicates import refuse_duplicate
from esm.mapping.refusals import not_emulated
from esm.metrics import Metrics, Series, metrics_of
from esm.pipeline import Pipeline, Terms, new_uuid
from esm.ports import Payloads
from esm.trace import Restarted, Updated
from esm.wiring import events_for, filter_for

if TYPE_CHECKING:
    from esm.harness import AnyDestination, Harness

_STREAM_ARN = re.compile(
    r"arn:(aws[a-z-]*):(?:kinesis|dynamodb):([a-z]{2}(?:-[a-z]+)+-\d):(\d{12}):"
)
_NOT_IN_A_NAME = re.compile(r"[^a-zA-Z0-9-_]+")
_LONGEST_NAME = 64


class Mapping:
    """One event source mapping, and everything it has done."""

    def __init__(
        self, harness: Harness, settings: EventSourceMapping, pipeline: Pipeline, faults: Faults
    ) -> None:
        self._harness = harness
        self._pipeline = pipeline
        self.properties = settings
        self.inject = faults
        self._cut = Metrics(pipeline.name, keeps_series=False)
        harness.trace.on_cut.append(self._cut.count)
        self.looked_at: set[str] = set()
        """Which of "discarded", "expired" and "lag" the test has asked for."""

    @classmethod
    def create(
        cls,
        harness: Harness,
        source: Any,
        handler: Callable[..., Any] | str,
        name: str | None,
        on_failure: AnyDestination | None,
        function: Function | None,
        aws_properties: dict[str, Any],
    ) -> Mapping:
        """Validate as AWS does, and wire the ports."""
        call = load_handler(handler) if isinstance(handler, str) else handler
        if name in harness.mappings:
            raise InputError(
                "E431", f"this Harness has a mapping {name!r} already", fix="another name=…"
            )
        function = function or Function()
        name = name or _free_name(_name_of(call), harness)
        request = _request(source, on_failure, function, aws_properties)
        request.setdefault("function_name", _qualified(function, name))
        function_arn = _function_arn(source.arn, request["function_name"])
        settings = create(
            request | {"function_name": function_arn},
            now_ms=harness.instant_ms(),
            filters=_filter_terms(harness),
        )
        refuse_duplicate(
            settings, {each.pipeline.uuid: each.properties for each in harness.mappings.values()}
        )
        faults = Faults(harness.latency)
        payloads = events_for(
            source, function_arn, fan_out_arn=harness.settings.fan_out_event_source_arn
        )
        pipeline = Pipeline(
            name=name,
            uuid=new_uuid(harness.rng),
            function_arn=function_arn,
            source=source,
            payloads=payloads,
            invoker=InlineInvoker(
                call,
                function,
                function_arn,
                harness.time,
                latency_ms=lambda: faults.draw_latency_ms(harness.rng),
            ),
            timeout_s=function.timeout,
            terms=_terms(harness, settings, name, payloads),
            checkpoints=harness.checkpoints,
            start=start_position(settings),
            latest_delay_ms=duration_ms(harness.settings.latest_delay),
            faults=faults,
            books=Books(harness.keep_invocations),
            rng=harness.rng,
        )
        return cls(harness, settings, pipeline, faults)

    def __repr__(self) -> str:
        return f"<Mapping {self.name}: {len(self._pipeline.books.delivered)} delivered>"

    @property
    def name(self) -> str:
        """Unique in its Harness."""
        return self._pipeline.name

    @property
    def function_arn(self) -> str:
        """The function's ARN, as invocation records show it."""
        return self._pipeline.function_arn

    @property
    def source(self) -> Any:
        """The stream that is read."""
        return self._pipeline.source

    # --- what it has done ------------------------------------------------------------------------

    @property
    def invocations(self) -> list[Invocation]:
        """Every call of the function, in order of their starts."""
        return list(self._pipeline.books.invocations)

    @property
    def batches(self) -> list[list[int]]:
        """The ordinals of each invocation's records."""
        return [[r.ordinal for r in i.records] for i in self._pipeline.books.invocations]

    @property
    def delivered(self) -> list[Any]:
        """Records resolved by success, each once, in order of resolution."""
        return list(self._pipeline.books.delivered)

    @property
    def filtered(self) -> list[Any]:
        """Records that FilterCriteria dropped."""
        return list(self._pipeline.books.filtered)

    @property
    def expired(self) -> list[Any]:
        """Records lost to the source's retention."""
        self.looked_at.add("expired")
        return list(self._pipeline.books.expired)

    @property
    def discarded(self) -> list[Discard]:
        """What was given up, with the invocation record that the destination got or would have."""
        self.looked_at.add("discarded")
        return list(self._pipeline.books.discarded)

    def lag(self) -> int:
        """Records from the starting position on that have not met their fate, read or not."""
        self.looked_at.add("lag")
        return self._pipeline.lag()

    def checkpoint(self, shard_id: str | None = None) -> str | None:
        """Up to which sequence number all is resolved; without id, in the only open shard."""
        if shard_id is None:
            is_open = [shard.shard_id for shard in self.source.shards if shard.is_open]
            if len(is_open) != 1:
                raise InputError(
                    "E414",
                    f"{self.source.arn} has {len(is_open)} open shards, so checkpoint() needs one",
                    fix=f"checkpoint({(is_open or [None])[0]!r})",
                )
            shard_id = is_open[0]
        position = self._pipeline.positions.get(shard_id)
        return None if position is None else str(position)

    @property
    def metrics(self) -> dict[str, int | Series]:
        """CloudWatch's metrics by name: sums, or lists of (instant, milliseconds)."""
        return metrics_of(self._harness.trace.entries, self._cut)

    def timeline(self, problems_only: bool = False) -> str:  # noqa: FBT001, FBT002  (contract)
        """The run of this mapping as text; the same for the same seed, inputs and settings."""
        from esm.story import timeline

        return timeline(self._harness.trace, self.name, problems_only=problems_only)

    # --- what can be done to it ------------------------------------------------------------------

    def disable(self) -> None:
        """As UpdateEventSourceMapping with Enabled false: only what is in flight ends."""
        self.update(enabled=False)

    def enable(self) -> None:
        """As UpdateEventSourceMapping with Enabled true: goes on from its checkpoint."""
        self.update(enabled=True)

    def update(self, *, on_failure: AnyDestination | None = None, **aws_properties: Any) -> None:
        """As UpdateEventSourceMapping: what is in flight ends; goes on from the checkpoint.

        Nothing happens when nothing changes, or when AWS refuses a change.
        """
        if aws_properties.get("function_name") is not None:
            raise not_emulated("another function for a mapping that runs", fix="another h.map(…)")
        before = self.properties
        changes = _with_destination(on_failure, aws_properties)
        after = updated(
            before,
            changes,
            now_ms=self._harness.instant_ms(),
            filters=_filter_terms(self._harness),
        )
        if after == before:
            return
        self._pipeline.new_terms = _terms(self._harness, after, self.name, self._pipeline.payloads)
        self.properties = after
        self._note(Updated(tuple(f"{name}={value}" for name, value in changes.items())))
        runner = self._harness.runner
        if before.enabled:
            runner.stop(self._pipeline)
        if after.enabled:
            runner.reopen(self._pipeline)

    # --- for the Harness -------------------------------------------------------------------------

    def start(self) -> None:
        """Begin, if enabled; a disabled mapping waits, but its records count from now on."""
        if not isinstance(self._pipeline.start, Latest):
            self._pipeline.begin(self._harness.clock.now_ms())
        if self.properties.enabled:
            self._harness.runner.start(self._pipeline)

    def crash(self) -> None:
        """Lose all machines and begin again from the checkpoints."""
        self._note(Restarted())
        self._harness.runner.crash(self._pipeline)
        self._pipeline.books.expect_redelivery()
        self.start()

    def _note(self, what: Updated | Restarted) -> None:
        self._harness.trace.add(self._harness.clock.now_ms(), self.name, None, what)

    @property
    def pipeline(self) -> Pipeline:
        """The mapping at work."""
        return self._pipeline


def _terms(
    harness: Harness, properties: EventSourceMapping, name: str, payloads: Payloads
) -> Terms:
    destination = _destination(harness, properties.on_failure, name)
    return Terms(
        policy(properties, harness.settings, has_destination=destination is not None),
        destination,
        properties.report_batch_item_failures,
        filter_for(payloads, [each.pattern for each in properties.filter_criteria.filters]),
    )


def _filter_terms(harness: Harness) -> FilterTerms:
    settings = harness.settings
    return FilterTerms(settings.maximum_filters, settings.reject_plain_data_patterns)


def _destination(harness: Harness, arn: str | None, name: str) -> AnyDestination | None:
    if arn is None or arn in harness.destinations:
        return None if arn is None else harness.destinations[arn]
    known = ", ".join(harness.destinations) or "none"
    raise MappingError(
        "E280",
        f"{name}: the on-failure destination {arn} does not exist here",
        why=f"destinations of this Harness: {known}",
        fix='on_failure=h.queue("failures")',
    )


def _request(
    source: Any,
    on_failure: AnyDestination | None,
    function: Function,
    aws_properties: dict[str, Any],
) -> dict[str, Any]:
    """The properties that are given, with the stream; None is the same as left out."""
    given = {name: value for name, value in aws_properties.items() if value is not None}
    for name, known in (("event_source_arn", source.arn), ("function_name", function.name)):
        if known is not None and given.get(name, known) != known:
            raise _said_twice(f"{name}={given[name]!r}", f"{name}={known!r}")
    start = {"event_source_arn": source.arn, "starting_position": "TRIM_HORIZON"}
    return start | _with_destination(on_failure, given)


def _with_destination(
    on_failure: AnyDestination | None, properties: dict[str, Any]
) -> dict[str, Any]:
    if on_failure is None:
        return properties
    config = {"OnFailure": {"Destination": on_failure.arn}}
    if properties.get("destination_config", config) != config:
        raise _said_twice(f"on_failure={on_failure!r}", "another destination_config")
    return properties | {"destination_config": config}


def _said_twice(first: str, second: str) -> InputError:
    return InputError("E432", f"{first}, and at the same time {second}", fix="one of the two")


def _qualified(function: Function, mapping: str) -> str:
    """The function's name, or else the mapping's, with the alias or version that is invoked."""
    name = function.name or mapping
    return name if function.qualifier is None else f"{name}:{function.qualifier}"


def _function_arn(stream_arn: str, name: str) -> str:
    """A function lives in the region of the stream that it reads, and in its account here."""
    from esm.harness import ACCOUNT, REGION

    if name.startswith("arn:"):
        return name
    stream = _STREAM_ARN.match(stream_arn)
    partition, region, account = stream.groups() if stream else ("aws", REGION, ACCOUNT)
    return f"arn:{partition}:lambda:{region}:{account}:function:{name}"


def _name_of(handler: Callable[..., Any]) -> str:
    while isinstance(handler, functools.partial):
        handler = handler.func
    return getattr(handler, "__name__", type(handler).__name__)


def _free_name(wanted: str, harness: Harness) -> str:
    base = _NOT_IN_A_NAME.sub("-", wanted).strip("-")[:_LONGEST_NAME] or "mapping"
    if base not in harness.mappings:
        return base
    number = 2
    while f"{base[: _LONGEST_NAME - 5]}-{number}" in harness.mappings:
        number += 1
    return f"{base[: _LONGEST_NAME - 5]}-{number}"
