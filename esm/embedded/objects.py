"""Objects of buckets, as a service reads them that loads files from S3."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from esm.embedded.api import ApiError

_SERVICE = "s3"


class Objects(Protocol):
    """What a service reads that loads files from S3."""

    def under(self, bucket: str, prefix: str) -> list[tuple[str, bytes]]:
        """Key and body of the objects whose keys begin like this, in the order of their keys.

        Raises ApiError where S3 answers an error.
        """


class ObjectReader:
    """Reads what boto3 would find, and what is kept elsewhere.

    `kept` gives key and body of what a bucket has that boto3 does not find, None for all others.
    `guarded`: inside, no call leaves the Harness. `in_real_time`: inside, types of time are real.
    """

    def __init__(
        self,
        kept: Callable[[str], Sequence[tuple[str, bytes]] | None],
        guarded: Callable[[], AbstractContextManager[object]],
        in_real_time: Callable[[], AbstractContextManager[object]],
        region: str,
    ) -> None:
        self._kept = kept
        self._guarded = guarded
        self._in_real_time = in_real_time
        self._region = region
        self._made: Any = None

    def under(self, bucket: str, prefix: str) -> list[tuple[str, bytes]]:
        """Key and body of the objects whose keys begin like this, in the order of their keys.

        Raises ApiError where S3 answers an error, EndpointError E501 for a bucket that is nowhere.
        """
        kept = self._kept(bucket)
        if kept is not None:
            latest = dict(kept)
            return sorted((k, body) for k, body in latest.items() if k.startswith(prefix))
        from botocore.exceptions import ClientError

        try:
            with self._guarded():
                return self._fetched(bucket, prefix)
        except ClientError as error:
            answer = error.response
            status = int(answer["ResponseMetadata"]["HTTPStatusCode"])
            raise ApiError(answer["Error"]["Code"], answer["Error"]["Message"], status) from error

    def _fetched(self, bucket: str, prefix: str) -> list[tuple[str, bytes]]:
        client = self._client()
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = [found["Key"] for page in pages for found in page.get("Contents", ())]
        return [(key, client.get_object(Bucket=bucket, Key=key)["Body"].read()) for key in keys]

    def _client(self) -> Any:
        if self._made is None:
            with self._in_real_time():
                from boto3.session import Session

                self._made = Session(region_name=self._region).client(_SERVICE)
        return self._made
