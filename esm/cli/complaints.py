"""Mistakes in the forms in which people, programs, GitHub and code scanners read them.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from esm.cli.codes import meanings
from esm.cli.failures import fields_of, severity_of
from esm.errors import EsmError, Place

_SARIF_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)


def in_order(errors: Sequence[EsmError]) -> list[EsmError]:
    """By file, line and column; what has no place comes first."""
    return sorted(errors, key=lambda error: (_order(error.place), error.esm_code, error.message))


def text_of(errors: Sequence[EsmError]) -> str:
    """Each as its user reads it, and how many there are."""
    severities = Counter(map(severity_of, errors))
    counts = [_counted(severities[severity], severity) for severity in ("error", "warning")]
    total = ", ".join(filter(None, counts)) or "no mistakes found"
    return "\n\n".join((*map(str, errors), total)) + "\n"


def json_of(errors: Sequence[EsmError]) -> str:
    """A list of objects."""
    return json.dumps([fields_of(error) for error in errors], ensure_ascii=False, indent=2) + "\n"


def github_of(errors: Sequence[EsmError]) -> str:
    """A workflow command for each, which GitHub shows at its line of a pull request."""
    return "".join(f"{_command(error)}\n" for error in errors)


def sarif_of(errors: Sequence[EsmError]) -> str:
    """SARIF 2.1.0, for code scanning."""
    codes = sorted({error.esm_code for error in errors})
    known = meanings()
    run = {
        "tool": {
            "driver": {
                "name": "esm",
                "rules": [_rule(code, known) for code in codes],
            }
        },
        "columnKind": "unicodeCodePoints",
        "results": [_result(error, codes.index(error.esm_code)) for error in errors],
    }
    log = {"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, ensure_ascii=False, indent=2) + "\n"


FORMATS: Mapping[str, Callable[[Sequence[EsmError]], str]] = {
    "text": text_of,
    "json": json_of,
    "github": github_of,
    "sarif": sarif_of,
}


def _order(place: Place | None) -> tuple[str, int, int]:
    return (place.file, place.line or 0, place.column or 0) if place else ("", 0, 0)


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}" if count else ""


def _message(error: EsmError) -> str:
    """All of it but the code, the place and the user's line, which are shown anyway."""
    lines = [error.message if error.detail is None else f"{error.message} {error.detail}"]
    lines += [f"why: {error.why}"] * bool(error.why) + [f"fix: {error.fix}"] * bool(error.fix)
    return "\n".join(lines)


# --- GitHub ---------------------------------------------------------------------------------------


def _command(error: EsmError) -> str:
    place = error.place
    given = {
        "file": place and Path(place.file).as_posix(),
        "line": place and place.line,
        "col": place and place.column,
        "title": error.esm_code,
    }
    properties = [
        f"{name}={_escaped_property(str(value))}"
        for name, value in given.items()
        if value is not None
    ]
    return f"::{severity_of(error)} {','.join(properties)}::{_escaped(_message(error))}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escaped_property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")


# --- SARIF ----------------------------------------------------------------------------------------


def _rule(code: str, known: Mapping[str, tuple[str, str]]) -> dict[str, object]:
    rule: dict[str, object] = {"id": code}
    if code in known:
        meaning, remedy = known[code]
        rule |= {"shortDescription": {"text": meaning}, "help": {"text": remedy}}
    return rule


def _result(error: EsmError, rule: int) -> dict[str, object]:
    result: dict[str, object] = {
        "ruleId": error.esm_code,
        "ruleIndex": rule,
        "level": severity_of(error),
        "message": {"text": _message(error)},
    }
    if error.place is not None:
        result["locations"] = [{"physicalLocation": _location(error.place)}]
    return result


def _location(place: Place) -> dict[str, object]:
    location: dict[str, object] = {"artifactLocation": {"uri": _uri(place.file)}}
    if place.line is not None:
        region = {"startLine": place.line}
        if place.column is not None:
            region["startColumn"] = place.column
        location["region"] = region
    return location


def _uri(file: str) -> str:
    """A reference relative to the folder of the run, as code scanning wants it."""
    path = Path(file)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())
