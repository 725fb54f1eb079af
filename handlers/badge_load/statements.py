"""SQL through the Redshift Data API, which answers before it has run anything.

`badge_load` and `badge_report` have this file, each in its own folder, as Lambda packs them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.client import BaseClient

# A statement that waits for its turn is asked for less and less often.
FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 4.0


class StatementFailed(Exception):
    """The warehouse did not do what it was told; the text is its own."""


@dataclass(frozen=True, slots=True)
class Warehouse:
    """A database of a workgroup of Redshift Serverless; the caller's role is its user."""

    client: BaseClient
    workgroup: str
    database: str

    def run(self, *sqls: str) -> None:
        """Run statements in one transaction: all of them, or none and StatementFailed.

        No ClientToken of our own: the Data API would answer a batch that comes back after a failure
        with the statement that has failed.
        """
        started = self.client.batch_execute_statement(Sqls=list(sqls), **self._place)
        self._wait_for(started["Id"])

    def rows(self, sql: str, **parameters: str) -> Iterator[list[Any]]:
        """The rows of a query, each value as it comes; `parameters` stand as `:name` in it."""
        given = [{"name": name, "value": value} for name, value in parameters.items()]
        started = self.client.execute_statement(Sql=sql, Parameters=given, **self._place)
        self._wait_for(started["Id"])
        pages = self.client.get_paginator("get_statement_result").paginate(Id=started["Id"])
        for page in pages:
            for record in page["Records"]:
                yield [_value(field) for field in record]

    @property
    def _place(self) -> dict[str, str]:
        return {"WorkgroupName": self.workgroup, "Database": self.database}

    def _wait_for(self, statement_id: str) -> None:
        """Until it has ended; one that takes too long ends with the time of this function."""
        pause_s = FIRST_PAUSE_S
        while True:
            statement = self.client.describe_statement(Id=statement_id)
            match statement["Status"]:
                case "FINISHED":
                    return
                case "FAILED" | "ABORTED" as status:
                    raise StatementFailed(f"{status}: {statement.get('Error', 'no reason given')}")
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


def _value(field: dict[str, Any]) -> Any:
    """A field has one member, called after its type; `isNull` says that there is no value."""
    [(kind, value)] = field.items()
    return None if kind == "isNull" else value
