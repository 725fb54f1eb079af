"""`esm replay --as-is`: each captured event to the handler, unchanged and once; no mapping."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import Any

import msgspec

from esm.cli.answer import error_text, stream_of
from esm.cli.answer_model import Stream
from esm.cli.invoking import CommandLineInvoker
from esm.cli.mask import Mask
from esm.cli.text import counted, line
from esm.errors import InputError, Place
from esm.faults import Faults
from esm.harness import Harness
from esm.instants import iso_ms
from esm.invokers.inline import Function, Handler, InlineInvoker
from esm.pipeline import new_uuid
from esm.ports import Invoker
from esm.sources.capture_text import CaptureFile, find_files, read_documents
from esm.story.words import clean


class Event(msgspec.Struct, frozen=True):
    """A captured event, the place it comes from, and when its newest record arrived."""

    place: str
    document: dict[str, Any]
    arrived_ms: int


class Answered(msgspec.Struct, frozen=True, rename="camel"):
    """What the handler said to one event."""

    place: str
    at: str
    records: int
    duration_ms: int
    error: str | None
    response: Any


class AsIs(msgspec.Struct, frozen=True, rename="camel"):
    """What a replay without mapping came to. An event whose call failed counts as dropped."""

    events: list[Answered]
    streams: list[Stream]
    problems: list[str]


def read_events(paths: Sequence[str | CaptureFile]) -> list[Event]:
    """Captured events, in the order of files and lines; other captures are E485.

    The captures have been read once: what they hold is sound.
    """
    return [
        _event(json.loads(document.data), document.place())
        for file in find_files(paths)
        for document in read_documents(file)
    ]


def _event(document: dict[str, Any], place: Place) -> Event:
    if "payload" in document:
        document = json.loads(document["payload"])
    records = document.get("Records")
    arrivals = [_arrival_of(record) for record in records or ()]
    if not arrivals or None in arrivals:
        raise InputError(
            "E485",
            "--as-is needs whole events, and this is none",
            place=Place(place.file, place.line),
            why="records alone do not say which of them a function got together",
            fix="leave --as-is out: a mapping makes events of records",
        )
    arrived = max(arrival for arrival in arrivals if arrival is not None)
    return Event(f"{place.file}:{place.line}", document, round(arrived * 1000))


def _arrival_of(record: dict[str, Any]) -> float | None:
    """Epoch seconds; None of what GetRecords has answered: no function sees that."""
    match record:
        case {"kinesis": {"approximateArrivalTimestamp": float() | int() as arrived}}:
            return arrived
        case {
            "eventSourceARN": _,
            "dynamodb": {"ApproximateCreationDateTime": float() | int() as arrived},
        }:
            return arrived
        case _:
            return None


def replay_events(
    events: Sequence[Event],
    harness: Harness,
    handler: Handler,
    function: Function,
    mask: Mask,
    on_answer: Callable[[int], None],
) -> AsIs:
    """Call the handler with each event at its time, in the order of their times."""
    name = function.name or getattr(handler, "__name__", "handler")
    latency = Faults(harness.latency)
    inline = InlineInvoker(
        handler,
        function,
        f"arn:aws:lambda:{harness.region}:{harness.account}:function:{name}",
        harness.time,
        latency_ms=lambda: latency.draw_latency_ms(harness.rng),
    )
    invoker = CommandLineInvoker(inline, mask)
    answers = []
    with harness.time:
        for event in sorted(events, key=attrgetter("arrived_ms")):
            answers.append(_send(event, invoker, harness))
            on_answer(len(answers))
    failed = any(answer.error is not None for answer in answers)
    streams = [stream_of(stream) for stream in harness.streams.values()]
    return AsIs(answers, streams, ["dropped", "function-error"] if failed else [])


def text_of(result: AsIs) -> str:
    """The answer as people read it."""
    return "".join(f"{line}\n" for line in _text(result))


def _text(result: AsIs) -> Iterator[str]:
    failed = [answer for answer in result.events if answer.error is not None]
    yield f"events       {len(result.events):,} sent as they are, {len(failed):,} failed"
    for answer in failed:
        yield line("", f"{answer.place}  {clean(answer.error or '')}")
    for stream in result.streams:
        yield line("published", f"{counted(len(stream.records), 'record')} on {stream.name}")


def _send(event: Event, invoker: Invoker, harness: Harness) -> Answered:
    result = invoker.invoke(event.document, new_uuid(harness.rng), event.arrived_ms)
    return Answered(
        place=event.place,
        at=iso_ms(event.arrived_ms),
        records=len(event.document["Records"]),
        duration_ms=result.duration_ms,
        error=None if result.error is None else error_text(result.error),
        response=result.payload,
    )
