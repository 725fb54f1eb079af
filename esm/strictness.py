"""What a test has to know of before it may pass: records that were given up, lost, or are stuck.

Each kind has its own excuse: to have looked. Stuck are records that were tried and whose batch is
neither delivered nor given up. Records that nobody has tried yet, because the test did not let
that time pass, are not looked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from esm.core.failure import Batch
from esm.core.model import Cause
from esm.story.plot import Numbered
from esm.story.reading import Plot
from esm.story.words import clean, counted, cut, numbers, short_arn, short_shard

if TYPE_CHECKING:
    from esm.harness import Harness
    from esm.view import Mapping

_MOST_EVIDENCE = 5


def complaints(harness: Harness, kinds: frozenset[str]) -> list[str]:
    """What the test should have looked at: fact, evidence and way out, one text for each.

    `kinds`: which of "discarded", "expired" and "blocked" are looked for.
    """
    return [
        complaint
        for mapping in harness.mappings.values()
        for kind, check in _CHECKS.items()
        if kind in kinds and (complaint := check(harness, mapping))
    ]


def _discarded(harness: Harness, mapping: Mapping) -> str | None:
    books, destination = mapping.pipeline.books, mapping.pipeline.destination
    lost = [discard for discard in books.discarded if not discard.delivered]
    has_looked = destination is not None and harness.destinations[destination.arn].looked
    if not lost or has_looked or "discarded" in mapping.looked_at:
        return None
    count = counted(sum(len(discard.records) for discard in lost), "record")
    if destination is None:
        fact = f"discarded {count} without a destination"
        fix = 'on_failure=esm.queue("failures")'
    else:
        fact = f"discarded {count} that {short_arn(destination.arn)} did not take"
        fix = "let the destination take them"
    errors = _errors(harness, mapping)
    evidence = [
        f"{numbers(each.records)} of shard {short_shard(each.records[0].shard_id)}: "
        f"{each.condition}{errors.get(each.records[0].ordinal, '')}"
        for each in lost
    ]
    return _complaint(mapping, fact, evidence, "discarded", fix)


def _expired(harness: Harness, mapping: Mapping) -> str | None:
    lost = mapping.pipeline.books.expired
    if not lost or "expired" in mapping.looked_at:
        return None
    by_shard: dict[str, list[Any]] = {}
    for record in lost:
        by_shard.setdefault(record.shard_id, []).append(record)
    evidence = [f"{numbers(each)} of shard {short_shard(name)}" for name, each in by_shard.items()]
    fact = f"lost {counted(len(lost), 'record')} that expired at the source undelivered"
    fix = "a longer retention=…, or maximum_retry_attempts=…"
    return _complaint(mapping, fact, evidence, "expired", fix)


def _blocked(harness: Harness, mapping: Mapping) -> str | None:
    machines = harness.runner.machines(mapping.pipeline)
    stuck = [
        (machine.shard_id, [batch for batch in lane.work if _was_tried(batch)])
        for machine in machines
        for lane in machine.lanes
    ]
    count = sum(len(batch.records) for _, batches in stuck for batch in batches)
    if not count or "lag" in mapping.looked_at:
        return None
    errors = _errors(harness, mapping)
    evidence = []
    for shard_id, batch in [(shard_id, batches[-1]) for shard_id, batches in stuck if batches]:
        records = cast("Sequence[Numbered]", batch.records)
        error = errors.get(records[0].ordinal, "")
        place = f"{numbers(records)} of shard {short_shard(shard_id)}"
        evidence.append(f"{place}: {_tries(batch)}{error}")
    waiting = mapping.pipeline.lag() - count
    behind = f", before {waiting:,} more" if waiting > 0 else ""
    fact = f"is blocked: {counted(count, 'record')} tried and not resolved{behind}"
    fix = "maximum_retry_attempts=…, or more time"
    return _complaint(mapping, fact, evidence, "lag()", fix)


def _was_tried(batch: Batch) -> bool:
    return batch.attempts > 0 or batch.throttles > 0 or batch.cause is not Cause.BATCH


def _tries(batch: Batch) -> str:
    parts = [counted(batch.attempts, "attempt")] if batch.attempts else []
    parts += [counted(batch.throttles, "throttle")] if batch.throttles else []
    return " and ".join(parts) or f"the {batch.cause} is not tried yet"


def _errors(harness: Harness, mapping: Mapping) -> dict[int, str]:
    """What batches failed with last, by the ordinal of their first record; that of their rest too.

    Made to be appended to evidence.
    """
    errors: dict[int, str] = {}
    for batch in Plot(harness.trace.entries, mapping.name).batches:
        if batch.error:
            for records in (batch.records, batch.untried):
                errors.update({record.ordinal: f", {clean(batch.error)}" for record in records[:1]})
    return errors


def _complaint(mapping: Mapping, fact: str, evidence: list[str], place: str, fix: str) -> str:
    hidden = len(evidence) - _MOST_EVIDENCE
    lines = [cut(f"  {line}") for line in evidence[:_MOST_EVIDENCE]]
    lines += [f"  … and {hidden:,} more"] if hidden > 0 else []
    head = f"{mapping.name} {fact}, and the test never looked."
    way_out = f"If that is meant, look at it: mapping.{place}. Else: {fix}"
    return "\n".join([head, *lines, way_out])


_CHECKS: dict[str, Callable[[Harness, Mapping], str | None]] = {
    "discarded": _discarded,
    "expired": _expired,
    "blocked": _blocked,
}
KINDS = frozenset(_CHECKS)
"""What is looked for at the end of a test."""
