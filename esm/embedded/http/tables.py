"""DynamoDB over HTTP: tables are moto's, and each that has a stream is one of ours, too.

Everything that writes goes through one place, in which a change comes into the stream once.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from esm.embedded.api import ApiError
from esm.embedded.dynamodb_params import completed
from esm.embedded.http.json_service import checked
from esm.embedded.http.messages import Answer, Request, as_json
from esm.embedded.http.moto_server import MotoServer
from esm.embedded.http.shapes import json_of
from esm.embedded.moto_api import with_stream
from esm.embedded.moto_expiry import tables_with_ttl
from esm.embedded.moto_tables import MotoTables
from esm.embedded.moto_world import MotoWorld, Site
from esm.errors import InputError
from esm.sources.dynamodb_table import STREAM_LABEL, DynamoDbTable

SHARD_LIFE_MS = 4 * 3_600_000
"""Ours; AWS says that shards live for about four hours, and promises nothing."""
_DESCRIBING = frozenset({"CreateTable", "DescribeTable", "UpdateTable", "DeleteTable"})


class _Refused(Exception):
    """An error answer of moto's, after which all is as it was."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


class TablesFront:
    """DynamoDB of one region. `tables`, by name, are those with a stream."""

    def __init__(
        self,
        tables: dict[str, DynamoDbTable],
        moto: MotoServer,
        world: MotoWorld,
        site: Site,
        now: Callable[[], int],
    ) -> None:
        self._tables = tables
        self._moto = moto
        self._world = world
        self._site = site
        self._now = now
        self._is_used = False
        self._following = MotoTables(tables)

    def call(self, operation: str, request: Request) -> Answer:
        """Do one call; not to be called by two threads at once."""
        self._is_used = True
        params = checked("dynamodb", operation, request.body)
        made = self._made(params) if operation == "CreateTable" else None
        if (whole := completed(operation, params)) is not params:
            request = replace(request, body=as_json(whole))
        try:
            with self._world.inside(), self._following.following(operation, params):
                answer = self._moto.call_dynamodb(request)
                if answer.status >= 400:
                    raise _Refused(answer)
        except _Refused as refused:
            return refused.answer
        if operation in _DESCRIBING:
            answer = self._noted(operation, answer, made)
        return answer

    def expire(self) -> None:
        """Let Time To Live delete what has lived long enough; in the thread of `call`."""
        if not self._is_used:
            return
        now_ms = self._now()
        with self._world.inside():
            for table in tables_with_ttl(self._site):
                self._following.expire(table, now_ms)

    def roll(self) -> None:
        """Let shards give way to others; in the thread that reads them."""
        now_ms = self._now()
        for ours in list(self._tables.values()):
            if ours.record_count and ours.shards[-1].created_ms + SHARD_LIFE_MS <= now_ms:
                ours.roll_shard()

    def _made(self, params: dict[str, Any]) -> DynamoDbTable | None:
        """Our part of a new table with a stream; raises ApiError for one that AWS would refuse."""
        stream = params.get("StreamSpecification", {})
        if not stream.get("StreamEnabled"):
            return None
        keys = sorted(params.get("KeySchema", ()), key=lambda key: key["KeyType"])
        names = [key["AttributeName"] for key in keys]
        types = {
            each["AttributeName"]: each["AttributeType"]
            for each in params.get("AttributeDefinitions", ())
            if each["AttributeName"] in names
        }
        try:
            return DynamoDbTable(
                params["TableName"].rpartition("/")[2],
                names,
                stream.get("StreamViewType", ""),
                now=self._now,
                key_types=types,
            )
        except InputError as error:
            raise ApiError("ValidationException", error.message) from error

    def _noted(self, operation: str, answer: Answer, made: DynamoDbTable | None) -> Answer:
        """A description that tells our stream's ARN; what is made or deleted is so here, too."""
        described = json_of(answer.body)
        table = described.get("Table") or described["TableDescription"]
        name = table["TableName"]
        if made is not None:
            made.table_arn = table["TableArn"]
            made.arn = f"{made.table_arn}/stream/{STREAM_LABEL}"
            self._tables[name] = made
        ours = self._tables.get(name)
        if operation == "DeleteTable":
            self._tables.pop(name, None)
        if ours is None:
            return answer
        headers = [h for h in answer.headers if h[0] != b"x-amz-crc32"]
        return replace(answer, body=as_json(with_stream(described, ours.arn)), headers=headers)
