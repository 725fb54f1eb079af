"""How a command ends badly: what it prints on stderr, and its exit code."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from esm.errors import EsmError

BAD_OUTCOME = 1
OUR_BUG = 70  # EX_SOFTWARE of sysexits.h
INTERRUPTED = 130  # 128 + SIGINT
UNSAVED = 6  # as for every problem with the state

# By the digit after the E of the code.
_EXIT_CODES = {"1": 3, "2": 3, "3": 4, "4": 2, "5": 5, "6": 6, "7": BAD_OUTCOME}


def exit_code(error: EsmError) -> int:
    """The exit code that a kind of mistake has."""
    return _EXIT_CODES[error.esm_code[1]]


def asked_for_json(arguments: Sequence[str]) -> bool:
    """Whether `-o json` or `-o jsonl` stands on a command line that may be broken elsewhere."""
    pairs = zip(["", *arguments], arguments, strict=False)
    return any(
        argument in ("-ojson", "-ojsonl", "--output=json", "--output=jsonl")
        or (before in ("-o", "--output") and argument in ("json", "jsonl"))
        for before, argument in pairs
    )


def show(error: EsmError, *, as_json: bool) -> None:
    """Print a mistake of the user's on stderr."""
    if not as_json:
        print(error, file=sys.stderr)
        return
    print(json.dumps(fields_of(error), ensure_ascii=False), file=sys.stderr)


def fields_of(error: EsmError) -> dict[str, str | int | None]:
    """A mistake as `-o json` shows it."""
    place = error.place
    return {
        "code": error.esm_code,
        "severity": severity_of(error),
        "message": error.message if error.detail is None else f"{error.message} {error.detail}",
        "file": place.file if place else None,
        "line": place.line if place else None,
        "column": place.column if place else None,
        "why": error.why,
        "fix": error.fix,
    }


def severity_of(error: EsmError) -> str:
    """`error`, or `warning` for what is no mistake for sure."""
    return "warning" if error.esm_code.startswith("W") else "error"


def show_bug(error: Exception, *, as_json: bool, debug: bool) -> None:
    """Print a mistake of ours on stderr; `debug` adds the traceback."""
    if debug:
        traceback.print_exception(error)
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    message = f"{type(error).__name__}: {error}{place}"
    why = "this is a mistake in esm, not in what you gave it"
    fix = "run it again with --debug, and report what that prints"
    if as_json:
        fields = {"code": "bug", "severity": "error", "message": message, "why": why, "fix": fix}
        print(json.dumps(fields, ensure_ascii=False), file=sys.stderr)
    else:
        print(f"bug  {message}\nwhy    {why}\nfix    {fix}", file=sys.stderr)
