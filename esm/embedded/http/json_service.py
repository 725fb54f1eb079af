"""A service of ours behind AWS's JSON protocols."""

from __future__ import annotations

from typing import Any

from esm.embedded.api import ApiError, EmbeddedApi
from esm.embedded.http.messages import Answer, Request, json_answer
from esm.embedded.http.shapes import parameters
from esm.embedded.kinesis_model import violations


def answered(api: EmbeddedApi, operation: str, request: Request, now_ms: int) -> Answer:
    """Do one call. Raises ApiError and EndpointError as the service does."""
    params = checked(api.service, operation, request.body)
    return json_answer(api.handle(operation, params, now_ms))


def checked(service: str, operation: str, body: bytes) -> dict[str, Any]:
    """The parameters in a body, such as the service's model allows. Raises ApiError."""
    params = parameters(service, operation, body)
    wrong = violations(service, operation, params)
    if wrong is not None:
        raise ApiError("ValidationException", wrong)
    return params


def require_json(request: Request) -> None:
    """Raise ApiError for CBOR, which the Java SDKs speak to Kinesis unless they are told not to."""
    if "cbor" not in request.content_type:
        return
    raise ApiError(
        "SerializationException",
        f"{request.content_type} is not understood here, only JSON: set AWS_CBOR_DISABLE=1 in the "
        "environment of this client, or -Dcom.amazonaws.sdk.disableCbor=1 -Daws.cborEnabled=false",
        415,
    )
