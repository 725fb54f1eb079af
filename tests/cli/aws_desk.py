"""A folder, an embedded AWS that others use too, and `esm` between the two."""

from __future__ import annotations

import json
from functools import cache
from itertools import count
from typing import Any

import boto3
import pytest
from replay_desk import Desk, Ended

from esm.cli.main import main
from esm.embedded.aws import EmbeddedAws

_numbers = count(1)


@cache
def _client(service: str, url: str) -> Any:
    """One for all tests: it takes its time to be made."""
    return boto3.client(
        service,
        region_name="us-east-1",
        endpoint_url=url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


class LiveDesk:
    """`esm` in a folder with an endpoint; streams and tables of its own."""

    def __init__(self, desk: Desk, aws: EmbeddedAws, capsys: pytest.CaptureFixture[str]) -> None:
        self.write = desk.write
        self.folder = desk.folder
        self.url = aws.url
        self._capsys = capsys
        self.kinesis, self.dynamodb = self.client("kinesis"), self.client("dynamodb")

    def client(self, service: str) -> Any:
        return _client(service, self.url)

    def esm(self, *arguments: str) -> Ended:
        """A command line, as it is."""
        code = main(arguments)
        out, err = self._capsys.readouterr()
        return Ended(code, out, err)

    def at(self, *arguments: str) -> Ended:
        """A command line for this endpoint."""
        return self.esm(*arguments, "--endpoint-url", self.url)

    def stream(self, shards: int = 1, name: str | None = None) -> str:
        """A stream that is there, by its name."""
        name = name or f"orders-{next(_numbers)}"
        self.kinesis.create_stream(StreamName=name, ShardCount=shards)
        return name

    def table(self, view: str | None = "NEW_AND_OLD_IMAGES") -> str:
        """A table with a key `id`, by its name."""
        name = f"accounts-{next(_numbers)}"
        stream = {"StreamEnabled": True, "StreamViewType": view} if view else None
        self.dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            **({"StreamSpecification": stream} if stream else {}),
        )
        return name

    def records(self, stream: str) -> list[dict[str, Any]]:
        """All that a stream holds, shard after shard."""
        found = []
        for shard in self.kinesis.list_shards(StreamName=stream)["Shards"]:
            iterator = self.kinesis.get_shard_iterator(
                StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            found += self.kinesis.get_records(ShardIterator=iterator)["Records"]
        return found

    def changes(self, table: str) -> list[dict[str, Any]]:
        """All that a table's stream tells."""
        streams = self.client("dynamodbstreams")
        (stream,) = streams.list_streams(TableName=table)["Streams"]
        arn = stream["StreamArn"]
        found = []
        for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
            iterator = streams.get_shard_iterator(
                StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            found += streams.get_records(ShardIterator=iterator)["Records"]
        return found


def lines(folder: Any, name: str) -> list[Any]:
    """A file of JSONL."""
    return [json.loads(line) for line in (folder / name).read_text("utf-8").splitlines()]
