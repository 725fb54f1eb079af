"""The Redshift Data API over warehouses in memory.

https://docs.aws.amazon.com/redshift-data/latest/APIReference/Welcome.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from esm.embedded.api import ApiError
from esm.embedded.redshift_results import result_of
from esm.embedded.redshift_sql import names_in
from esm.embedded.redshift_statements import Statement, Status
from esm.embedded.redshift_warehouse import Warehouse
from esm.errors import EndpointError
from esm.instants import from_ms

Params = Mapping[str, Any]
Answer = dict[str, Any]

_NS_PER_MS = 1_000_000
_TOKEN_MS = 8 * 3_600_000  # a ClientToken is remembered for eight hours
_PAGE = 100
_PLACE = frozenset({"ClusterIdentifier", "WorkgroupName", "Database", "SecretArn", "DbUser"})
_SENDING = _PLACE | {"StatementName", "ClientToken"}
_ECHOED = ("ClusterIdentifier", "WorkgroupName", "Database", "SecretArn", "DbUser")


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation, and the parameters whose meaning it has."""

    run: Callable[[RedshiftDataApi, Params, int], Answer]
    parameters: frozenset[str]


class RedshiftDataApi:
    """The operations over `warehouses`, by name; they may be added to the mapping later."""

    service = "redshift-data"
    checks_parameters = False

    def __init__(self, warehouses: Mapping[str, Warehouse]) -> None:
        self._warehouses = warehouses

    @property
    def resources(self) -> list[str]:
        """The names of the warehouses."""
        return list(self._warehouses)

    def asked_for(self, params: Params) -> str | None:
        """The cluster or workgroup that a call names."""
        name = params.get("ClusterIdentifier") or params.get("WorkgroupName")
        return None if name is None else str(name)

    def owns(self, operation: str, params: Params) -> bool:
        """Whether there are warehouses here: then these are all that there are."""
        return bool(self._warehouses)

    def handle(self, operation: str, params: Params, now_ms: int) -> Answer:
        """Do one call. Raises ApiError where AWS would answer an error."""
        known = OPERATIONS.get(operation)
        unknown = [name for name in params if known and name not in known.parameters]
        if known is None or unknown:
            what = f"{operation}'s parameter {unknown[0]}" if unknown else operation
            raise EndpointError(
                "E502",
                f"the embedded Redshift does not know {what} yet",
                why="not emulated",
                fix=f"leave {unknown[0]} out" if unknown else f"one of: {', '.join(OPERATIONS)}",
            )
        return known.run(self, params, now_ms)

    def remedy(self, params: Params) -> str:
        """The line of a test that makes the warehouse."""
        return f'esm.redshift("{self.asked_for(params) or "warehouse"}")'

    # --- operations ------------------------------------------------------------------------------

    def execute(self, params: Params, now_ms: int) -> Answer:
        """ExecuteStatement."""
        parameters = {p["name"]: p["value"] for p in params.get("Parameters", ())}
        return self._send(params, [params["Sql"]], parameters, now_ms)

    def batch_execute(self, params: Params, now_ms: int) -> Answer:
        """BatchExecuteStatement: one transaction."""
        return self._send(params, list(params["Sqls"]), {}, now_ms)

    def describe(self, params: Params, now_ms: int) -> Answer:
        """DescribeStatement."""
        _, statement = self._find(params["Id"])
        answer = _described(statement)
        asked = statement.asked
        answer |= {name: asked[name] for name in _ECHOED if name in asked}
        if statement.parts:
            answer["SubStatements"] = [_described(part) for part in statement.parts]
        if statement.parameters:
            answer["QueryParameters"] = _parameters(statement)
        return answer | {"ResultFormat": "JSON"}

    def get_result(self, params: Params, now_ms: int) -> Answer:
        """GetStatementResult."""
        _, statement = self._find(params["Id"])
        if statement.result is None:
            raise ApiError(
                "ResourceNotFoundException",
                "Query does not have result. Please check query status with DescribeStatement.",
                more={"ResourceId": statement.id},
            )
        return result_of(statement.result)

    def list_statements(self, params: Params, now_ms: int) -> Answer:
        """ListStatements: the newest first, only those that are finished unless told."""
        wanted = params.get("Status", Status.FINISHED)
        prefix = params.get("StatementName", "")
        found = [
            statement
            for warehouse in self._warehouses.values()
            for statement in warehouse.statements
            if wanted in ("ALL", statement.status) and (statement.name or "").startswith(prefix)
        ]
        found.sort(key=lambda each: (each.at_ms, each.id), reverse=True)
        start = int(params.get("NextToken", "0"))
        end = start + params.get("MaxResults", _PAGE)
        more = {"NextToken": str(end)} if end < len(found) else {}
        return {"Statements": [_listed(statement) for statement in found[start:end]], **more}

    def cancel(self, params: Params, now_ms: int) -> Answer:
        """CancelStatement: nothing comes of a statement that is not over."""
        warehouse, statement = self._find(params["Id"])
        if statement.is_over:
            raise ApiError(
                "ValidationException",
                f"Could not cancel a query that is already in {statement.status} state "
                f"with ID: {statement.id}",
            )
        warehouse.cancel(statement)
        return {"Status": True}

    # --- inside ----------------------------------------------------------------------------------

    def _send(
        self, params: Params, sqls: list[str], parameters: dict[str, str], now_ms: int
    ) -> Answer:
        warehouse = self._named(params)
        fault = warehouse.inject.take()
        if fault is not None:
            raise fault
        if "Database" not in params:
            raise ApiError("ValidationException", "Database is required.")
        for name in sorted(set().union(*map(names_in, sqls)) - parameters.keys()):
            raise ApiError("ValidationException", f"Cannot find parameter: {name}")
        token = params.get("ClientToken")
        statement = _sent_before(warehouse, token, params, now_ms)
        if statement is None:
            statement = warehouse.submit(sqls, parameters, dict(params))
            if token is not None:
                warehouse.tokens[token] = statement
        echoed = {name: params[name] for name in _ECHOED if name in params}
        return {"Id": statement.id, "CreatedAt": from_ms(statement.at_ms), **echoed}

    def _named(self, params: Params) -> Warehouse:
        if ("ClusterIdentifier" in params) is ("WorkgroupName" in params):
            message = "Exactly one of ClusterIdentifier and WorkgroupName is required."
            raise ApiError("ValidationException", message)
        warehouse = self._warehouses.get(str(self.asked_for(params)))
        if warehouse is None:
            message = "Redshift endpoint doesn't exist in this region."
            raise ApiError("ValidationException", message)
        return warehouse

    def _find(self, statement_id: str) -> tuple[Warehouse, Statement]:
        """A statement or a part of one, by its id, as it is now."""
        for warehouse in self._warehouses.values():
            for statement in warehouse.statements:
                for each in (statement, *statement.parts):
                    if each.id == statement_id:
                        return warehouse, each
        raise ApiError(
            "ResourceNotFoundException",
            "Query does not exist.",
            more={"ResourceId": statement_id},
        )


OPERATIONS: Mapping[str, Operation] = {
    "ExecuteStatement": Operation(RedshiftDataApi.execute, _SENDING | {"Sql", "Parameters"}),
    "BatchExecuteStatement": Operation(RedshiftDataApi.batch_execute, _SENDING | {"Sqls"}),
    "DescribeStatement": Operation(RedshiftDataApi.describe, frozenset({"Id"})),
    "GetStatementResult": Operation(RedshiftDataApi.get_result, frozenset({"Id"})),
    "ListStatements": Operation(
        RedshiftDataApi.list_statements,
        frozenset({"Status", "StatementName", "MaxResults", "NextToken"}),
    ),
    "CancelStatement": Operation(RedshiftDataApi.cancel, frozenset({"Id"})),
}


def _sent_before(
    warehouse: Warehouse, token: str | None, params: Params, now_ms: int
) -> Statement | None:
    """What a ClientToken stands for already, so that a call made again changes nothing.

    https://docs.aws.amazon.com/redshift/latest/mgmt/data-api-calling-considerations-idempotency.html
    """
    statement = warehouse.tokens.get(token or "")
    if statement is None or now_ms >= statement.at_ms + _TOKEN_MS:
        return None
    if statement.asked != params:
        raise ApiError(
            "ValidationException", f"The ClientToken {token} was used with other parameters."
        )
    return statement


def _described(statement: Statement) -> Answer:
    updated_ms = statement.ends_ms if statement.is_over else statement.at_ms
    answer: Answer = {
        "Id": statement.id,
        "Status": str(statement.status),
        "CreatedAt": from_ms(statement.at_ms),
        "UpdatedAt": from_ms(updated_ms),
        "Duration": (updated_ms - statement.at_ms) * _NS_PER_MS,
        "HasResultSet": statement.result is not None,
        "ResultRows": statement.row_count,
        "ResultSize": -1,
    }
    if not statement.parts:
        answer["QueryString"] = statement.sql
    if statement.error is not None:
        answer["Error"] = statement.error
    return answer


def _listed(statement: Statement) -> Answer:
    answer: Answer = {
        "Id": statement.id,
        "Status": str(statement.status),
        "CreatedAt": from_ms(statement.at_ms),
        "UpdatedAt": from_ms(statement.ends_ms if statement.is_over else statement.at_ms),
        "IsBatchStatement": bool(statement.parts),
        "ResultFormat": "JSON",
    }
    if statement.parts:
        answer["QueryStrings"] = [part.sql for part in statement.parts]
    else:
        answer["QueryString"] = statement.sql
    if statement.name is not None:
        answer["StatementName"] = statement.name
    if statement.parameters:
        answer["QueryParameters"] = _parameters(statement)
    return answer


def _parameters(statement: Statement) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in statement.parameters.items()]
