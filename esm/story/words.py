"""The words and numbers that timeline and tree share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from esm.core.messages import RecordsArrived
from esm.core.model import Condition, TumblingWindow
from esm.instants import iso_s
from esm.story.plot import Batch, End, Numbered
from esm.trace import Entry, scrub

COLUMNS = 80

AGGREGATES = (
    "W510",
    "records that the Kinesis Producer Library has aggregated reach the function as they are",
    "map an enhanced fan-out consumer, or take them apart with aws_kinesis_agg in the function",
)
"""Code, what is the matter, and what to do: AWS unpacks aggregates for fan-out only."""


def has_aggregates(entries: Iterable[Entry], mapping: str) -> bool:
    """Whether a mapping has read some that nothing took apart."""
    reads = (each.message for each in entries if each.mapping == mapping)
    return any(isinstance(read, RecordsArrived) and read.aggregates for read in reads)


def numbers(records: Sequence[Numbered]) -> str:
    """Records by their ordinals: `#57`, `#1-#100`, or `#3…#98 (31)` where others lie between."""
    first, last = records[0].ordinal, records[-1].ordinal
    if len(records) == 1:
        return f"#{first}"
    if last - first == len(records) - 1:
        return f"#{first}-#{last}"
    return f"#{first}…#{last} ({len(records)})"


def subject(batch: Batch) -> str:
    """What a batch is about: its records, or the window that it closes."""
    if batch.window is None:
        return numbers(batch.records)
    return f"{batch.window.closing} call of {window_text(batch.window)}"


def window_text(window: TumblingWindow) -> str:
    """`window 00:04:00-00:05:00`, in UTC."""
    start, end = (iso_s(each)[11:-1] for each in (window.start_ms, window.end_ms))
    return f"window {start}-{end}"


def elapsed(duration_ms: int) -> str:
    """A duration such as `1.5s`, `1m30s` or `6d23h`."""
    seconds, millis = divmod(duration_ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [f"{n}{unit}" for n, unit in ((days, "d"), (hours, "h"), (minutes, "m")) if n]
    if seconds or millis or not parts:
        fraction = f".{millis:03d}".rstrip("0") if millis else ""
        parts.append(f"{seconds}{fraction}s")
    return "".join(parts)


def short_shard(shard_id: str) -> str:
    """`3` for `shardId-000000000003`, a table's shard by its last part; other ids as they are."""
    match shard_id.split("-"):
        case ["shardId", number] if number.isdecimal():
            return str(int(number))
        case ["shardId", number, suffix] if number.isdecimal():
            return suffix
        case _:
            return shard_id


def short_arn(arn: str) -> str:
    """`sqs:failures` for `arn:aws:sqs:us-east-1:123456789012:failures`."""
    parts = arn.split(":")
    return f"{parts[2]}:{parts[-1]}"


def counted(count: int, one: str) -> str:
    """`1 attempt`, `10,080 attempts`."""
    return f"{count:,} {one}{'' if count == 1 else 's'}"


def times(count: int) -> str:
    """Nothing for once, else ` 3 times`."""
    return "" if count == 1 else f" {count:,} times"


def clean(text: str) -> str:
    """One line, without what a terminal would obey and without memory addresses."""
    line = scrub(" ".join(text.split()))
    return "".join(c if c.isprintable() else "�" for c in line)


def cut(line: str) -> str:
    """A line that fits a terminal."""
    return line if len(line) <= COLUMNS else line[: COLUMNS - 1] + "…"


def end_text(end: End) -> str:
    """What became of records that were given up or lost, and where they went."""
    info = end.info
    if info is None:
        unread = "" if end.batch else " before they were read"
        return f"{end.fate} at the source: {numbers(end.records)}{unread}"
    count = f"after {counted(info.approximate_invoke_count, 'attempt')}"
    tried = count if info.condition is Condition.RETRY_ATTEMPTS_EXHAUSTED else ""
    text = f"{end.fate} {numbers(end.records)}: {info.condition} {tried}".rstrip()
    return f"{text}, {_destination_text(end)}"


def _destination_text(end: End) -> str:
    if end.destination is None:
        return "no destination"
    if end.error:
        return f"delivery to {short_arn(end.destination)} failed: {end.error}"
    return f"sent to {short_arn(end.destination)}"
