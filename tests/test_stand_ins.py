"""What stands in for the AWS CLI answers as the AWS CLI does, where that is there to compare."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from esm.embedded.aws import EmbeddedAws

STAND_IN = Path(__file__).with_name("stand_ins") / "aws"
AWS_CLI = shutil.which("aws")
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "any",
    "AWS_SECRET_ACCESS_KEY": "any",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@pytest.fixture(scope="module")
def aws():
    with EmbeddedAws(port=0) as aws:
        yield aws


def says(aws: EmbeddedAws, *words: str, program: tuple[str, ...] = (sys.executable, str(STAND_IN))):
    done = subprocess.run(
        [*program, *words, "--endpoint-url", aws.url],
        env={"PATH": os.environ["PATH"], **CREDENTIALS},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout


def put(aws: EmbeddedAws, stream: str, *data: str) -> list[bytes]:
    """Put a record with these options; gives what the stream has then."""
    says(aws, "kinesis", "create-stream", "--stream-name", stream, "--shard-count", "1")
    says(aws, "kinesis", "put-record", "--stream-name", stream, "--partition-key", "1", *data)
    iterator = json.loads(
        says(
            aws,
            *("kinesis", "get-shard-iterator", "--stream-name", stream),
            *("--shard-id", "shardId-000000000000", "--shard-iterator-type", "TRIM_HORIZON"),
            *("--query", "ShardIterator"),
        )
    )
    records = says(aws, "kinesis", "get-records", "--shard-iterator", iterator)
    return [base64.b64decode(each["Data"]) for each in json.loads(records)["Records"]]


def test_a_blob_is_base64_as_in_version_2(aws):
    assert put(aws, "base64", "--data", "aGVsbG8=") == [b"hello"]


def test_a_blob_may_be_taken_as_it_is(aws):
    options = ("--cli-binary-format", "raw-in-base64-out", "--data", '{"id": 1}')
    assert put(aws, "raw", *options) == [b'{"id": 1}']


def test_a_blob_may_be_read_from_a_file(aws, tmp_path):
    (tmp_path / "data").write_bytes(b"\x00\xff")
    assert put(aws, "file", "--data", f"fileb://{tmp_path / 'data'}") == [b"\x00\xff"]


@pytest.mark.skipif(AWS_CLI is None, reason="there is no AWS CLI")
@pytest.mark.parametrize(
    "words",
    [
        ("kinesis", "list-streams", "--query", "StreamNames"),
        ("kinesis", "list-shards", "--stream-name", "there"),
        ("kinesis", "list-shards", "--stream-name", "there", "--query", "Shards[].ShardId"),
        ("sqs", "get-queue-url", "--queue-name", "there"),
        ("dynamodb", "list-tables"),
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_it_prints_what_the_aws_cli_prints(aws, words):
    if not json.loads(says(aws, "kinesis", "list-streams"))["StreamNames"].count("there"):
        says(aws, "kinesis", "create-stream", "--stream-name", "there", "--shard-count", "2")
        says(aws, "sqs", "create-queue", "--queue-name", "there")
    assert says(aws, *words) == says(aws, *words, program=(str(AWS_CLI),))
