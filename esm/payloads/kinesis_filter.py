"""FilterCriteria over Kinesis records.

A pattern sees the record of the event, what is under `kinesis` once more at the top, and there
`data` decoded and parsed. A pattern about what is in `data` lets no record through whose data is
not a JSON object or array. https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis-filtering.html
That what is under `kinesis` can be named at the top is our choice: AWS shows no example. So is that
a pattern for plain text, where the mapping took one, is asked of data that is no JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, repeat
from operator import attrgetter
from typing import Any

import msgspec

from esm.core.filter_probe import SCALARS, Probe
from esm.core.filter_values import ABSENT, read_float, read_json
from esm.core.filtering import (
    Branch,
    Explanation,
    Part,
    Pattern,
    divide,
    is_within,
)
from esm.payloads.kinesis import KinesisEvents, KinesisRecord

_DATA = "data"
_any_json = msgspec.json.Decoder(float_hook=read_float).decode
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

DataTest = Callable[[bytes], bool]


class KinesisFilter:
    """The filters of one mapping, compiled: a record passes if any of the patterns matches it."""

    __slots__ = (
        *("_branches", "_events", "_names_data", "_names_metadata", "_of_data", "_of_text"),
        *("_without_data", "patterns"),
    )

    def __init__(self, patterns: Sequence[Pattern], events: KinesisEvents) -> None:
        self.patterns = tuple(patterns)
        self._events = events
        self._branches = [branch for pattern in patterns for branch in pattern.branches]
        self._of_text = [b for b in self._branches if _is_asked(b, "")]
        self._without_data = [b for b in self._branches if _is_asked(b, None)]
        names = [c.name for branch in self._branches for c in branch.conditions]
        self._names_data = any(is_within(name, _DATA) for name in names)
        self._names_metadata = not all(is_within(name, _DATA) for name in names)
        self._of_data = _test_of_data(self._branches)

    def split(
        self, shard_id: str, records: Sequence[KinesisRecord]
    ) -> tuple[Sequence[KinesisRecord], Sequence[KinesisRecord]]:
        """Those that pass and those that do not, in order; `records` itself when all pass."""
        if self._of_data is not None:
            return divide(records, map(self._of_data, _payloads(records)))
        return divide(records, map(self._passes, self._documents(shard_id, records)))

    def explain(self, shard_id: str, record: KinesisRecord) -> list[Explanation]:
        """What decided, for each pattern."""
        [document] = self._documents(shard_id, [record])
        return [_explained(pattern, document) for pattern in self.patterns]

    def _documents(
        self, shard_id: str, records: Sequence[KinesisRecord]
    ) -> Iterator[dict[str, object]]:
        parsed = map(_parsed, _payloads(records)) if self._names_data else repeat(None)
        if not self._names_metadata:
            yield from ({_DATA: data} for data in parsed)
            return
        shown = self._events.build(shard_id, records)["Records"]
        for record, data in zip(shown, parsed, strict=False):
            yield {**record, **record["kinesis"], _DATA: data}

    def _passes(self, document: dict[str, object]) -> bool:
        match document[_DATA]:
            case dict() | list():
                branches = self._branches
            case str():
                branches = self._of_text
            case _:
                branches = self._without_data
        return any(branch.matches(document) for branch in branches)


def _is_asked(branch: Branch, data: object) -> bool:
    """Whether such data, as `_parsed` gives it, fits what an alternative says of `data`."""
    if isinstance(data, dict | list):
        return True
    names = [c.name for c in branch.conditions if is_within(c.name, _DATA)]
    return all(name == _DATA and data is not None for name in names)


def _explained(pattern: Pattern, document: dict[str, object]) -> Explanation:
    asked = tuple(branch for branch in pattern.branches if _is_asked(branch, document[_DATA]))
    if asked:
        return Pattern(pattern.text, asked).explain(document)
    reason = "data is not a JSON object or array, and the pattern is about data"
    return Explanation(matches=False, path=_DATA, reason=reason)


def _payloads(records: Sequence[KinesisRecord]) -> list[bytes]:
    # msgspec's base64 decoder takes half the time of the standard library's.
    return msgspec.convert([record.base64 for record in records], list[bytes])


def _parsed(payload: bytes) -> object:
    """The data as a JSON object or array, else as text; None when it is not even UTF-8."""
    try:
        found = _any_json(payload)
    except _UNREADABLE:
        found = _read_thoroughly(payload)
    return found if isinstance(found, dict | list) else _text(payload)


def _read_thoroughly(payload: bytes) -> object:
    """For odd numbers and characters, which the quick decoder refuses."""
    try:
        return read_json(payload.decode())
    except ValueError:
        return None


def _text(payload: bytes) -> str | None:
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return None


def _test_of_data(branches: Sequence[Branch]) -> DataTest | None:
    """A test that decodes only what the patterns name, where all of them are about `data` alone."""
    parts = [found for branch in branches if (found := branch.parts(_DATA)) is not None]
    if len(parts) < len(branches):
        return None
    keys = dict.fromkeys(key for part in chain(*parts) for key in (part.key, *part.others))
    attributes = {key: f"f{number}" for number, key in enumerate(keys)}
    decode = _decoder_of(attributes)
    quick = _quick_test(parts, {key: attrgetter(name) for key, name in attributes.items()})

    def passes(payload: bytes) -> bool:
        try:
            found = decode(payload)
            if not payload.isascii():
                payload.decode()  # the decoder does not look into strings that it skips
        except _UNREADABLE:
            return _passes_whole(payload, branches)
        verdict = quick(found)
        return _passes_whole(payload, branches) if verdict is None else verdict

    return passes


def _quick_test(
    branches: Sequence[Sequence[Part]], value_of: Mapping[str, Callable[[object], object]]
) -> Probe:
    checks = [[(value_of[p.key], p.accepts, p.ask) for p in branch] for branch in branches]
    others = [value_of[key] for part in chain(*branches) for key in part.others]

    def quick(found: object) -> bool | None:
        for value in others:
            if value(found) is not ABSENT:
                return None
        for conditions in checks:
            for value, accepts, ask in conditions:
                leaf = value(found)
                holds = accepts(leaf) if accepts and type(leaf) in SCALARS else ask(leaf)
                if not holds:
                    if holds is None:
                        return None
                    break
            else:
                return True
        return False

    return quick


def _decoder_of(attributes: Mapping[str, str]) -> Callable[[bytes], object]:
    """Decodes these keys of a JSON object, and nothing of the others."""
    fields = [
        (attribute, Any, msgspec.field(default=ABSENT, name=key))
        for key, attribute in attributes.items()
    ]
    struct = msgspec.defstruct("Fields", fields, gc=False)
    return msgspec.json.Decoder(struct, float_hook=read_float).decode


def _passes_whole(payload: bytes, branches: Sequence[Branch]) -> bool:
    """The thorough way: for arrays of objects, odd numbers, and what is no JSON object."""
    document = {_DATA: _parsed(payload)}
    is_json = isinstance(document[_DATA], dict | list)
    return is_json and any(branch.matches(document) for branch in branches)
