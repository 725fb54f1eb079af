"""COPY from S3: what it names, and the rows in the objects that it finds there.

Objects are newline JSON or any other sequence of JSON objects, packed with gzip if it says so.
Every object is loaded once by each statement: a second COPY of the same prefix loads it again.
https://docs.aws.amazon.com/redshift/latest/dg/r_COPY.html
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from esm.embedded.api import ApiError
from esm.errors import EndpointError

Objects = Callable[[str, str], Sequence[tuple[str, bytes]]]
"""Key and body of the objects of a bucket whose keys begin like this."""

_COPY = re.compile(
    r"""\s*COPY\s+(?P<table>[\w."]+)\s*(?:\((?P<columns>[^)]*)\))?\s*
    FROM\s+'s3://(?P<bucket>[^/']+)/?(?P<key>(?:[^']|'')*)'(?P<options>.*?);?\s*\Z""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
_SWITCH = r"(\s+(ON|OFF|TRUE|FALSE|PRESET))?"
_TEXT = r"\s+(AS\s+)?'(?:[^']|'')*'"
# Without effect on what is loaded: who may read, where the bucket is, statistics, and formats of
# time that are recognised anyway.
_IDLE = (
    rf"(WITH\s+)?CREDENTIALS{_TEXT}",
    rf"IAM_ROLE(\s+DEFAULT|{_TEXT})",
    rf"ACCESS_KEY_ID{_TEXT}",
    rf"SECRET_ACCESS_KEY{_TEXT}",
    rf"SESSION_TOKEN{_TEXT}",
    rf"REGION{_TEXT}",
    rf"COMPUPDATE{_SWITCH}",
    rf"STATUPDATE{_SWITCH}",
    r"(TIMEFORMAT|DATEFORMAT)\s+(AS\s+)?'auto'",
)
_OPTION = re.compile(
    r"\s*(?:(?P<json>(FORMAT\s+(AS\s+)?)?JSON(\s+(AS\s+)?'(?P<how>[^']*)')?)"
    r"|(?P<gzip>GZIP)\b|(?P<manifest>MANIFEST)\b|(?P<idle>" + "|".join(_IDLE) + r")(?!\w))",
    re.IGNORECASE,
)
_SPACE = re.compile(r"\s*")
_WORD = re.compile(r"\s*(\S{1,40})")


class LoadFailed(ValueError):
    """A COPY that Redshift lets fail; the text is the statement's error."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A COPY statement; without `columns` it is about all that the table has."""

    table: str
    columns: tuple[str, ...]
    bucket: str
    key: str
    ignores_case: bool = False
    is_gzip: bool = False
    is_manifest: bool = False


def copy_of(sql: str) -> Copy:
    """A COPY as it is written; raises EndpointError E508 for what is not emulated."""
    match = _COPY.match(sql)
    if match is None:
        raise _not_emulated("this COPY", "COPY table FROM 's3://bucket/prefix' …")
    found = _options(match["options"])
    if "json" not in found:
        raise _not_emulated("COPY of anything but JSON", "FORMAT AS JSON 'auto'")
    columns = [name.strip().strip('"') for name in (match["columns"] or "").split(",")]
    return Copy(
        match["table"],
        tuple(filter(None, columns)),
        match["bucket"],
        match["key"].replace("''", "'"),
        ignores_case="ignorecase" in found,
        is_gzip="gzip" in found,
        is_manifest="manifest" in found,
    )


def _options(text: str) -> set[str]:
    found, at = set(), 0
    while text[at:].strip():
        match = _OPTION.match(text, at)
        if match is None:
            word = _WORD.match(text, at)
            assert word is not None
            raise _not_emulated(f"COPY with {word[1]}", "leave it out")
        if match["json"]:
            how = (match["how"] or "auto").lower()
            if how not in ("auto", "auto ignorecase"):
                raise _not_emulated(f"COPY with JSON {how!r}", "FORMAT AS JSON 'auto'")
            found |= {"json", *how.split()}
        found |= {name for name in ("gzip", "manifest") if match[name]}
        at = match.end()
    return found


def texts(copy: Copy, objects: Objects) -> list[bytes]:
    """The bodies of the objects that it names now, unpacked; raises LoadFailed."""
    try:
        found = _listed(copy, objects) if copy.is_manifest else objects(copy.bucket, copy.key)
    except ApiError as error:
        raise LoadFailed(
            f"S3ServiceException:{error.message},Status {error.status},Error {error.code}"
        ) from error
    if not found:
        raise LoadFailed(f"The specified S3 prefix '{copy.key}' does not exist")
    if not copy.is_gzip:
        return [body for _, body in found]
    try:
        return [gzip.decompress(body) for _, body in found]
    except (OSError, EOFError, zlib.error) as error:
        raise LoadFailed(f"an object is not packed with gzip: {error}") from error


def _listed(copy: Copy, objects: Objects) -> list[tuple[str, bytes]]:
    """What a manifest lists; an entry that is not mandatory may be missing."""
    try:
        manifest = json.loads(_one(copy.bucket, copy.key, objects) or b"")
        entries = [(e["url"], e.get("mandatory", False)) for e in manifest["entries"]]
        places = [(*url.removeprefix("s3://").split("/", 1), must) for url, must in entries]
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise LoadFailed(f"Invalid manifest file s3://{copy.bucket}/{copy.key}: {error}") from error
    found = []
    for bucket, key, is_mandatory in places:
        body = _one(bucket, key, objects)
        if body is not None:
            found.append((key, body))
        elif is_mandatory:
            raise LoadFailed(f"The mandatory file s3://{bucket}/{key} does not exist")
    return found


def _one(bucket: str, key: str, objects: Objects) -> bytes | None:
    return dict(objects(bucket, key)).get(key)


def rows(bodies: Sequence[bytes], copy: Copy, columns: Sequence[str]) -> list[list[str | None]]:
    """For each column the values as text, None where an object of JSON has none."""
    found: list[list[str | None]] = [[] for _ in columns]
    for body in bodies:
        for item in _items(body):
            if copy.ignores_case:
                item = {name.lower(): value for name, value in item.items()}
            for column, values in zip(columns, found, strict=True):
                values.append(_text(item.get(column.lower())))
    return found


def _items(body: bytes) -> Iterator[Mapping[str, Any]]:
    decoder = json.JSONDecoder()
    try:
        text = body.decode()
        at = _next(text, 0)
        while at < len(text):
            item, at = decoder.raw_decode(text, at)
            if not isinstance(item, dict):
                raise ValueError(f"an object is wanted, not {str(item)[:40]!r}")
            yield item
            at = _next(text, at)
    except (ValueError, RecursionError) as error:
        raise LoadFailed(f"Invalid JSON: {error}") from error


def _next(text: str, at: int) -> int:
    """Where the next thing begins that is no white space."""
    match = _SPACE.match(text, at)
    return at if match is None else match.end()


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)


def _not_emulated(what: str, fix: str) -> EndpointError:
    return EndpointError(
        "E508", f"the embedded Redshift does not know {what}", why="not emulated", fix=fix
    )
