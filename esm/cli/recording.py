"""What `esm record` does: read the shards in turn, and write their records as they come."""

from __future__ import annotations

import functools
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches
from threading import Event

import msgspec

from esm.cli.finding import Found, find
from esm.cli.interrupting import stopped_by_signals
from esm.cli.output import write_answer
from esm.cli.progress import Progress
from esm.cli.reaching import MakeClient
from esm.cli.record import Options
from esm.cli.recording_file import RecordingFile
from esm.cli.text import counted
from esm.clock import SystemClock
from esm.core.model import Shard
from esm.errors import EndpointError
from esm.ports import LiveSource, Payloads, SourceUnavailable
from esm.reading import AnyRecord, Read, Reading
from esm.wiring import events_for, source_live

_NOBODY = "arn:aws:lambda:us-east-1:123456789012:function:esm-record"


def run(options: Options) -> int:
    """Record, print the answer, and give the exit code."""
    file = RecordingFile(options.out, replace=options.force)
    file.check()
    make_client = functools.cache(options.reach.make_client)
    found = find(options.stream, options.template, make_client, says_so=options.reach.aws)
    source, arn = _source(found, options.shards, make_client), found.source_arn
    with file, stopped_by_signals() as stopped, Progress() as progress:
        payloads = events_for(source, _NOBODY, fan_out_arn="stream")
        recorder = _Recorder(arn, file, progress, payloads)
        recorder.record(_reading(source, options, stopped.event), options.count)
    shards = recorder.records
    answer = _json(arn, options, shards) if options.output == "json" else _text(options, shards)
    write_answer(answer)
    return stopped.exit_code


def _reading(source: LiveSource, options: Options, stopped: Event) -> Reading:
    """The reads, until it is stopped or the time is over."""
    now = SystemClock().now_ms
    end_ms = None if options.for_ms is None else now() + options.for_ms

    def wait(seconds: float) -> bool:
        left_s = seconds if end_ms is None else min(seconds, (end_ms - now()) / 1000)
        return not stopped.wait(max(left_s, 0)) and (end_ms is None or now() < end_ms)

    return Reading(source, options.start, only=options.shards, now=now, wait=wait)


def _source(found: Found, shards: Sequence[str], make_client: MakeClient) -> LiveSource:
    """The source, which is there and has the shards that are asked for."""
    if found.service == "dynamodb" and "/stream/" not in found.source_arn:
        raise EndpointError(
            "E547",
            f"the table {found.name} has no stream",
            why="without one nobody sees what changes in it",
            fix="StreamSpecification: {StreamViewType: NEW_AND_OLD_IMAGES}",
        )
    source = source_live(found.source_arn, make_client)
    with _asking(found.source_arn):
        source.describe()
        _check_shards(shards, source.list_shards(SystemClock().now_ms()))
    return source


def _check_shards(wanted: Sequence[str], shards: Sequence[Shard]) -> None:
    """Refuse a shard that the stream does not list."""
    known = [shard.shard_id for shard in shards]
    for shard_id in wanted:
        if shard_id not in known:
            raise EndpointError(
                "E545",
                f"there is no shard {shard_id}",
                why=f"there are {', '.join(known[:5])}{', …' if len(known) > 5 else ''}",
                fix=f"--shard {(get_close_matches(shard_id, known, n=1) or known[-1:])[0]}",
            )


@contextmanager
def _asking(arn: str) -> Iterator[None]:
    try:
        yield
    except SourceUnavailable as error:
        raise EndpointError("E546", f"{arn} cannot be read: {error}") from error


@dataclass(slots=True)
class _Recorder:
    """Writes what it reads; `records` counts it by shard, `troubled` are those not to be read now.

    What happens beside is told on stderr, once until it is over.
    """

    arn: str
    file: RecordingFile
    progress: Progress
    payloads: Payloads
    records: Counter[str] = field(default_factory=Counter)
    troubled: set[str] = field(default_factory=set)

    def record(self, reading: Reading, most: int | None) -> None:
        """Until nobody wants more, all shards have ended, or there are so many records."""
        with _asking(self.arn):
            for read in reading.reads():
                self._tell(read)
                left = None if most is None else most - self.records.total()
                self._write(read.shard_id, read.records[:left])
                if self.records.total() == most:
                    return

    def _write(self, shard_id: str, records: Sequence[AnyRecord]) -> None:
        if records:
            lines = self.payloads.build(shard_id, records)["Records"]
            self.file.write(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
            self.records[shard_id] += len(records)
        self.progress.tell("recording", self.records.total(), None)

    def _tell(self, read: Read) -> None:
        if read.trimmed:
            self._say(read.shard_id, "records were lost: they are past the stream's retention")
        if read.problem is None:
            self.troubled.discard(read.shard_id)
        elif read.shard_id not in self.troubled:
            self.troubled.add(read.shard_id)
            self._say(read.shard_id, f"{read.problem}; asking again")

    def _say(self, shard_id: str, what: str) -> None:
        print(f"{shard_id}: {what}", file=sys.stderr, flush=True)


def _json(arn: str, options: Options, shards: Counter[str]) -> bytes:
    document = {
        "arn": arn,
        "file": str(options.out) if shards else None,
        "records": shards.total(),
        "shards": [{"shardId": each, "records": count} for each, count in sorted(shards.items())],
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _text(options: Options, shards: Counter[str]) -> str:
    if not shards:
        return f"no records, so no {options.out}\n"
    width = max(len(f"{count:,}") for count in shards.values())
    lines = [f"{shard_id}  {count:>{width},}" for shard_id, count in sorted(shards.items())]
    return "\n".join([f"{options.out}: {counted(shards.total(), 'record')}", *lines]) + "\n"
