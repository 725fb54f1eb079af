"""The context object of Lambda's Python runtime, on virtual or real time.

https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
"""

from __future__ import annotations

import hashlib
import sys
from typing import Protocol

from esm.instants import from_ms

LATEST_VERSION = "$LATEST"


class TimeOfDay(Protocol):
    """What a function's deadline is measured by."""

    @property
    def now_ms(self) -> int:
        """Epoch milliseconds."""


class CognitoIdentity:
    """Who called through Cognito: nobody, when an event source mapping calls."""

    cognito_identity_id: str | None = None
    cognito_identity_pool_id: str | None = None


class LambdaContext:
    """What a handler gets beside its event; made anew for each invocation."""

    client_context: None = None
    tenant_id: str | None = None

    def __init__(
        self,
        *,
        function_name: str,
        function_version: str,
        invoked_function_arn: str,
        memory_mb: int,
        log_stream_name: str,
        aws_request_id: str,
        deadline_ms: int,
        time: TimeOfDay,
    ) -> None:
        self.function_name = function_name
        self.function_version = function_version
        self.invoked_function_arn = invoked_function_arn
        self.memory_limit_in_mb = str(memory_mb)
        self.aws_request_id = aws_request_id
        self.log_group_name = f"/aws/lambda/{function_name}"
        self.log_stream_name = log_stream_name
        self.identity = CognitoIdentity()
        self._deadline_ms = deadline_ms
        self._time = time

    def __repr__(self) -> str:
        return (
            f"LambdaContext(function_name={self.function_name!r},"
            f" aws_request_id={self.aws_request_id!r})"
        )

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function's timeout."""
        return max(0, self._deadline_ms - self._time.now_ms)

    def log(self, msg: object) -> None:
        """Write to the function's log, which is stdout."""
        sys.stdout.write(str(msg))

    def w3c(self) -> dict[str, str]:
        """The trace context that the caller sent: a mapping sends none."""
        return {}


def name_of(function_arn: str) -> str:
    """The function's name in its ARN."""
    return function_arn.split(":")[6]


def version_of(function_arn: str) -> str:
    """The version or alias that a qualified ARN ends with, else `$LATEST`."""
    parts = function_arn.split(":")
    return parts[7] if len(parts) > 7 else LATEST_VERSION


def log_stream_name(function_arn: str, start_ms: int, number: int = 0) -> str:
    """The log stream of the execution environment that starts now; the same in every run.

    `number` counts the environments that the function has had before.
    """
    told = f"{function_arn}#{number}" if number else function_arn
    environment = hashlib.blake2b(told.encode(), digest_size=16).hexdigest()
    return f"{from_ms(start_ms):%Y/%m/%d}/[{version_of(function_arn)}]{environment}"
