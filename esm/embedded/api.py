"""What an embedded service looks like to those who bring it calls: a guard, later an HTTP front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class ApiError(Exception):
    """An error answer: AWS's code and message, and the HTTP status that carries it.

    `more` is what some errors tell beside these.
    """

    def __init__(
        self, code: str, message: str, status: int = 400, more: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.more = more or {}


class Late(dict[str, Any]):
    """An answer that comes after `latency_s`; a client may have lost its patience by then."""

    def __init__(self, answer: Mapping[str, Any], latency_s: float) -> None:
        super().__init__(answer)
        self.latency_s = latency_s


class EmbeddedApi(Protocol):
    """One service of AWS over things in memory; parameters and answers are botocore's."""

    @property
    def service(self) -> str:
        """boto3's name of the service."""

    @property
    def checks_parameters(self) -> bool:
        """Whether it refuses what botocore's model does not allow; if not, that is done before."""

    @property
    def resources(self) -> Sequence[str]:
        """The names of what it has, for messages."""

    def asked_for(self, params: Mapping[str, Any]) -> str | None:
        """What a call is about, in the caller's words; None when it names nothing."""

    def owns(self, operation: str, params: Mapping[str, Any]) -> bool:
        """Whether a call is about something that it has."""

    def handle(self, operation: str, params: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """Do one call. Raises ApiError where AWS would answer an error."""

    def remedy(self, params: Mapping[str, Any]) -> str:
        """The line of a test that would make a call's resource exist."""
