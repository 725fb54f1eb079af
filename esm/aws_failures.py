"""What a call of boto3 fails with, and whether the same call may succeed later.

https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
"""

from __future__ import annotations

from botocore import exceptions as botocore_errors
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.parsers import ResponseParserError

# botocore's parsers raise one of these for a body that is not what they expect: a proxy's page, a
# list in place of an object, half of an answer.
_UNREADABLE = (ResponseParserError, AttributeError, LookupError, TypeError, ValueError)
# A connection that was refused, cut, or too slow.
_OF_THE_WAY = (botocore_errors.ConnectionError, HTTPClientError)

AWS_FAILURES = (ClientError, BotoCoreError, *_UNREADABLE)
"""Everything that a call raises for what the world does; catch it around the call alone."""

# What the SDKs try again although the status is in the 400s; LimitExceededException is not among
# them: it is Kinesis' for too many calls a second, and other services' for too many resources.
_PASSING_CODES = frozenset(
    {
        *("BandwidthLimitExceeded", "PriorRequestNotComplete", "SlowDown"),
        *("ProvisionedThroughputExceededException", "RequestLimitExceeded"),
        *("RequestThrottled", "RequestThrottledException", "RequestTimeout"),
        *("RequestTimeoutException", "Throttled", "ThrottledException", "Throttling"),
        *("ThrottlingException", "TooManyRequestsException", "KMSThrottlingException"),
        *("KMSThrottled", "TransactionInProgressException"),
    }
)


def may_pass(error: Exception) -> bool:
    """Whether trying again may help: the way there, the server, or too many calls."""
    if not isinstance(error, ClientError):
        return isinstance(error, (*_OF_THE_WAY, *_UNREADABLE))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status >= 500 or status == 429 or code_of(error) in _PASSING_CODES


def code_of(error: Exception) -> str:
    """What AWS calls the mistake; "" where it was not AWS that answered.

    SQS's older name stands before the new one: `AWS.SimpleQueueService.NonExistentQueue`.
    """
    return error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else ""


def text_of(error: Exception) -> str:
    """The failure in a line: AWS's code and words, or what was wrong with the way there."""
    if isinstance(error, _UNREADABLE):
        return f"an answer that boto3 cannot read: {error}"
    if not isinstance(error, ClientError):
        return " ".join(str(error).split())
    answer = error.response.get("Error", {})
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", "")
    code, message = answer.get("Code") or status, answer.get("Message") or "no message"
    return f"{code}: {' '.join(str(message).split())}"
