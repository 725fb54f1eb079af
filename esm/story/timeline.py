"""The run of a mapping in order, a line for each thing that happened.

Attempts stand where the first of them began; the same run gives the same text everywhere.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import assert_never

from esm.core.model import Cause
from esm.instants import iso_ms
from esm.story.plot import (
    Attempts,
    Came,
    End,
    Happening,
    Moment,
    Note,
    Opened,
    Read,
    ReadFailures,
    StateLost,
)
from esm.story.reading import Plot
from esm.story.words import (
    COLUMNS,
    clean,
    counted,
    elapsed,
    end_text,
    numbers,
    short_shard,
    subject,
    times,
    window_text,
)
from esm.trace import Trace


def timeline(trace: Trace, mapping_name: str, *, problems_only: bool = False) -> str:
    """The run of a mapping, a line for each thing that happened; empty if there is none.

    Attempts stand where the first of them began. `problems_only`: what did not go well.
    """
    plot = Plot(trace.entries, mapping_name)
    moments = [each for each in plot.moments if _is_problem(each.what) or not problems_only]
    if not moments:
        return ""
    head = f"{mapping_name}, from {iso_ms(trace.start_ms)}"
    if len(trace.entries) == trace.entries.maxlen:
        head += "; what came before is no longer kept"
    has_lanes = any(batch.lane for batch in plot.batches)
    instants = ["time", *(elapsed(each.at_ms - trace.start_ms) for each in moments)]
    places = ["shard/lane" if has_lanes else "shard"]
    places += [_place(each, has_lanes=has_lanes) for each in moments]
    texts = ["", *(clean(_text(each.what)) for each in moments)]
    return "\n".join([head, *_columns(instants, places, texts)])


def _place(moment: Moment, *, has_lanes: bool) -> str:
    place = "" if moment.shard_id is None else short_shard(moment.shard_id)
    batch = moment.what.batch if isinstance(moment.what, Attempts | End) else None
    return f"{place}/{batch.lane}" if has_lanes and batch else place


def _columns(instants: list[str], places: list[str], texts: list[str]) -> Iterator[str]:
    time, place = max(map(len, instants)), max(map(len, places))
    margin = time + place + 4
    for at, where, text in zip(instants, places, texts, strict=True):
        head = f"{at:>{time}}  {where:<{place}}  "
        yield from textwrap.wrap(
            head + text,
            COLUMNS,
            subsequent_indent=" " * (margin + 2),
            break_on_hyphens=False,
            max_lines=3,
            placeholder=" …",
        ) or [head.rstrip()]


def _is_problem(what: Happening) -> bool:
    match what:
        case Attempts():
            return what.came is not Came.SUCCEEDED
        case End() | ReadFailures() | StateLost():
            return True
        case Opened() | Read() | Note():
            return False
        case _:
            assert_never(what)


def _text(what: Happening) -> str:
    match what:
        case Opened(place=place):
            return f"opened {place}"
        case Read():
            return _read_text(what)
        case ReadFailures():
            return f"read failed{times(what.count)}: {what.reason}"
        case Attempts():
            return _attempts_text(what)
        case End():
            return end_text(what) + _checkpoint_text(what)
        case StateLost(window=window):
            return f"gave up the state of {window_text(window)}: attempts or age used up"
        case Note(text=text):
            return text
        case _:
            assert_never(what)


def _read_text(read: Read) -> str:
    text = f"read {numbers(read.records)}" if read.records else "read nothing"
    if read.filtered:
        which = "all" if read.filtered == len(read.records) else f"{read.filtered:,} of them"
        text += f", {which} filtered out"
    if read.strays:
        text += f", dropped {counted(read.strays, 'stray part')} of aggregates"
    if read.empty_polls:
        text += f" after {counted(read.empty_polls, 'empty poll')}"
    return text + (", the end of the shard" if read.is_last else "")


def _attempts_text(attempts: Attempts) -> str:
    batch = attempts.batch
    origin = f" ({batch.cause} of {batch.parent.number})" if batch.parent else ""
    text = f"batch {batch.number} {subject(batch)}{origin}{_attempt_numbers(attempts)}"
    return f"{text} {_came_text(attempts)}{_next_text(attempts)}{_checkpoint_text(attempts)}"


def _attempt_numbers(attempts: Attempts) -> str:
    if attempts.last > attempts.first:
        return f" attempts {attempts.first}-{attempts.last}"
    return f" attempt {attempts.first}" if attempts.first > 1 else ""


def _came_text(attempts: Attempts) -> str:
    text = str(attempts.came)
    took_ms = attempts.ended_ms - attempts.started_ms
    if attempts.came is Came.THROTTLED:
        text += times(attempts.count)
    if took_ms:
        text += f" {'over' if attempts.count > 1 else 'after'} {elapsed(took_ms)}"
    if attempts.came is Came.PARTLY_FAILED:
        text += f" from {numbers(attempts.batch.records[attempts.failed_from :][:1])}"
    return text + (f": {attempts.error}" if attempts.error else "")


def _next_text(attempts: Attempts) -> str:
    """When the batch, or what is left of it, is tried again."""
    batch = attempts.batch
    after = batch.attempts[batch.attempts.index(attempts) + 1 :]
    what = "again"
    if not after and batch.children and batch.children[0].cause is Cause.REMAINDER:
        after = batch.children[0].attempts
        what = "the rest"
    return f"; {what} in {elapsed(after[0].started_ms - attempts.ended_ms)}" if after else ""


def _checkpoint_text(what: Attempts | End) -> str:
    return f"; checkpoint #{what.checkpoint.ordinal}" if what.checkpoint else ""
