"""Deviations on their way to the second stream."""

from __future__ import annotations

from collections.abc import Sequence

from botocore.client import BaseClient

from models import Deviation

# https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
MAX_RECORDS = 500


class Refused(Exception):
    """The stream did not take all deviations; nobody knows later which, so all are sent again."""


def publish(kinesis: BaseClient, stream: str, deviations: Sequence[Deviation]) -> None:
    """Send deviations, those of a truck to one shard; raises Refused."""
    for start in range(0, len(deviations), MAX_RECORDS):
        records = [
            {"Data": each.model_dump_json().encode(), "PartitionKey": each.truck}
            for each in deviations[start : start + MAX_RECORDS]
        ]
        answer = kinesis.put_records(StreamName=stream, Records=records)
        refused = [each["ErrorCode"] for each in answer["Records"] if each.get("ErrorCode")]
        if refused:
            raise Refused(f"{len(refused)} of {len(records)} deviations, {refused[0]}")
