"""The table of baselines: an item for each truck, under `truck`, with all of its sensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from botocore.client import BaseClient

from models import Baselines

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
MAX_KEYS = 100
NEWER = "attribute_not_exists(truck) OR window_start < :start"


def read(dynamodb: BaseClient, table: str, trucks: Sequence[str]) -> dict[str, Baselines]:
    """The baselines of trucks; empty ones for a truck that has none yet."""
    found = {truck: Baselines() for truck in trucks}
    for start in range(0, len(trucks), MAX_KEYS):
        keys = [{"truck": {"S": truck}} for truck in trucks[start : start + MAX_KEYS]]
        asked: dict[str, Any] = {table: {"Keys": keys, "ConsistentRead": True}}
        while asked:  # DynamoDB answers in part, and with an error where it cannot answer at all
            answer = dynamodb.batch_get_item(RequestItems=asked)
            items = [_plain({"M": item}) for item in answer["Responses"][table]]
            found |= {item["truck"]: Baselines.model_validate(item) for item in items}
            asked = answer.get("UnprocessedKeys", {})
    return found


def write(dynamodb: BaseClient, table: str, baselines: Mapping[str, Baselines]) -> None:
    """Keep baselines, each unless the table has those of the same window or of a newer one."""
    for truck, each in baselines.items():
        item = {"truck": truck, **each.model_dump(mode="json", exclude_none=True)}
        try:
            dynamodb.put_item(
                TableName=table,
                Item={name: _attribute(value) for name, value in item.items()},
                ConditionExpression=NEWER,
                ExpressionAttributeValues={":start": _attribute(item["window_start"])},
            )
        except dynamodb.exceptions.ConditionalCheckFailedException:
            continue  # written already, by an earlier try or by a newer window


def _attribute(value: Any) -> dict[str, Any]:
    """As DynamoDB has it; instants are text, which sorts as they do."""
    match value:
        case str():
            return {"S": value}
        case dict():
            return {"M": {name: _attribute(member) for name, member in value.items()}}
    return {"N": repr(value)}


def _plain(attribute: Mapping[str, Any]) -> Any:
    """As the models take it, numbers as text."""
    [(kind, value)] = attribute.items()
    return {name: _plain(member) for name, member in value.items()} if kind == "M" else value
