"""The database of a warehouse: DuckDB in memory, which reaches neither files nor the network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from esm.embedded.redshift_copy import Copy, LoadFailed, rows
from esm.embedded.redshift_sql import literal
from esm.embedded.redshift_statements import Result
from esm.errors import EndpointError

_SCHEMA = "public"


class SqlRefused(ValueError):
    """SQL that the database refuses; the text is its reason, in one line."""


class Database:
    """One database by its name. DuckDB is optional, and connected to when it is first needed.

    `in_real_time`: inside, types of time are real.
    """

    def __init__(
        self, name: str, in_real_time: Callable[[], AbstractContextManager[object]]
    ) -> None:
        self.name = name
        self._in_real_time = in_real_time
        self._connection: Any = None

    @property
    def is_there(self) -> bool:
        """Whether DuckDB is installed."""
        if self._connection is None:
            with self._in_real_time():
                try:
                    import duckdb
                except ImportError:
                    return False
                self._connection = _connected(duckdb, self.name)
        return True

    def require(self) -> None:
        """Raise EndpointError E504 where there is no DuckDB."""
        if not self.is_there:
            raise EndpointError(
                "E504",
                "a warehouse has no rows to show without DuckDB",
                why="statements are recorded, and DuckDB would run them",
                fix='pip install "lambda-esm[warehouse]"',
            )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Inside, all or nothing is done; its temporary tables do not outlive it."""
        if not self.is_there:
            yield
            return
        self._connection.begin()
        try:
            yield
        except BaseException:
            self._connection.rollback()
            raise
        self._connection.commit()
        self._end_session()

    def run(self, sql: str) -> int:
        """Run a statement; gives how many rows it has changed, -1 where that is not said."""
        with _refusals():
            self._check_one(sql)
            answer = self._connection.execute(sql).fetchall()
        match answer:
            case [(int() as changed,)]:
                return changed
            case _:
                return -1

    def read(self, sql: str) -> Result:
        """What a SELECT finds; an instant with a zone becomes the same in UTC without."""
        self.require()
        with _refusals():
            self._check_one(sql)
            described = self._connection.execute(f"DESCRIBE {sql}").fetchall()
            columns = tuple((str(name), str(kind)) for name, kind, *_ in described)
            found = self._connection.execute(_without_zones(sql, columns)).fetchall()
        return Result(columns, tuple(found))

    def load(self, copy: Copy, bodies: Sequence[bytes]) -> int:
        """Load objects into a table, all or none; gives how many rows. Raises SqlRefused."""
        names = list(copy.columns) or self._columns_of(copy.table)
        listed = ", ".join(f'"{name}"' for name in names)
        values = ", ".join("unnest(?::VARCHAR[])" for _ in names)
        try:
            columns = rows(bodies, copy, names)
            with _refusals():
                self._connection.execute(
                    f"INSERT INTO {copy.table} ({listed}) SELECT {values}", columns
                )
        except (LoadFailed, SqlRefused) as error:
            raise SqlRefused(
                f"Load into table '{copy.table}' failed.  Check 'sys_load_error_detail' system "
                f"table for details. ({error})"
            ) from error
        return len(columns[0])

    def _check_one(self, sql: str) -> None:
        match len(self._connection.extract_statements(sql)):
            case 0:
                raise SqlRefused("syntax error at end of input")
            case 1:
                return
        raise SqlRefused("cannot insert multiple commands into a prepared statement")

    def _columns_of(self, table: str) -> list[str]:
        try:
            with _refusals():
                known = self._connection.execute(f"PRAGMA table_info({literal(table)})").fetchall()
        except SqlRefused as error:
            raise SqlRefused(f"Cannot COPY into nonexistent table {table}") from error
        return [column[1] for column in known]

    def _end_session(self) -> None:
        sql = "SELECT table_name FROM duckdb_tables() WHERE temporary"
        for (name,) in self._connection.execute(sql).fetchall():
            self._connection.execute(f'DROP TABLE temp."{name}"')


@contextmanager
def _refusals() -> Iterator[None]:
    """Inside, what DuckDB refuses is SqlRefused."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        raise SqlRefused(str(error).partition("\n")[0]) from error


def _without_zones(sql: str, columns: Sequence[tuple[str, str]]) -> str:
    zoned = [name for name, kind in columns if kind.endswith("WITH TIME ZONE")]
    if not zoned:
        return sql
    casts = ", ".join(f'"{name}"::TIMESTAMP AS "{name}"' for name in zoned)
    return f"SELECT * REPLACE ({casts}) FROM ({sql.rstrip().rstrip(';')})"  # noqa: S608


def _connected(duckdb: Any, database: str) -> Any:
    connection = duckdb.connect(
        ":memory:",
        config={
            "threads": 1,  # rows come in one order
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        },
    )
    name = '"' + database.replace('"', '""') + '"'
    for sql in (
        f"ATTACH ':memory:' AS {name}",
        f"CREATE SCHEMA {name}.{_SCHEMA}",
        f"USE {name}.{_SCHEMA}",
        "SET TimeZone = 'UTC'",
        "SELECT setseed(0.5)",  # random() is the same in every run
        "SET enable_external_access = false",
        "SET lock_configuration = true",
        # It remembers Python's types as it meets them first: now they are real.
        "SELECT TIMESTAMP '2026-01-01', DATE '2026-01-01', TIME '00:00', INTERVAL 1 day",
    ):
        connection.execute(sql).fetchall()
    return connection
