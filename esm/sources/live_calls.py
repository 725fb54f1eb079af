"""One call of a live source: its answer in the form that is expected, or why there is none.

https://docs.aws.amazon.com/kinesis/latest/APIReference/CommonErrors.html
"""

from __future__ import annotations

import http.client
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from botocore.exceptions import ClientError

from esm.aws_failures import AWS_FAILURES, code_of, may_pass, text_of
from esm.core.messages import PollFailed, PollFailure
from esm.ports import SourceUnavailable

Answer = TypeVar("Answer")

EXPIRED_ITERATOR = "ExpiredIteratorException"
NOT_FOUND = "ResourceNotFoundException"

NO_ANSWER = "HTTP 200, and a body that is no answer"

# LimitExceededException: too many calls a second, from the control planes of streams.
_THROTTLED = frozenset(
    {
        "KMSThrottlingException", "LimitExceededException",
        "ProvisionedThroughputExceededException", "RequestLimitExceeded", "SlowDown",
        "Throttling", "ThrottledException", "ThrottlingException", "TooManyRequestsException",
    }
)  # fmt: skip
# No such stream, or no access to it.
_FATAL = frozenset(
    {
        NOT_FOUND, "AccessDenied", "AccessDeniedException", "ExpiredToken",
        "ExpiredTokenException", "IncompleteSignature", "InvalidClientTokenId",
        "InvalidSignatureException", "MissingAuthenticationToken",
        "MissingAuthenticationTokenException", "NotAuthorized", "OptInRequired",
        "SignatureDoesNotMatch", "UnrecognizedClientException",
    }
)  # fmt: skip

# What parsers raise for bodies of another form than the model's: botocore's has no error for it.
UNREADABLE = (
    AttributeError, LookupError, RecursionError, TypeError, ValueError, msgspec.DecodeError,
)  # fmt: skip


class CallFailed(Exception):
    """A call without a usable answer; `code` is AWS's, `status` HTTP's, if somebody answered."""

    def __init__(
        self, text: str, *, code: str = "", status: int = 0, is_throttled: bool = False,
        is_fatal: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(text)
        self.text = text
        self.code = code
        self.status = status
        self.is_throttled = is_throttled
        self.is_fatal = is_fatal

    @property
    def poll_failed(self) -> PollFailed:
        """What the machine is told of it."""
        if self.is_throttled:
            return PollFailed(PollFailure.THROTTLED, self.text)
        if self.code == EXPIRED_ITERATOR:
            return PollFailed(PollFailure.EXPIRED_ITERATOR, self.text)
        return PollFailed(PollFailure.UNAVAILABLE, self.text)

    @property
    def unavailable(self) -> SourceUnavailable:
        """What the run is told of it."""
        return SourceUnavailable(self.text, fatal=self.is_fatal)


def call(ask: Callable[..., dict[str, Any]], **params: Any) -> dict[str, Any]:
    """Call a method of a client once. Raises CallFailed for all that the world does."""
    try:
        return ask(**params)
    except AWS_FAILURES as error:
        raise failure_of(error) from error
    except UNREADABLE as error:
        raise CallFailed(f"an answer that boto3 cannot read: {error}", status=200) from error


def call_for(kind: type[Answer], ask: Callable[..., dict[str, Any]], **params: Any) -> Answer:
    """The same, with an answer that has what is needed of it."""
    answer = call(ask, **params)
    try:
        return msgspec.convert(answer, kind)
    except msgspec.ValidationError as error:
        # What `live_clients` has made of a body that is no object.
        text = f"an answer without what it must have: {error}" if len(answer) > 1 else NO_ANSWER
        raise CallFailed(text, status=200) from error


def failure_of(error: Exception) -> CallFailed:
    """What botocore has raised, or an exception that came as an event, as a call that failed."""
    if not isinstance(error, ClientError):
        return CallFailed(text_of(error), is_fatal=not may_pass(error))
    code = code_of(error)
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return CallFailed(
        _of_status(status) if code == str(status) else text_of(error),
        code=code,
        status=status,
        is_throttled=code in _THROTTLED or status == 429,
        is_fatal=code in _FATAL,
    )


def _of_status(status: int) -> str:
    return f"HTTP {status}: {http.client.responses.get(status, 'no reason')}"
