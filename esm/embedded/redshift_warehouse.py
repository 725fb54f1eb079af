"""A Redshift warehouse: statements in the order of virtual time, their SQL run in DuckDB.

DuckDB is optional. Without it statements are recorded, and whoever wants rows is refused.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import count
from typing import Any
from zlib import crc32

from esm.embedded.api import ApiError
from esm.embedded.objects import Objects
from esm.embedded.redshift_copy import LoadFailed, copy_of, texts
from esm.embedded.redshift_database import Database, SqlRefused
from esm.embedded.redshift_sql import (
    IDLE,
    READING,
    first_word,
    for_duckdb,
    names_in,
    with_parameters,
)
from esm.embedded.redshift_statements import Statement, Status
from esm.embedded.service_faults import ServiceFaults
from esm.errors import EndpointError
from esm.instants import from_ms

_THROTTLED = ApiError("ThrottlingException", "Rate exceeded", 400)
_ERRORS = {
    400: ApiError("ActiveStatementsExceededException", "Active statements exceeded the limit."),
    500: ApiError("InternalServerException", "An internal error occurred.", 500),
}


class Warehouse:
    """What a Data API's statements go to; `now` gives epoch milliseconds.

    `inject.latency` is how long statements take, `inject.throttle` and `inject.error` refuse calls.
    """

    def __init__(
        self,
        name: str,
        arn: str,
        database: str,
        now: Callable[[], int],
        chance: random.Random,
        objects: Objects,
        in_real_time: Callable[[], AbstractContextManager[object]],
    ) -> None:
        self.name = name
        self.arn = arn
        self.database = database
        self.inject = ServiceFaults(_THROTTLED, _ERRORS)
        self.tokens: dict[str, Statement] = {}
        """Statements by the ClientToken that they were sent with."""
        self._now = now
        self._chance = chance
        self._objects = objects
        self._database = Database(database, in_real_time)
        self._statements: list[Statement] = []
        self._loads: dict[str, list[bytes]] = {}
        self._failures: list[str] = []
        self._numbers = count(1)

    def __repr__(self) -> str:
        return f"<Warehouse {self.name}: {len(self._statements)} statements>"

    @property
    def statements(self) -> list[Statement]:
        """Every statement that was sent, oldest first; a fresh list."""
        self.settle()
        return list(self._statements)

    def fail(self, times: int = 1, error: str = "injected") -> None:
        """Let the next statements fail."""
        self._failures.extend([error] * times)

    def query(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a SELECT at this instant, as the analyst sees them.

        Raises EndpointError E504 without DuckDB, E507 for SQL that it refuses.
        """
        self.settle()
        try:
            result = self._database.read(for_duckdb(sql, from_ms(self._now())))
        except SqlRefused as error:
            raise EndpointError(
                "E507", f"DuckDB refuses it: {error}", why="it runs the SQL here"
            ) from error
        names = [name for name, _ in result.columns]
        return [dict(zip(names, row, strict=True)) for row in result.rows]

    # --- what the Data API does ------------------------------------------------------------------

    def submit(
        self, sqls: Sequence[str], parameters: Mapping[str, str], asked: Mapping[str, Any]
    ) -> Statement:
        """Send a statement, or a batch in one transaction; it is done after its latency."""
        now_ms = self._now()
        ends_ms = now_ms + self.inject.draw_latency_ms(self._chance)
        number = next(self._numbers)
        # Ids are asked for without the name of a warehouse: those of two must not be the same.
        statement_id = f"{number:08x}-0000-4000-8000-{crc32(self.arn.encode()):012x}"
        is_batch = "Sqls" in asked

        def made(own_id: str, sql: str, parts: tuple[Statement, ...] = ()) -> Statement:
            return Statement(
                own_id, sql, now_ms, ends_ms, parameters, asked.get("StatementName"),
                parts=parts, asked=asked,
            )  # fmt: skip

        parts = [made(f"{statement_id}:{n}", sql) for n, sql in enumerate(sqls, 1) if is_batch]
        whole = made(statement_id, "; ".join(sqls), tuple(parts))
        for part in whole.parts or (whole,):
            self._prepare(part)
        self._statements.append(whole)
        self.settle()
        return whole

    def settle(self) -> None:
        """Run what would be done by now."""
        now_ms = self._now()
        due = [s for s in self._statements if not s.is_over and s.ends_ms <= now_ms]
        for statement in sorted(due, key=lambda each: each.ends_ms):
            self._run(statement)

    def cancel(self, statement: Statement) -> None:
        """Let nothing come of a statement that is not over."""
        for each in (statement, *statement.parts):
            each.status = Status.ABORTED
        statement.ends_ms = self._now()

    # --- inside ----------------------------------------------------------------------------------

    def _prepare(self, part: Statement) -> None:
        """Refuse what is not emulated now, and keep the objects that a COPY finds now."""
        word = first_word(part.sql)
        if word in READING:
            self._database.require()
        if word == "COPY" and not names_in(part.sql):
            try:
                self._loads[part.id] = texts(copy_of(part.sql), self._objects.under)
            except LoadFailed as error:
                part.error = str(error)

    def _run(self, statement: Statement) -> None:
        parts = statement.parts or (statement,)
        try:
            with self._database.transaction():
                self._admit(statement)
                for part in parts:
                    self._execute(part)
                    part.status = Status.FINISHED
        except SqlRefused as error:
            statement.status, statement.error = Status.FAILED, f"ERROR: {error}"
            _end_parts(statement)
        else:
            statement.status = Status.FINISHED
        for part in parts:
            self._loads.pop(part.id, None)

    def _admit(self, statement: Statement) -> None:
        if self._failures:
            raise SqlRefused(self._failures.pop(0))
        database = statement.asked.get("Database")
        if database != self.database:
            raise SqlRefused(f'FATAL: database "{database}" does not exist')

    def _execute(self, part: Statement) -> None:
        if part.error is not None:
            raise SqlRefused(part.error)
        word = first_word(part.sql)
        if word == "COPY" and names_in(part.sql):
            # A COPY cannot be prepared, and only what can be has parameters.
            raise SqlRefused('syntax error at or near "$1"')
        if word in IDLE or not self._database.is_there:
            return
        if word == "COPY":
            part.row_count = self._database.load(copy_of(part.sql), self._loads[part.id])
            return
        sql = for_duckdb(with_parameters(part.sql, part.parameters), from_ms(part.at_ms))
        if word in READING:
            part.result = self._database.read(sql)
            part.row_count = len(part.result.rows)
        else:
            part.row_count = self._database.run(sql)


def _end_parts(statement: Statement) -> None:
    """After a failure: the first part that is not done has failed, later ones are not begun."""
    waiting = [part for part in statement.parts if not part.is_over]
    for number, part in enumerate(waiting):
        part.status = Status.ABORTED if number else Status.FAILED
        part.error = None if number else statement.error
