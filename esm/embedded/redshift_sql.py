"""Redshift's SQL as DuckDB takes it, where the two differ and an application meets it.

Parameters become literals, as the Data API's are of no type of their own. What asks for the time
gets that of the statement. Keys of distribution and order, and encodings, change no result.
https://docs.aws.amazon.com/redshift/latest/dg/c_SQL_reference.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

_QUOTED = re.compile(
    r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | --[^\n]* | /\*.*?\*/""", re.DOTALL | re.VERBOSE
)
_PARAMETER = re.compile(r"(?<![:\w]):([A-Za-z_]\w*)")
_NOW = re.compile(r"\b(getdate\s*\(\s*\)|now\s*\(\s*\)|sysdate\b|current_timestamp\b)", re.I)
_TODAY = re.compile(r"\bcurrent_date\b", re.I)
_DATEADD = re.compile(r"\bdateadd\s*\(\s*(\w+)\s*,\s*(-?\d+)\s*,", re.I)
_DATEDIFF = re.compile(r"\bdatediff\s*\(\s*(\w+)\s*,", re.I)
_FIRST_WORD = re.compile(r"(?:\s|\(|--[^\n]*\n|/\*.*?\*/)*([A-Za-z]+)", re.DOTALL)
_CREATE_TABLE = re.compile(r"\bcreate\s+(?:\w+\s+)*?table\b", re.I)
_OF_THE_CLUSTER = (
    re.compile(r"\bdiststyle\s+\w+", re.I),
    re.compile(r"\bdistkey\b(\s*\([^)]*\))?", re.I),
    re.compile(r"\b((compound|interleaved)\s+)?sortkey\b(\s*\([^)]*\)|\s+auto)?", re.I),
    re.compile(r"\bencode\s+\w+", re.I),
)
_TYPES = ((re.compile(r"\bsuper\b", re.I), "JSON"), (re.compile(r"\(\s*max\s*\)", re.I), ""))

READING = frozenset({"SELECT", "WITH", "SHOW", "EXPLAIN", "VALUES", "TABLE"})
# Without effect here: statements run one after the other, and nobody is kept from anything.
IDLE = frozenset({"LOCK", "GRANT", "REVOKE"})


class UnknownParameter(ValueError):
    """A statement names a parameter that it was not given."""


def first_word(sql: str) -> str:
    """`SELECT`, `COPY`, …; comments in front of it do not count."""
    match = _FIRST_WORD.match(sql)
    return match[1].upper() if match else ""


def names_in(sql: str) -> set[str]:
    """The names of the parameters in a statement."""
    return {name for code in _code_of(sql) for name in _PARAMETER.findall(code)}


def literal(text: str) -> str:
    """Text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def with_parameters(sql: str, parameters: Mapping[str, str]) -> str:
    """A statement with values for `:name`; raises UnknownParameter."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in parameters:
            raise UnknownParameter(match[1])
        return literal(parameters[match[1]])

    return _with_code(sql, lambda code: _PARAMETER.sub(value, code))


def for_duckdb(sql: str, now: datetime) -> str:
    """A statement as DuckDB takes it, at an instant in UTC."""
    instant = f"TIMESTAMP '{now:%Y-%m-%d %H:%M:%S.%f}'"
    is_table = bool(_CREATE_TABLE.match(sql.lstrip()))

    def change(code: str) -> str:
        code = _NOW.sub(instant, code)
        code = _TODAY.sub(f"DATE '{now:%Y-%m-%d}'", code)
        code = _DATEADD.sub(r"(INTERVAL (\2) \1 + ", code)
        code = _DATEDIFF.sub(r"date_diff('\1',", code)
        return _as_table(code) if is_table else code

    return _with_code(sql, change)


def _as_table(code: str) -> str:
    for pattern in _OF_THE_CLUSTER:
        code = pattern.sub("", code)
    for pattern, kind in _TYPES:
        code = pattern.sub(kind, code)
    return code


def _with_code(sql: str, change: Callable[[str], str]) -> str:
    """A statement with what is neither quoted nor a comment changed."""
    parts, end = [], 0
    for match in _QUOTED.finditer(sql):
        parts += [change(sql[end : match.start()]), match[0]]
        end = match.end()
    return "".join([*parts, change(sql[end:])])


def _code_of(sql: str) -> Iterator[str]:
    end = 0
    for match in _QUOTED.finditer(sql):
        yield sql[end : match.start()]
        end = match.end()
    yield sql[end:]
