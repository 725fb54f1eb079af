"""The answer of a replay as people read it: the same in every run, whatever the terminal."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator

from esm.cli.answer_model import Answer, Chained, Records, Stream, VirtualTime
from esm.story.words import COLUMNS, clean, elapsed, short_arn

_LABEL = 13
_WRITTEN = {"s3": "object", "sns": "message", "sqs": "message"}
_MOST_ERRORS = 5
_MOST_NOTIFICATIONS = 5
# Properties without which AWS retries a batch until its records expire.
_ENDING = ("MaximumRetryAttempts", "MaximumRecordAgeInSeconds")


def text_of(answer: Answer, *, timeline: bool) -> str:
    """A summary, then what happened: all of it, or only what went wrong."""
    story = answer.timeline if timeline else ""
    parts = ["\n".join(_summary(answer)), story, answer.story]
    return "\n\n".join(part for part in parts if part) + "\n"


def _summary(answer: Answer) -> Iterator[str]:
    yield line("records", _records(answer))
    yield line("invocations", _invocations(answer))
    yield from _lines("blocked", _blocked(answer))
    yield from _lines("warning", _warnings(answer))
    yield from _lines("errors", _errors(answer))
    yield from _lines("filtered", _filtered(answer))
    yield from _lines("discarded", _discarded(answer))
    yield from _lines("then", map(_chained, answer.chain))
    yield from _lines("published", map(_published, answer.streams))
    yield from _lines("written", map(_written, answer.written.items()))
    yield from _lines("told", _notifications(answer))
    yield from _lines("time on AWS", _time(answer.virtual_time))
    if answer.settings:
        changed = ", ".join(f"{name}={value}" for name, value in answer.settings.items())
        yield line("settings", changed)


def _time(time: VirtualTime) -> Iterator[str]:
    yield f"{elapsed(time.milliseconds)}, from {time.start} to {time.end}"
    if time.ended == "limit":
        yield "cut there by --limit"


def _chained(chained: Chained) -> str:
    failed = chained.invocations.failed
    errors = f"; {counted(failed, 'call')} failed" if failed else ""
    return f"{chained.mapping}: {_fates(chained.records) or 'nothing came'}{errors}"


def _records(answer: Answer) -> str:
    records = answer.records
    again = f" and {counted(records.duplicates, 'duplicate')}" if records.duplicates else ""
    return f"{records.read:,} captured{again}: {_fates(records)}"


def _fates(records: Records) -> str:
    fates = {
        "delivered": records.delivered,
        "filtered": records.filtered,
        "discarded": records.discarded,
        "expired": records.expired,
        "still blocked": records.blocked,
        "before the starting position": records.before_start,
    }
    return ", ".join(f"{count:,} {fate}" for fate, count in fates.items() if count)


def _invocations(answer: Answer) -> str:
    calls = answer.invocations
    text = f"{calls.total:,} for {counted(calls.batches, 'batch', 'batches')}"
    bad = {"failed": calls.failed, "failed in part": calls.partly_failed}
    counts = ", ".join(f"{count:,} {how}" for how, count in bad.items() if count)
    return f"{text}: {counts}" if counts else text


def _blocked(answer: Answer) -> Iterator[str]:
    """Why, and which flag would end it."""
    if not answer.records.blocked:
        return
    if answer.properties.keys().isdisjoint(_ENDING):
        yield "nothing limits the retries of a batch, and captures do not expire"
        yield "--maximum-retry-attempts 2 ends them, and so does"
        yield "--maximum-record-age-in-seconds 3600"
    else:
        yield "its limits were not reached yet: a longer --limit shows its end"


def _warnings(answer: Answer) -> Iterator[str]:
    for each in answer.warnings:
        yield f"{each.code}  {each.message}"
        yield each.fix


def _errors(answer: Answer) -> Iterator[str]:
    errors = [("", each) for each in answer.errors]
    errors += [(f"{each.mapping}: ", error) for each in answer.chain for error in each.errors]
    for who, each in errors[:_MOST_ERRORS]:
        times = f" ({each.count:,} times)" if each.count > 1 else ""
        yield f"{who}{clean(each.error)}{times}"
        if each.where:
            yield f"  at {each.where}"
    if len(errors) > _MOST_ERRORS:
        yield f"… and {len(errors) - _MOST_ERRORS:,} others"


def _filtered(answer: Answer) -> Iterator[str]:
    for each in answer.filtered[:_MOST_ERRORS]:
        others = f" (and {each.count - 1:,} more like it)" if each.count > 1 else ""
        yield clean(each.reason) + others


def _discarded(answer: Answer) -> Iterator[str]:
    groups: Counter[tuple[str, str | None]] = Counter()
    for each in answer.discarded:
        groups[each.condition, each.destination] += each.batch_size
    for (condition, destination), count in groups.items():
        where = f"sent to {short_arn(destination)}" if destination else "kept nowhere"
        yield f"{count:,} {condition}, {where}"


def _published(stream: Stream) -> str:
    shards = counted(stream.shards, "shard")
    return f"{counted(len(stream.records), 'record')} on {stream.name} ({shards})"


def _written(resource: tuple[str, int]) -> str:
    arn, count = resource
    what = _WRITTEN.get(arn.split(":")[2], "item")
    return f"{counted(count, what)} to {short_arn(arn)}"


def _notifications(answer: Answer) -> Iterator[str]:
    for each in answer.notifications[:_MOST_NOTIFICATIONS]:
        yield f"{short_arn(each.topic_arn)}  {clean(each.subject or each.message)}"
    if len(answer.notifications) > _MOST_NOTIFICATIONS:
        others = counted(len(answer.notifications) - _MOST_NOTIFICATIONS, "other")
        yield f"… and {others}; -o json has them"


def _lines(label: str, texts: Iterable[str]) -> Iterator[str]:
    for number, text in enumerate(texts):
        yield line("" if number else label, text)


def line(label: str, text: str) -> str:
    """In 80 columns, what is too long in lines of its own."""
    indent = " " * (_LABEL + len(text) - len(text.lstrip()))
    return textwrap.fill(
        f"{label:<{_LABEL}}{text}",
        COLUMNS,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def counted(count: int, one: str, many: str | None = None) -> str:
    """`1 shard`, `2 shards`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
