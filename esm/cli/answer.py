"""What a replay came to, read from its Harness and its mappings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from esm.books import Discard, Invocation
from esm.cautions import cautions_of
from esm.cli.answer_model import (
    Answer,
    Call,
    Chained,
    FilteredOut,
    FunctionError,
    GivenUp,
    Invocations,
    Published,
    Records,
    Stream,
    Told,
    VirtualTime,
    Warned,
)
from esm.core import messages as m
from esm.core.model import Cause
from esm.destinations.memory import Topic
from esm.harness import Harness
from esm.instants import iso_ms, to_ms
from esm.sources.memory import KinesisStream
from esm.story import tree
from esm.story.blame import users_line
from esm.trace import Trace, scrub
from esm.view import Mapping as EsmMapping

_PROBLEMS = ("discarded", "dropped", "expired", "blocked", "function-error")
_OUTCOMES: dict[type, str] = {
    m.Succeeded: "succeeded",
    m.PartlyFailed: "partlyFailed",
    m.Failed: "failed",
}


def answer_of(
    harness: Harness, mapping: EsmMapping, chain: Iterable[EsmMapping], ended: str, total: int
) -> Answer:
    """Read a run that is over; `total` is how many records the capture has."""
    records = _records(mapping, total, mapping.source.capture.duplicates)
    outcomes = outcomes_by_request(harness.trace)
    invocations = _invocations(mapping.invocations, outcomes)
    behind = [_chained(each, outcomes) for each in chain]
    problems = list(_problems(records, invocations))
    for each in behind:
        problems += set(_problems(each.records, each.invocations)).difference(problems)
    troubled = [mapping.name, *(each.mapping for each in behind if _has_trouble(each))]
    start_ms, end_ms = harness.trace.start_ms, harness.clock.now_ms()
    return Answer(
        event_source_arn=mapping.source.arn,
        function_arn=mapping.function_arn,
        records=records,
        invocations=invocations,
        virtual_time=VirtualTime(iso_ms(start_ms), iso_ms(end_ms), end_ms - start_ms, ended),
        errors=_errors(mapping.invocations),
        filtered=_filtered(mapping),
        discarded=[_given_up(each, mapping) for each in mapping.discarded],
        streams=[stream_of(stream) for stream in harness.streams.values()],
        written=harness.written(),
        notifications=sorted(_told(harness), key=lambda told: told.at),
        chain=behind,
        problems=sorted(problems, key=_PROBLEMS.index),
        warnings=[Warned(*each) for each in cautions_of(mapping, harness.trace)],
        story="\n\n".join(tree(harness.trace, name) for name in troubled) if problems else "",
        timeline=mapping.timeline(),
        properties=mapping.properties.changed(),
        settings=harness.settings.changed(),
        seed=harness.seed,
    )


def calls_of(invocations: Iterable[Invocation], outcomes: Mapping[str, str]) -> Iterator[Call]:
    """Each invocation as a line of `-o jsonl`."""
    for each in invocations:
        yield Call(
            at=iso_ms(each.started_ms),
            shard_id=each.shard_id,
            lane=each.lane,
            cause=each.cause,
            attempt=each.attempt,
            batch_size=len(each.records),
            start_sequence_number=each.records[0].sequence_number if each.records else None,
            end_sequence_number=each.records[-1].sequence_number if each.records else None,
            request_id=each.request_id,
            duration_ms=each.ended_ms - each.started_ms,
            # An outcome that the run's limit came before is not in the trace.
            outcome=outcomes.get(each.request_id, "unknown"),
            error=None if each.error is None else error_text(each.error),
            response=each.response,
        )


def error_text(error: BaseException) -> str:
    """`ValueError: no such place`."""
    return scrub(f"{type(error).__name__}: {error}")


def outcomes_by_request(trace: Trace) -> dict[str, str]:
    """What the mapping took each invocation for, by request id."""
    running: dict[tuple[str, str | None, int], str] = {}
    outcomes: dict[str, str] = {}
    for entry in trace.entries:
        message = entry.message
        if isinstance(message, m.Invoke) and entry.detail is not None:
            running[entry.mapping, entry.shard_id, message.lane] = entry.detail
        elif isinstance(message, m.Succeeded | m.PartlyFailed | m.Failed):
            request_id = running.pop((entry.mapping, entry.shard_id, message.lane))
            outcomes[request_id] = _OUTCOMES[type(message)]
    return outcomes


def stream_of(stream: KinesisStream) -> Stream:
    """What was put into a stream."""
    records = [
        Published(r.shard_id, r.sequence_number, r.key, r.arrived_ms / 1000, r.base64)
        for r in stream.records
    ]
    return Stream(stream.name, len(stream.shards), records)


def _told(harness: Harness) -> Iterator[Told]:
    for place in harness.destinations.values():
        for each in place.published if isinstance(place, Topic) else ():
            at, attributes = iso_ms(to_ms(each.at)), dict(each.attributes)
            yield Told(at, place.arn, each.subject, each.message, attributes)


def _chained(mapping: EsmMapping, outcomes: Mapping[str, str]) -> Chained:
    return Chained(
        mapping=mapping.name,
        records=_records(mapping, mapping.source.record_count, 0),
        invocations=_invocations(mapping.invocations, outcomes),
        errors=_errors(mapping.invocations),
        discarded=[_given_up(each, mapping) for each in mapping.discarded],
    )


def _has_trouble(chained: Chained) -> bool:
    return any(_problems(chained.records, chained.invocations))


def _records(mapping: EsmMapping, total: int, duplicates: int) -> Records:
    delivered, filtered, expired = map(len, (mapping.delivered, mapping.filtered, mapping.expired))
    discarded = sum(len(each.records) for each in mapping.discarded)
    dropped = sum(len(each.records) for each in mapping.discarded if not each.delivered)
    blocked = mapping.lag()
    resolved = delivered + filtered + expired + discarded
    return Records(
        read=total,
        delivered=delivered,
        filtered=filtered,
        discarded=discarded,
        dropped=dropped,
        expired=expired,
        blocked=blocked,
        before_start=total - resolved - blocked,
        duplicates=duplicates,
    )


def _invocations(invocations: list[Invocation], by_request: Mapping[str, str]) -> Invocations:
    outcomes = Counter(by_request.get(each.request_id) for each in invocations)
    retries = sum(each.cause is Cause.RETRY for each in invocations)
    return Invocations(
        total=len(invocations),
        batches=len(invocations) - retries,
        retries=retries,
        succeeded=outcomes.get("succeeded", 0),
        partly_failed=outcomes.get("partlyFailed", 0),
        failed=outcomes.get("failed", 0),
    )


def _errors(invocations: Iterable[Invocation]) -> list[FunctionError]:
    """The commonest first."""
    raised = [each.error for each in invocations if each.error is not None]
    counts = Counter(map(error_text, raised))
    first = {error_text(error): error for error in reversed(raised)}
    return [FunctionError(text, n, _where(first[text])) for text, n in counts.most_common()]


def _filtered(mapping: EsmMapping) -> list[FilteredOut]:
    """By the condition that decided, the commonest first."""
    criteria = mapping.pipeline.terms.filter
    if criteria is None:
        return []
    counts: Counter[tuple[str, str]] = Counter()
    reasons: dict[tuple[str, str], str] = {}
    for record in mapping.filtered:
        why = criteria.explain(record.shard_id, record)[0]
        counts[why.path, why.rule] += 1
        reasons.setdefault((why.path, why.rule), why.reason)
    return [FilteredOut(reasons[condition], n) for condition, n in counts.most_common()]


def _where(error: BaseException) -> str | None:
    line = users_line(error)
    return None if line is None else line.place


def _given_up(discard: Discard, mapping: EsmMapping) -> GivenUp:
    return GivenUp(
        condition=discard.condition,
        batch_size=len(discard.records),
        destination=mapping.properties.on_failure if discard.delivered else None,
        invocation_record=discard.invocation_record,
    )


def _problems(records: Records, invocations: Invocations) -> Iterator[str]:
    if records.discarded:
        yield "discarded"
    if records.dropped:
        yield "dropped"
    if records.expired:
        yield "expired"
    if records.blocked:
        yield "blocked"
    if invocations.failed:
        yield "function-error"
