"""`esm checkpoints`: where each shard is, and how far behind."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from esm.checkpoints.sqlite import resource_of
from esm.checkpoints.sqlite_file import Incarnation, Saved, read_file
from esm.cli.checkpoints_behind import Connect, Lag, lags_of
from esm.cli.checkpoints_places import form_of, place_of
from esm.cli.output import write_answer
from esm.cli.reaching import Reach
from esm.cli.text import counted
from esm.clock import SystemClock
from esm.errors import EndpointError
from esm.instants import iso_ms
from esm.state import CHECKPOINTS, FOLDER
from esm.story.words import COLUMNS, clean, cut, elapsed, window_text
from esm.wiring import source_live

_LABEL = 9
_NOTHING_YET = "no checkpoints here yet: esm run makes them\n"
_NOT_RUNNING = "not running, so how far behind is not known"


@dataclass(frozen=True, slots=True)
class Row:
    """A mapping on its stream; `lags` None: nobody can be asked."""

    incarnation: Incarnation
    lags: Mapping[str, Lag] | None


def show_all(reach: Reach, output: str) -> int:
    """Print them."""
    state = read_file(Path(FOLDER, CHECKPOINTS))
    now_ms = SystemClock().now_ms()
    current = [each for each in state if each.set_aside_at_ms is None]
    connect = _connect(reach) if current else None
    rows = [Row(each, connect and lags_of(each, connect, now_ms)) for each in current]
    aside = [each for each in state if each.set_aside_at_ms is not None and each.shards]
    text = _json_of if output == "json" else _text_of
    write_answer(text(rows, aside, now_ms))
    return 0


def _connect(reach: Reach) -> Connect | None:
    """None where nothing is running, and no endpoint is named."""
    try:
        reach.make_client("kinesis", "us-east-1")
    except EndpointError as error:
        if error.esm_code == "E539":
            return None
        raise
    return lambda arn: source_live(arn, reach.make_client)


# --- as text --------------------------------------------------------------------------------------


def _text_of(rows: Sequence[Row], aside: Sequence[Incarnation], now_ms: int) -> str:
    if not rows and not aside:
        return _NOTHING_YET
    return "".join(f"{cut(line)}\n" for line in _lines(rows, aside, now_ms))


def _lines(rows: Sequence[Row], aside: Sequence[Incarnation], now_ms: int) -> Iterator[str]:
    for row in rows:
        yield f"{row.incarnation.mapping} reads {resource_of(row.incarnation.stream)}"
        if not row.incarnation.shards:
            yield "  nothing is resolved yet"
        for shard_id, saved in row.incarnation.shards.items():
            yield f"  {shard_id}"
            lag = row.lags[shard_id] if row.lags is not None else None
            yield from _of_shard(row.incarnation.stream, saved, lag, now_ms)
    for each in aside:
        why = "by --fresh" if each.forgotten else "for an earlier stream of that name"
        shards = counted(len(each.shards), "shard")
        ago = _ago(each.set_aside_at_ms or 0, now_ms)
        yield f"set aside {ago}: {each.mapping}, {shards}, {why}"
    if any(row.lags is None for row in rows):
        yield _NOT_RUNNING


def _of_shard(stream: str, saved: Saved, lag: Lag | None, now_ms: int) -> Iterator[str]:
    checkpoint = saved.checkpoint
    yield labelled("reads on", place_of(stream, checkpoint))
    yield labelled("saved", _ago(saved.saved_at_ms, now_ms))
    if checkpoint.window is not None:
        yield labelled("open", window_text(checkpoint.window))
    if lag is not None:
        yield from _of_lag(lag)


def _of_lag(lag: Lag) -> Iterator[str]:
    if lag.unknown is not None:
        yield from _wrapped("behind", f"not known: {clean(lag.unknown)}")
        return
    behind = elapsed(max(100, lag.behind_ms // 100 * 100))
    yield labelled("behind", behind if lag.behind_ms else "nothing is left to read")
    if lag.next is not None:
        yield labelled("next", lag.next.sequence_number)
        yield labelled("", f"came {iso_ms(lag.next.arrived_ms)}, key {clean(lag.next.key)}")
    if lag.trimmed:
        yield labelled("lost", "the records between: the stream does not keep them any more")


def labelled(label: str, text: str) -> str:
    """A line about a shard."""
    return f"    {label:<{_LABEL}}{text}"


def _wrapped(label: str, text: str) -> Iterator[str]:
    for number, line in enumerate(textwrap.wrap(text, COLUMNS - _LABEL - 4)):
        yield labelled("" if number else label, line)


def _ago(instant_ms: int, now_ms: int) -> str:
    seconds = max(0, now_ms - instant_ms) // 1000
    return f"{elapsed(seconds * 1000)} ago"


# --- as JSON --------------------------------------------------------------------------------------


def _json_of(rows: Sequence[Row], aside: Sequence[Incarnation], now_ms: int) -> str:
    document = {
        "checkpoints": [
            {
                **_fields(row.incarnation, shard_id, saved),
                **({} if row.lags is None else _lag_fields(row.lags[shard_id])),
            }
            for row in rows
            for shard_id, saved in row.incarnation.shards.items()
        ],
        "setAside": [
            {
                **_fields(each, shard_id, saved),
                "setAsideAt": iso_ms(each.set_aside_at_ms or 0),
                "fresh": each.forgotten,
            }
            for each in aside
            for shard_id, saved in each.shards.items()
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _fields(incarnation: Incarnation, shard_id: str, saved: Saved) -> dict[str, object]:
    form = form_of(incarnation, shard_id, saved.checkpoint)
    return {**msgspec.to_builtins(form), "savedAt": iso_ms(saved.saved_at_ms)}


def _lag_fields(lag: Lag) -> dict[str, object]:
    if lag.unknown is not None:
        return {"behindUnknown": lag.unknown}
    fields: dict[str, object] = {"behindMs": lag.behind_ms, "trimmed": lag.trimmed}
    if lag.next is not None:
        fields["next"] = {
            "sequenceNumber": lag.next.sequence_number,
            "key": lag.next.key,
            "arrivedAt": iso_ms(lag.next.arrived_ms),
        }
    return fields
