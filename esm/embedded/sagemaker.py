"""The SageMaker runtime API over endpoints of a project's own models.

`InvokeEndpoint` takes the parameters that a botocore client was given. What a model cannot read,
or raises, is a ModelError, as it is when a container answers an error.
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html
"""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from esm.embedded.api import ApiError, Late
from esm.embedded.sagemaker_forms import JSON, answered, parsed, predictions
from esm.embedded.sagemaker_models import BadInstance, Scorer, load_model
from esm.embedded.service_faults import ServiceFaults
from esm.errors import EndpointError, InputError

Params = Mapping[str, Any]
Predict = Callable[[Any], Any]
"""Takes a parsed request (of JSON what it stands for, else bytes), gives the answer, or bytes."""

_VARIANT = "AllTraffic"  # what SageMaker calls a variant that nobody has named
_NO_TYPE = "application/octet-stream"
_KNOWN = frozenset(
    {"EndpointName", "Body", "ContentType", "Accept", "CustomAttributes", "TargetVariant",
     "InferenceId"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Call:
    """One InvokeEndpoint: when it came, and the HTTP status that answered it."""

    at_ms: int
    status: int
    content_type: str
    body: bytes
    custom_attributes: str | None = None
    target_variant: str | None = None


class SageMakerEndpoint:
    """An endpoint that serves a model file, or what a function answers.

    `calls` has every call, also those that were refused.
    """

    def __init__(self, name: str, arn: str) -> None:
        self.name = name
        self.arn = arn
        self.model: str | Path | Predict | None = None
        self.calls: list[Call] = []
        self.inject = ServiceFaults(_throttled(), _errors(self._trouble))
        self._scorer: Scorer | None = None

    def __repr__(self) -> str:
        return f"<SageMakerEndpoint {self.name}: {len(self.calls)} calls>"

    @property
    def requests(self) -> list[Any]:
        """What the model was asked, parsed, oldest first, as fresh copies."""
        return [parsed(c.body, c.content_type) for c in self.calls if c.status == 200]

    def serve(self, model: str | Path | Predict | None) -> None:
        """Answer with this model from now on; a mistake in its file is told now.

        Raises InputError E467 for what is neither a file nor a function, EndpointError E505 for a
        file that is no model.
        """
        if not (model is None or callable(model) or isinstance(model, str | Path)):
            raise InputError(
                "E467",
                f"model={model!r} is neither a file nor a function",
                fix='model="model.json", or model=lambda request: {"predictions": […]}',
            )
        scorer = Scorer(load_model(Path(model))) if isinstance(model, str | Path) else None
        self.model, self._scorer = model, scorer

    def answer(self, body: bytes, content_type: str, accept: str | None) -> tuple[str, bytes]:
        """Content type and body of the model's answer; raises ApiError ModelError."""
        try:
            request = parsed(body, content_type)
            if callable(self.model):
                return self._called(self.model, request, accept)
            scores = predictions(self._load(), request, content_type)
            return answered(scores, accept, content_type)
        except BadInstance as error:
            raise self._trouble(400, str(error)) from error

    def _called(self, model: Predict, request: Any, accept: str | None) -> tuple[str, bytes]:
        try:
            reply = model(request)
        except (BadInstance, EndpointError):
            raise
        except Exception as error:
            raise self._trouble(500, f"{type(error).__name__}: {error}") from error
        body = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
        return accept or JSON, body

    def _load(self) -> Scorer:
        if self.model is None:
            raise EndpointError(
                "E506",
                f"the endpoint {self.name} has no model here",
                why="its model is in S3, or in a registry, and only a deployment has it",
                fix="Metadata: {esm: {ModelFile: model.json}}   # at the endpoint in the template",
            )
        assert not callable(self.model)
        if self._scorer is None:
            self._scorer = Scorer(load_model(Path(self.model)))
        return self._scorer

    def _trouble(self, status: int, message: str) -> ApiError:
        """ModelError: the container's own answer, and where its log would be."""
        _, partition, _, region, account, _ = self.arn.split(":", 5)
        group = f"/aws/sagemaker/Endpoints/{self.name}"
        side = "client" if status < 500 else "server"
        return ApiError(
            "ModelError",
            f'Received {side} error ({status}) from primary with message "{message}". See '
            f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}"
            f"#logEventViewer:group={group} in account {account} for more information.",
            424,
            {
                "OriginalStatusCode": status,
                "OriginalMessage": message,
                "LogStreamArn": f"arn:{partition}:logs:{region}:{account}:log-group:{group}",
            },
        )


def _throttled() -> ApiError:
    # With status 400, which botocore takes for throttling by its code.
    # https://docs.aws.amazon.com/sagemaker/latest/APIReference/CommonErrors.html
    return ApiError("ThrottlingException", "Rate exceeded", 400)


def _errors(trouble: Callable[[int, str], ApiError]) -> dict[int, ApiError]:
    return {
        424: trouble(500, "injected"),
        500: ApiError("InternalFailure", "An internal failure occurred.", 500),
        503: ApiError(
            "ServiceUnavailable", "The service is unavailable. Try your call again.", 503
        ),
        530: ApiError("InternalDependencyException", "A dependency failed.", 530),
    }


class SageMakerApi:
    """`InvokeEndpoint` over `endpoints`, by name; they may be added to the mapping later.

    How long a call takes is drawn from `chance` where it is a range.
    """

    service = "sagemaker-runtime"
    checks_parameters = False

    def __init__(
        self,
        endpoints: Mapping[str, SageMakerEndpoint],
        chance: random.Random,
        account: str,
    ) -> None:
        self._endpoints = endpoints
        self._chance = chance
        self._account = account

    @property
    def resources(self) -> list[str]:
        """The names of the endpoints."""
        return list(self._endpoints)

    def asked_for(self, params: Params) -> str | None:
        """The endpoint's name."""
        name = params.get("EndpointName")
        return None if name is None else str(name)

    def owns(self, operation: str, params: Params) -> bool:
        """Whether there are endpoints here: then these are all that there are."""
        return bool(self._endpoints)

    def handle(self, operation: str, params: Params, now_ms: int) -> dict[str, Any]:
        """Do one call. Raises ApiError where AWS would answer an error."""
        _check(operation, params)
        endpoint = self._endpoints.get(params["EndpointName"])
        if endpoint is None:
            name = params["EndpointName"]
            raise ApiError(
                "ValidationError", f"Endpoint {name} of account {self._account} not found."
            )
        call = _call(params, now_ms)
        try:
            fault = endpoint.inject.take()
            if fault is not None:
                raise fault
            content_type, body = endpoint.answer(call.body, call.content_type, params.get("Accept"))
        except ApiError as error:
            endpoint.calls.append(replace(call, status=error.status))
            raise
        endpoint.calls.append(call)
        answer = {
            "Body": _stream(body),
            "ContentType": content_type,
            "InvokedProductionVariant": call.target_variant or _VARIANT,
        }
        return Late(answer, endpoint.inject.draw_latency_ms(self._chance) / 1_000)

    def remedy(self, params: Params) -> str:
        """The line of a test that makes the endpoint."""
        return f'esm.sagemaker("{self.asked_for(params) or "endpoint"}", model="model.json")'


def _call(params: Params, now_ms: int) -> Call:
    return Call(
        now_ms,
        200,
        params.get("ContentType", _NO_TYPE),
        _bytes_of(params["Body"]),
        params.get("CustomAttributes"),
        params.get("TargetVariant"),
    )


def _check(operation: str, params: Params) -> None:
    unknown = [name for name in params if name not in _KNOWN]
    if operation == "InvokeEndpoint" and not unknown:
        return
    what = f"{operation}'s parameter {unknown[0]}" if unknown else operation
    raise EndpointError(
        "E502",
        f"the embedded SageMaker does not know {what} yet",
        why="not emulated",
        fix=f"leave {unknown[0]} out" if unknown else "invoke_endpoint",
    )


def _bytes_of(body: Any) -> bytes:
    """A body as it is sent: bytes, text, or what a file has from here on."""
    if hasattr(body, "read"):
        body = body.read()
    return body.encode() if isinstance(body, str) else bytes(body)


def _stream(body: bytes) -> Any:
    from botocore.response import StreamingBody

    return StreamingBody(io.BytesIO(body), len(body))
