"""What `esm replay` does: read and check everything, then run it, then answer."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from esm.cli import text
from esm.cli.answer import answer_of, calls_of, outcomes_by_request
from esm.cli.answer_model import Answer
from esm.cli.as_is import AsIs, read_events, replay_events
from esm.cli.as_is import text_of as text_of_events
from esm.cli.environment import handlers_print_to_stderr, offline
from esm.cli.failures import BAD_OUTCOME
from esm.cli.interrupting import second_interrupt_ends
from esm.cli.invoking import CommandLineInvoker
from esm.cli.mask import Mask
from esm.cli.options import fixes_in_flags
from esm.cli.output import write_answer
from esm.cli.progress import Progress
from esm.cli.replay import Options
from esm.cli.target import Target, target_of
from esm.cli.trace_file import require_writable, trace_errors
from esm.errors import InputError
from esm.harness import Harness
from esm.instants import from_ms
from esm.invokers.inline import Function, Handler
from esm.settings import Settings, parse_settings
from esm.sources.capture import DEFAULT_MAX_BYTES, Capture, CaptureSource, read_captures, service_of
from esm.sources.capture_text import CaptureFile
from esm.view import Mapping
from esm.wiring import destination_in_memory

AnyAnswer = TypeVar("AnyAnswer", Answer, AsIs)


@dataclass(frozen=True, slots=True)
class Result:
    """What came out, in the forms in which it can be printed."""

    answer: Answer | AsIs
    lines: list[Any]
    text: str


def run(options: Options, properties: dict[str, Any]) -> int:
    """Replay, print the answer, and give the exit code."""
    paths = functools.cache(lambda: _with_stdin(options))
    with fixes_in_flags():
        settings = parse_settings(options.settings)
        target = target_of(options, properties, lambda: service_of(paths()))
    mask = Mask(target.secrets, shown=(name for name, _ in options.streams))
    with mask.on_errors(), fixes_in_flags():
        return _run(options, paths(), settings, target, target.properties | properties, mask)


def _run(
    options: Options,
    paths: list[str | CaptureFile],
    settings: Settings,
    target: Target,
    properties: dict[str, Any],
    mask: Mask,
) -> int:
    function = target.function
    trace = None if options.trace is None else options.trace.absolute()
    if options.trace is not None:
        require_writable(options.trace, paths, options.template, options.env_vars)
    with Progress() as progress, ExitStack() as stack:
        capture = _read(paths, options, progress)
        target.check(capture.service)
        source = CaptureSource(capture, at_once=options.at_once)
        region = capture.region or options.template.region
        harness = _harness(options, settings, source, properties, region)
        mappings = target.prepare(harness)
        stack.enter_context(offline(region, function.environment or {}))
        stack.enter_context(handlers_print_to_stderr())
        stack.enter_context(second_interrupt_ends())
        stack.enter_context(harness)
        handler = target.load()
        if options.as_is:
            result = _as_is(harness, handler, function, mask, paths, options, progress)
        else:
            mapping = harness.map(
                source, handler, name=target.name, function=function, **properties
            )
            chain = [mappings[name] for name in target.chain] if mappings is not None else []
            for each in (mapping, *chain):
                each.pipeline.invoker = CommandLineInvoker(each.pipeline.invoker, mask)
            result = _through_mapping(harness, mapping, chain, options, progress)
    _print(result, options.output, mask)
    if options.trace is not None and trace is not None:
        with trace_errors(options.trace):
            harness.trace.write(trace, mask.json)
    return BAD_OUTCOME if options.fail_on.intersection(result.answer.problems) else 0


def _with_stdin(options: Options) -> list[str | CaptureFile]:
    """The paths, `-` as what is on standard input."""
    return [
        path if path != "-" else CaptureFile("-", Path("-"), _read_stdin(_most_bytes(options)))
        for path in dict.fromkeys(options.paths)
    ]


def _read_stdin(most_bytes: int) -> bytes:
    """One byte more than may be is enough to refuse it."""
    return sys.stdin.buffer.read(most_bytes + 1)


def _most_bytes(options: Options) -> int:
    return options.max_bytes or DEFAULT_MAX_BYTES


def _read(paths: list[str | CaptureFile], options: Options, progress: Progress) -> Capture:
    try:
        return read_captures(
            paths,
            max_bytes=_most_bytes(options),
            on_progress=lambda done, _: progress.tell("reading", done, None),
        )
    except InputError as error:
        if error.esm_code == "E425":
            error.fix = f"{error.fix}, or --max-bytes {2 * _most_bytes(options)}"
        raise


def _harness(
    options: Options,
    settings: Settings,
    source: CaptureSource,
    properties: dict[str, Any],
    region: str,
) -> Harness:
    """A world that begins with the first record, or with AT_TIMESTAMP's instant behind it."""
    start_ms = source.start_ms
    timestamp = properties.get("starting_position_timestamp")
    if isinstance(timestamp, float) and start_ms < timestamp * 1000 <= _end_ms(source):
        start_ms = round(timestamp * 1000)
    harness = Harness(
        seed=options.seed, start=from_ms(start_ms), latency=options.latency, settings=settings
    )
    harness.region = region
    for name, shards in options.streams:
        harness.kinesis(name, shards)
    arn = _destination_arn(properties)
    if arn is not None:
        destination = destination_in_memory(arn)
        if destination is not None:
            harness.destinations[arn] = destination
    return harness


def _end_ms(source: CaptureSource) -> int:
    """The latest arrival."""
    return max(record.arrived_ms for record in source.records)


def _destination_arn(properties: dict[str, Any]) -> str | None:
    """The on-failure destination's ARN where there is one; the mapping judges the rest."""
    match properties.get("destination_config"):
        case {"OnFailure": {"Destination": str(arn)}}:
            return arn
        case _:
            return None


def _through_mapping(
    harness: Harness,
    mapping: Mapping,
    chain: list[Mapping],
    options: Options,
    progress: Progress,
) -> Result:
    source = mapping.source
    total = len(source.records)
    limit_ms = _end_ms(source) - harness.clock.now_ms() + options.limit_ms
    harness.until(_watch(mapping, progress, total), limit=limit_ms / 1000)
    ended = harness.drain("0s")
    answer = _without_unused(answer_of(harness, mapping, chain, ended, total), options)
    calls = calls_of(mapping.invocations, outcomes_by_request(harness.trace))
    return Result(answer, list(calls), text.text_of(answer, timeline=options.timeline))


def _watch(mapping: Mapping, progress: Progress, total: int) -> Callable[[], bool]:
    """Asked after each step of the run: tells how far it is, and never ends it."""
    books = mapping.pipeline.books

    def show() -> bool:
        if progress.is_due():
            progress.tell("replaying", books.resolved_count, total)
        return False

    return show


def _as_is(
    harness: Harness,
    handler: Handler,
    function: Function,
    mask: Mask,
    paths: list[str | CaptureFile],
    options: Options,
    progress: Progress,
) -> Result:
    events = read_events(paths)

    def show(done: int) -> None:
        progress.tell("sending", done, len(events))

    answer = _without_unused(replay_events(events, harness, handler, function, mask, show), options)
    return Result(answer, list(answer.events), text_of_events(answer))


def _without_unused(answer: AnyAnswer, options: Options) -> AnyAnswer:
    """Of the template's streams only those that were written to; of `--stream`, all."""
    asked = dict(options.streams)
    streams = [stream for stream in answer.streams if stream.records or stream.name in asked]
    return msgspec.structs.replace(answer, streams=streams)


def _print(result: Result, output: str, mask: Mask) -> None:
    if output == "text":
        write_answer(mask.text(result.text))
        return
    if output == "json":
        document = mask.json(msgspec.to_builtins(result.answer))
        write_answer(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
        return
    documents = (mask.json(msgspec.to_builtins(line)) for line in result.lines)
    write_answer(b"".join(msgspec.json.encode(document) + b"\n" for document in documents))
