"""What `esm put` does: read and check everything, find the stream, put, then say what it took."""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from threading import Event
from uuid import uuid4

import msgspec

from esm.cli.finding import Found, find
from esm.cli.output import write_answer
from esm.cli.progress import Progress
from esm.cli.put import Options
from esm.cli.text import counted
from esm.errors import InputError, Place
from esm.feeding import feed
from esm.feeding_changes import Change, put_of, write_changes
from esm.feeding_records import Entry, Fed, put_records
from esm.sources.capture import Capture, read_captures
from esm.sources.capture_text import CaptureFile, find_files, read_content, read_lines
from esm.sources.kinesis_input import hash_key_from, key_bytes

Payload = tuple[bytes, Place]
"""What becomes one record or item, and where it stands."""


def run(options: Options) -> int:
    """Put, print the answer, and give the exit code."""
    capture, payloads = _read(options)
    entries = [_entry(options, payload) for payload in payloads]
    make_client = functools.cache(options.reach.make_client)
    found = find(options.stream, options.template, make_client, says_so=options.reach.aws)
    with Progress() as progress:

        def tell(done: int) -> None:
            progress.tell("putting", done, None)

        if capture is not None:
            fed = feed(capture, make_client, found.source_arn, wait=_wait, on_progress=tell)
        elif found.service == "dynamodb":
            _check_keys(found, options)
            client = make_client("dynamodb", found.region)
            changes = [_change(payload) for payload in payloads]
            fed = Fed(write_changes(client, found.name, changes, wait=_wait, on_progress=tell))
        else:
            client = make_client("kinesis", found.region)
            fed = put_records(client, found.source_arn, entries, wait=_wait, on_progress=tell)
    write_answer(_json(found, fed) if options.output == "json" else _text(found, fed))
    return 0


def _check_keys(table: Found, options: Options) -> None:
    if options.partition_key is not None or options.explicit_hash_key is not None:
        message = f"{table.name} is a table: items have their keys in them, so no --partition-key"
        raise InputError("E480", message, fix="leave it out")


def _wait(seconds: float) -> bool:
    """Nothing but Ctrl-C ends it early."""
    return not Event().wait(seconds)


def _read(options: Options) -> tuple[Capture | None, list[Payload]]:
    """A capture, or the payloads of --data and --lines."""
    if options.data is not None:
        return None, [_data(options.data)]
    paths = [_stdin() if path == "-" else path for path in dict.fromkeys(options.paths)]
    if not options.lines:
        return read_captures(paths), []
    files = find_files(paths)
    payloads = [
        (line, Place(file.name, number)) for file in files for number, line in read_lines(file)
    ]
    if not payloads:
        raise InputError("E496", f"no lines in {', '.join(file.name for file in files)}")
    return None, payloads


def _data(text: str) -> Payload:
    """The text itself, or what `@FILE` and `-` stand for."""
    if text == "-":
        return read_content(_stdin()), Place("-")
    if text.startswith("@"):
        return read_content(CaptureFile(text[1:], Path(text[1:]))), Place(text[1:])
    return os.fsencode(text), Place("--data")


def _stdin() -> CaptureFile:
    return CaptureFile("-", Path("-"), sys.stdin.buffer.read())


def _entry(options: Options, payload: Payload) -> Entry:
    """A record; without a key each has its own, so that all shards get some."""
    key, hash_key = options.partition_key, options.explicit_hash_key
    if key is not None:
        key_bytes(key)
    if hash_key is not None:
        hash_key_from(hash_key)
    return Entry(payload[0], str(uuid4()) if key is None else key, hash_key)


def _change(payload: Payload) -> Change:
    """An item of a table; numbers stay as exact as they are written."""
    data, place = payload
    try:
        item = json.loads(data, parse_float=Decimal)
    except (ValueError, RecursionError):
        item = None
    if not isinstance(item, dict):
        raise InputError(
            "E497",
            "this is no item of a table",
            place=place,
            why="an item is a JSON object: attributes by name",
            fix="""--data '{"id": "1", "total": 9.5}'""",
        )
    return put_of(item)


def _json(found: Found, fed: Fed) -> bytes:
    document = {
        "name": found.name,
        "arn": found.source_arn,
        "records": fed.records,
        "overtaken": fed.overtaken,
        "shards": [
            {
                "shardId": shard_id,
                "records": total.records,
                "lastSequenceNumber": total.last_sequence_number,
            }
            for shard_id, total in sorted(fed.shards.items())
        ],
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _text(found: Found, fed: Fed) -> str:
    return "\n".join(_lines(found, fed)) + "\n"


def _lines(found: Found, fed: Fed) -> Iterator[str]:
    yield f"{found.name}: {counted(fed.records, 'record')}"
    width = max((len(f"{total.records:,}") for total in fed.shards.values()), default=0)
    for shard_id, total in sorted(fed.shards.items()):
        yield f"{shard_id}  {total.records:>{width},}  up to {total.last_sequence_number}"
    if fed.overtaken:
        yield (
            f"{counted(fed.overtaken, 'record')} behind later ones of the same key: the stream"
            " refused them at first"
        )
