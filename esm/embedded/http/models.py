"""The SageMaker runtime over HTTP: parameters in headers and path, the body as it is.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

from esm.embedded.api import ApiError
from esm.embedded.http.messages import Answer, Headers, Request, as_json, not_emulated, request_id
from esm.embedded.sagemaker import SageMakerApi
from esm.embedded.service_models import service_model
from esm.errors import EsmError

_OPERATION = "InvokeEndpoint"
PATH = re.compile(rb"/endpoints/([^/]+)/invocations")


def invoked(api: SageMakerApi, request: Request, now_ms: int) -> tuple[Answer, float]:
    """What the endpoint answers, and how many seconds later, where a latency was asked for."""
    try:
        answer = api.handle(_OPERATION, _parameters(request), now_ms)
    except (ApiError, EsmError) as error:
        return _refusal(error), 0.0
    body: bytes = answer["Body"].read()
    latency_s: float = getattr(answer, "latency_s", 0.0)
    return Answer(200, body, _headers(answer)), latency_s


def _parameters(request: Request) -> dict[str, Any]:
    found = PATH.fullmatch(request.path)
    assert found is not None, "the path has brought the request here"
    params: dict[str, Any] = {"EndpointName": unquote(found[1].decode()), "Body": request.body}
    shape = service_model(SageMakerApi.service).operation_model(_OPERATION).input_shape
    for name, member in shape.members.items():
        header = _header(member)
        if header is not None and header in request.by_name:
            params[name] = request.by_name[header].decode("latin-1")
    return params


def _headers(answer: dict[str, Any]) -> Headers:
    shape = service_model(SageMakerApi.service).operation_model(_OPERATION).output_shape
    named = ((_header(member), answer.get(name)) for name, member in shape.members.items())
    return [request_id(), *((h, str(v).encode()) for h, v in named if h and v is not None)]


def _header(member: Any) -> bytes | None:
    """The header that carries a member; None for one that is elsewhere."""
    if member.serialization.get("location") != "header":
        return None
    name: str = member.serialization["name"]
    return name.lower().encode()


def _refusal(error: ApiError | EsmError) -> Answer:
    if isinstance(error, EsmError):
        error = not_emulated(error)
    kind = (b"x-amzn-errortype", error.code.encode())
    body = as_json({"message": error.message, "Message": error.message, **error.more})
    return Answer(error.status, body, [(b"content-type", b"application/json"), kind, request_id()])
