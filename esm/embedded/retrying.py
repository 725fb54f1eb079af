"""The attempts of one call: what botocore does with an error, and with an answer that is late.

botocore retries below the place where a guard takes its calls, so the guard asks what botocore
would ask, and each client is as patient as it is configured to be. Jitter is drawn from the run's
own chance, so that a seed gives one run.
https://docs.aws.amazon.com/boto3/latest/guide/retries.html
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from esm.embedded.api import ApiError, Late

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _HttpAnswer:
    """What botocore's checkers look at beside the parsed answer."""

    status_code: int
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""


@dataclass(frozen=True, slots=True)
class Waiting:
    """How time passes between attempts: `wait` takes seconds, and jitter comes from `chance`."""

    wait: Callable[[float], None]
    chance: random.Random


class Attempts:
    """One call of a client, made until it is answered or given up; `number` is the request's."""

    def __init__(self, client: Any, model: Any, waiting: Waiting, number: int) -> None:
        self._client = client
        self._model = model
        self._waiting = waiting
        self._number = number
        self._event = f"{model.service_model.service_id.hyphenize()}.{model.name}"
        self._context: Answer = {"retries": {}}
        self._retries = 0

    def answer(self, attempt: Callable[[], Answer]) -> Answer:
        """What the last attempt gets; raises what botocore would raise."""
        from botocore.exceptions import HTTPClientError

        while True:
            try:
                answer = attempt()
                self._pass_latency(answer)
            except HTTPClientError as error:
                if not self._waits(None, error):
                    raise
            except ApiError as error:
                refusal = self._refusal(error)
                if not self._waits(refusal, None):
                    kind = self._client.exceptions.from_code(error.code)
                    raise kind(refusal, self._model.name) from error
            else:
                return answer | {"ResponseMetadata": self._metadata(200)}

    def done(self, answer: Answer) -> None:
        """Let the client have back what retries have cost it; they have a quota."""
        if self._retries:
            self._client.meta.events.emit(
                f"after-call.{self._event}",
                http_response=_HttpAnswer(200),
                parsed=answer,
                model=self._model,
                context=self._context,
            )

    def _pass_latency(self, answer: Answer) -> None:
        """Wait for an answer as long as the client would, and no longer."""
        if not isinstance(answer, Late):
            return
        patience_s = self._client.meta.config.read_timeout
        if patience_s is not None and answer.latency_s > patience_s:
            from botocore.exceptions import ReadTimeoutError

            self._waiting.wait(patience_s)
            raise ReadTimeoutError(endpoint_url=self._client.meta.endpoint_url)
        self._waiting.wait(answer.latency_s)

    def _waits(self, refusal: Answer | None, error: Exception | None) -> bool:
        """Whether there is one more attempt; if so, the time before it has passed."""
        delay_s = self._delay_s(refusal, error)
        if delay_s is None:
            return False
        self._retries += 1
        self._waiting.wait(delay_s)
        return True

    def _delay_s(self, refusal: Answer | None, error: Exception | None) -> float | None:
        response = None
        if refusal is not None:
            response = _HttpAnswer(refusal["ResponseMetadata"]["HTTPStatusCode"]), refusal
        with _jitter_from(self._waiting.chance):
            replies = self._client.meta.events.emit(
                f"needs-retry.{self._event}",
                response=response,
                endpoint=None,
                operation=self._model,
                attempts=self._retries + 1,
                caught_exception=error,
                request_dict={"context": self._context},
            )
        delay = next((reply for _, reply in replies if reply is not None), None)
        return None if delay is None or delay is False else float(delay)

    def _refusal(self, error: ApiError) -> Answer:
        return {
            "Error": {"Message": error.message, "Code": error.code},
            "ResponseMetadata": self._metadata(error.status),
            **error.more,
        }

    def _metadata(self, status: int) -> Answer:
        request_id = f"00000000-0000-4000-8000-{self._number:012d}"
        return {
            "RequestId": request_id,
            "HTTPStatusCode": status,
            "HTTPHeaders": {"x-amzn-requestid": request_id},
            "RetryAttempts": self._retries,
        }


@contextmanager
def _jitter_from(chance: random.Random) -> Iterator[None]:
    """Inside, what is drawn from the process's chance depends on `chance` alone."""
    before = random.getstate()
    random.seed(chance.getrandbits(64))
    try:
        yield
    finally:
        random.setstate(before)
