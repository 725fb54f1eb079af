"""Which captures go where: `--feed FILE`, or `--feed MAPPING=FILE`."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from esm.cli.live_mappings import Planned
from esm.errors import InputError
from esm.sources.capture import Capture, read_captures


@dataclass(frozen=True, slots=True)
class Feed:
    """Captured records, where they are from, and the ARN of what they are put into."""

    path: str
    capture: Capture
    arn: str


def feed_of(given: str, planned: Sequence[Planned]) -> Feed:
    """Read one; it goes to the mapping that is named, else to the one that reads its stream.

    Raises InputError E42x for what is no capture, E495 where the mapping has to be named, E498
    where it is none.
    """
    name, equals, path = given.partition("=")
    named = next((each for each in planned if equals and each.name == name), None)
    if named is not None:
        return Feed(path, read_captures([path]), named.source_arn)
    if equals and Path(path).exists() and not Path(given).exists():
        names = [each.name for each in planned]
        near = (difflib.get_close_matches(name, names, n=1) or names)[0]
        raise InputError(
            "E498",
            f"--feed {given}: {name} is none of the mappings that run",
            why=f"they are {', '.join(names)}",
            fix=f"--feed {near}={path}",
        )
    capture = read_captures([given])
    kind = [each.source_arn for each in planned if each.source_arn.split(":")[2] == capture.service]
    same = [arn for arn in kind if _stream(arn) == _stream(capture.event_source_arn or "")]
    found = list(dict.fromkeys(same or kind))
    if len(found) == 1:
        return Feed(given, capture, found[0])
    readers = [each.name for each in planned if each.source_arn in kind]
    what = _stream(capture.event_source_arn or "") or "a stream that it does not name"
    raise InputError(
        "E495",
        f"{given} has records of {what}, which none of these mappings reads",
        why=f"mappings of its kind: {', '.join(readers) or 'none'}",
        fix=f"--feed {readers[0]}={given}" if readers else "a capture of the same kind",
    )


def _stream(arn: str) -> str:
    """The name of the stream or table in an ARN, wherever that is."""
    parts = arn.replace(":", "/").split("/")
    return "/".join(parts[5:7])
