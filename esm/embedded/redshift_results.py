"""Rows and columns as GetStatementResult has them.

https://docs.aws.amazon.com/redshift-data/latest/APIReference/API_Field.html
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from esm.embedded.redshift_statements import Result

# DuckDB's types in Redshift's words; all others are text.
_TYPES = {
    "BOOLEAN": "bool",
    "TINYINT": "int2",
    "SMALLINT": "int2",
    "INTEGER": "int4",
    "BIGINT": "int8",
    "HUGEINT": "int8",
    "FLOAT": "float4",
    "DOUBLE": "float8",
    "DATE": "date",
    "TIME": "time",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
    "JSON": "super",
}
_ZONE = "+00"


def result_of(result: Result) -> dict[str, Any]:
    """GetStatementResult's answer."""
    kinds = [kind for _, kind in result.columns]
    return {
        "ColumnMetadata": [_metadata(name, kind) for name, kind in result.columns],
        "Records": [
            [_field(value, kind) for value, kind in zip(row, kinds, strict=True)]
            for row in result.rows
        ],
        "TotalNumRows": len(result.rows),
    }


def type_name(kind: str) -> str:
    """A type of DuckDB's in Redshift's words."""
    return "numeric" if kind.startswith("DECIMAL") else _TYPES.get(kind, "varchar")


def _metadata(name: str, kind: str) -> dict[str, Any]:
    numeric = type_name(kind).startswith(("int", "float", "numeric"))
    return {
        "name": name,
        "label": name,
        "typeName": type_name(kind),
        "nullable": 1,
        "isCaseSensitive": not numeric,
        "isCurrency": False,
        "isSigned": numeric,
    }


def _field(value: Any, kind: str) -> dict[str, Any]:
    match value:
        case None:
            return {"isNull": True}
        case bool():
            return {"booleanValue": value}
        case int():
            return {"longValue": value}
        case float():
            return {"doubleValue": value}
        case bytes():
            return {"blobValue": value}
        case datetime() if type_name(kind) == "timestamptz":
            return {"stringValue": f"{value}{_ZONE}"}
        case _:
            return {"stringValue": str(value)}
