"""What a function's response means when ReportBatchItemFailures is on.

https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html
The rule of a stream: the lowest reported record is the checkpoint, and everything from it on is
tried again, reported or not. A response that Lambda cannot follow fails the whole batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_SHOWN = 80  # characters of a user's identifier that a reason repeats


@dataclass(frozen=True, slots=True)
class Success:
    """The function took the whole batch."""


@dataclass(frozen=True, slots=True)
class Partial:
    """The records before index `failed_from` are done; 0 is the whole batch again."""

    failed_from: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """Lambda cannot follow the response: the whole batch failed. `reason` is for people."""

    reason: str


def read_state(payload: object) -> dict[str, object] | Rejected:
    """The state that the function of a tumbling window has to return with every response.

    https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-windows.html
    """
    state = payload.get("state") if isinstance(payload, dict) else None
    if isinstance(state, dict):
        return state
    what = "no state" if state is None else f"a state that is {_kind(state)}"
    return Rejected(
        f"the response of a tumbling window must have an object as state, it has {what}"
    )


Verdict = Success | Partial | Rejected

_SUCCESS = Success()


def read_response(payload: object, identifiers: Sequence[str]) -> Verdict:
    """Read a parsed response; `identifiers` are the batch's own, in batch order."""
    # An empty body, null, "" and [] are taken for {}; an object may leave the list out.
    if payload is None or payload in ("", []):
        return _SUCCESS
    if not isinstance(payload, dict):
        return Rejected(f"the response must be an object, not {_kind(payload)}")
    failures = payload.get("batchItemFailures")
    if failures is None:
        return _SUCCESS
    if not isinstance(failures, list):
        return Rejected(f"batchItemFailures must be a list, not {_kind(failures)}")
    return _read_failures(failures, identifiers) if failures else _SUCCESS


def _read_failures(failures: list[object], identifiers: Sequence[str]) -> Partial | Rejected:
    reported: dict[str, int] = {}  # identifier -> its place in the response
    for place, entry in enumerate(failures):
        if not isinstance(entry, dict):
            return Rejected(f"batchItemFailures[{place}] must be an object, not {_kind(entry)}")
        if "itemIdentifier" not in entry:
            return Rejected(f"batchItemFailures[{place}] has no itemIdentifier")
        identifier = entry["itemIdentifier"]
        # Identifiers are compared as exact strings: the number 123 is nobody's.
        if not isinstance(identifier, str):
            return Rejected(
                f"batchItemFailures[{place}].itemIdentifier must be a string,"
                f" not {_kind(identifier)}"
            )
        reported.setdefault(identifier, place)
    return _lowest(reported, identifiers)


def _lowest(reported: dict[str, int], identifiers: Sequence[str]) -> Partial | Rejected:
    """The first of the batch that was reported; one stranger spoils the whole response."""
    unknown = reported.keys() - set(identifiers)
    if unknown:
        stranger = min(unknown, key=reported.__getitem__)
        return Rejected(
            f"batchItemFailures[{reported[stranger]}].itemIdentifier {_shown(stranger)}"
            " is not in the batch"
        )
    return Partial(next(i for i, name in enumerate(identifiers) if name in reported))


def _shown(identifier: str) -> str:
    cut = identifier if len(identifier) <= _SHOWN else identifier[:_SHOWN] + "…"
    return f'"{cut}"' if cut.isprintable() else ascii(cut)


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "a list"
        case _:
            return "an object"
