"""moto's services in process, with a state that nobody else sees.

moto keeps one state for the whole process, and a test's own `mock_aws` empties it. A world takes
its part out of there after each call, so neither that nor another world ever meets it. Nothing is
patched: a client of the world's own hands each request to moto instead of sending it.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cache
from threading import RLock
from typing import Any, Protocol

from esm.embedded.api import ApiError
from esm.errors import EndpointError

_LOCK = RLock()  # over the one state that moto has
_ACCOUNT_HEADER = "x-moto-account-id"
_BUCKETS = "bucket_accounts"  # S3's names are one space, which moto keeps beside its accounts
_TRACKED = "instances_tracked"  # and everything that was ever made, to be closed one day
INTERNAL = "esm_internal"
"""The attribute of clients whose calls are no business of a guard's."""


@dataclass(frozen=True, slots=True)
class Site:
    """The account and region that a resource is in."""

    account: str
    region: str


@dataclass(slots=True)
class _State:
    """What moto keeps: services in use with their accounts, buckets by name, what was made."""

    services: list[tuple[Any, dict[str, Any]]] = field(default_factory=list)
    buckets: dict[str, Any] = field(default_factory=dict)
    made: list[tuple[Any, list[Any]]] = field(default_factory=list)

    def close(self) -> None:
        """moto complains of objects that are thrown away unclosed."""
        for _, instances in self.made:
            for instance in instances:
                if hasattr(instance, "dispose"):
                    instance.dispose()


class Provider(Protocol):
    """Has a resource there, and what came to it; `is_read`: because somebody reads it."""

    def __call__(self, *, is_read: bool = False) -> None: ...  # noqa: D102


class MotoWorld:
    """The services of one Harness; moto is imported with the first call.

    Who makes resources holds `lock` meanwhile: a handler's threads may all be the first.
    """

    def __init__(
        self, in_real_time: Callable[[], AbstractContextManager[object]] = nullcontext
    ) -> None:
        """`in_real_time`: inside, types of time are real also for who calls from a frozen run."""
        self.lock = RLock()
        self._in_real_time = in_real_time
        self._providers: dict[str, Provider] = {}
        self._state = _State()
        self._is_entered = False
        weakref.finalize(self, self._state.close)

    def provide(self, arn: str, provider: Provider) -> None:
        """Say who has a resource there when another one needs it."""
        self._providers[arn] = provider

    def need(self, arn: str, *, is_read: bool = False) -> None:
        """Have a resource there that has been provided for."""
        self._providers[arn](is_read=is_read)

    def call(
        self, service: str, operation: str, params: Mapping[str, Any], site: Site
    ) -> dict[str, Any]:
        """Do one call. Raises ApiError where AWS would answer an error, E503 without moto."""
        from botocore.exceptions import ClientError

        with self.inside():
            client = self._client(service, site)
            try:
                answer: dict[str, Any] = client._make_api_call(operation, params)  # noqa: SLF001
            except ClientError as error:
                raise _api_error(error.response) from error
        return answer

    def _client(self, service: str, site: Site) -> Any:
        with self._in_real_time():
            if service == "sns":
                _sign_something()
            return _client(service, site)

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Inside, moto has the state of this world; E503 without moto."""
        _require_moto()
        with _LOCK:
            if self._is_entered:  # what is sent may be a file that is read by a call
                yield
                return
            others = _State()
            _take_out(others)
            _put_in(self._state)
            self._is_entered = True
            try:
                yield
            finally:
                self._is_entered = False
                _take_out(self._state)
                _put_in(others)


def _require_moto() -> None:
    try:
        import moto.core.models  # noqa: F401  (to know whether it is there)
    except ImportError as error:
        raise EndpointError(
            "E503",
            "the tables, topics, queues and buckets of a template need moto",
            why=str(error),
            fix='pip install "lambda-esm[run]"',
        ) from error


@cache
def _sign_something() -> None:
    """Let cryptography meet the real `datetime`: the first that it signs with is its only one.

    moto signs a certificate for each message of a topic, first of all in a handler's frozen time.
    """
    from datetime import UTC, datetime

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key, name, instant = (
        Ed25519PrivateKey.generate(),
        x509.Name([]),
        datetime(2026, 1, 1, tzinfo=UTC),
    )
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, instant, instant)
    builder.sign(key, None)


@cache
def _client(service: str, site: Site) -> Any:
    """A client that sends nothing: moto answers, whether or not a mock is active.

    It keeps nothing of what it is asked, so all worlds share it: making one takes its time.
    """
    from boto3.session import Session
    from botocore.config import Config
    from moto.core.botocore_stubber import BotocoreStubber

    stubber = BotocoreStubber()
    stubber.enabled = True

    def answer(event_name: str, request: Any, **others: Any) -> Any:
        request.headers[_ACCOUNT_HEADER] = site.account
        return stubber(event_name, request, **others)

    session = Session("esm", "esm", region_name=site.region)
    client = session.client(
        service,
        endpoint_url=f"https://{service}.{site.region}.amazonaws.com",
        config=Config(retries={"total_max_attempts": 1}, ignore_configured_endpoint_urls=True),
    )
    client.meta.events.register_first("before-send", answer)
    setattr(client, INTERNAL, True)
    return client


def _api_error(response: Mapping[str, Any]) -> ApiError:
    """AWS's answer, with whatever it tells beside code and message."""
    error, metadata = response["Error"], response["ResponseMetadata"]
    more = {k: v for k, v in response.items() if k not in ("Error", "ResponseMetadata")}
    status = int(metadata["HTTPStatusCode"])
    return ApiError(error["Code"], error.get("Message", ""), status, more)


def _take_out(state: _State) -> None:
    """Move what moto has into `state`."""
    from moto.core.base_backend import BackendDict
    from moto.core.model_instances import model_data

    state.services = [
        (service, dict(service.items()))
        for service in BackendDict._instances  # type: ignore[misc]  # noqa: SLF001
    ]
    for service, _ in state.services:
        if hasattr(service, _BUCKETS):
            state.buckets = getattr(service, _BUCKETS)
            setattr(service, _BUCKETS, {})
        service.clear()
    BackendDict._instances.clear()  # type: ignore[misc]  # noqa: SLF001
    models = [model for models in model_data.values() for model in models.values()]
    state.made = [(model, made) for model in models if (made := vars(model)[_TRACKED])]
    for model, _ in state.made:
        setattr(model, _TRACKED, [])


def _put_in(state: _State) -> None:
    """Move `state` into moto, which has nothing now."""
    from moto.core.base_backend import BackendDict

    for service, accounts in state.services:
        service.update(accounts)
        if hasattr(service, _BUCKETS):
            setattr(service, _BUCKETS, state.buckets)
        BackendDict._instances.append(service)  # type: ignore[misc]  # noqa: SLF001
    for model, made in state.made:
        setattr(model, _TRACKED, made)
