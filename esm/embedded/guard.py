"""Nothing that runs inside a Harness reaches AWS by accident.

Every call of every botocore client goes through `BaseClient._make_api_call`; while a guard is
entered it is the guard's, whenever the client was made. botocore is never imported here: when it
is not loaded yet, it is patched as soon as somebody loads it. What a client looks for when it is
made, before any call, is `esm.embedded.surroundings`; requests of others than botocore are
`esm.embedded.network`.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import update_wrapper
from itertools import count
from types import ModuleType, TracebackType
from typing import Any, Self

from esm.embedded.api import EmbeddedApi
from esm.embedded.module_finder import ModuleFinder
from esm.embedded.moto_world import INTERNAL
from esm.embedded.network import NETWORK
from esm.embedded.retrying import Attempts, Waiting
from esm.embedded.surroundings import SURROUNDINGS
from esm.errors import EndpointError
from esm.hosts import is_loopback

ApiCall = Callable[..., Any]
"""`_make_api_call` as it stands in the class: a function, or whatever a test has put there."""

_CLIENT_MODULE = "botocore.client"
_METHOD = "_make_api_call"
_GUARD = "esm_guard"


class AwsGuard:
    """A context manager, re-entrant and nestable: `apis` answer for what they have, the test's own
    mocks and loopback endpoints are left alone, everything else is E501.
    """

    def __init__(
        self,
        *apis: EmbeddedApi,
        now: Callable[[], int],
        wait: Callable[[float], None] = lambda _seconds: None,
        chance: random.Random | None = None,
        way_in: str | None = None,
    ) -> None:
        """`wait` passes the seconds before a retry, whose jitter comes from `chance`.

        `way_in` is what to do where all services are embedded, and a call would go past them.
        """
        self._way_in = way_in
        self._apis = {api.service: api for api in apis}
        self._now = now
        self._waiting = Waiting(wait, chance or random.Random(0))  # noqa: S311  (no secret)
        self._depth = 0
        self._request_numbers = count(1)
        self._hook: ApiCall | None = None
        self._finder: ModuleFinder | None = None

    def add(self, api: EmbeddedApi) -> None:
        """Let one more service answer."""
        self._apis[api.service] = api

    @property
    def is_active(self) -> bool:
        """Whether it is entered."""
        return self._depth > 0

    def __enter__(self) -> Self:
        self._depth += 1
        if self._depth == 1:
            SURROUNDINGS.enter()
            NETWORK.enter()
            module = sys.modules.get(_CLIENT_MODULE)
            if module is not None:
                self._install(module)
            else:
                self._finder = ModuleFinder(_CLIENT_MODULE, self._install)
                sys.meta_path.insert(0, self._finder)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._depth -= 1
        if self._depth:
            return
        NETWORK.leave()
        SURROUNDINGS.leave()
        self._forget_finder()
        if self._hook is not None:
            self._uninstall(self._hook)

    def _install(self, module: ModuleType) -> None:
        self._forget_finder()
        previous: ApiCall = vars(module.BaseClient)[_METHOD]

        def _make_api_call(client: Any, operation_name: str, api_params: dict[str, Any]) -> Any:
            if not self.is_active or INTERNAL in vars(client):
                return _pass_on(previous, client, operation_name, api_params)
            return self._call(previous, client, operation_name, api_params)

        self._hook = update_wrapper(_make_api_call, previous, updated=())
        vars(self._hook)[_GUARD] = self
        setattr(module.BaseClient, _METHOD, self._hook)

    def _uninstall(self, hook: ApiCall) -> None:
        """Put back what was there; a patch that came later, and stays, keeps an inert hook."""
        self._hook = None
        base = sys.modules[_CLIENT_MODULE].BaseClient
        if vars(base)[_METHOD] is hook:
            setattr(base, _METHOD, next(f for f in _layers(hook) if not _is_inert(f)))

    def _forget_finder(self) -> None:
        if self._finder is not None:
            sys.meta_path.remove(self._finder)
            self._finder = None

    # --- one call --------------------------------------------------------------------------------

    def _call(self, previous: ApiCall, client: Any, operation: str, params: dict[str, Any]) -> Any:
        api = self._apis.get(client.meta.service_model.service_name)
        if api is not None and api.owns(operation, params):
            return self._embedded(api, client, operation, params)
        if (
            self._is_answered_behind(previous)
            or _is_stubbed(client, operation)
            or _is_in_moto(client, operation)
            or is_loopback(client.meta.endpoint_url)
        ):
            return _pass_on(previous, client, operation, params)
        raise self._refusal(api, client, operation, params)

    def _is_answered_behind(self, previous: ApiCall) -> bool:
        """Whether a guard around this one, or the test's own patch, is to decide.

        A tracer that wraps botocore's function, and says so in `__wrapped__`, is no patch.
        """
        layers = list(_layers(previous))
        guards = [guard for layer in layers if (guard := _guard_of(layer)) is not None]
        if any(guard is not self and guard.is_active for guard in guards):
            return True
        botocores = vars(sys.modules[_CLIENT_MODULE])
        return getattr(layers[-1], "__globals__", None) is not botocores

    def _embedded(
        self, api: EmbeddedApi, client: Any, operation: str, params: dict[str, Any]
    ) -> dict[str, Any]:
        model = client.meta.service_model.operation_model(operation)
        hooks = _ResourceHooks(client, model) if api.service == "dynamodb" else None
        if hooks is not None:
            params = hooks.built(params)
        if not api.checks_parameters:
            _validate(model.input_shape, params)
        attempts = Attempts(client, model, self._waiting, next(self._request_numbers))
        answer = attempts.answer(lambda: api.handle(operation, params, self._now()))
        if hooks is not None:
            hooks.parsed(answer)
        else:
            attempts.done(answer)
        return answer

    def _refusal(
        self, api: EmbeddedApi | None, client: Any, operation: str, params: dict[str, Any]
    ) -> EndpointError:
        service = client.meta.service_model.service_name
        asked = api.asked_for(params) if api else None
        target = f' on "{asked}"' if asked else ""
        have = ", ".join(api.resources) if api else ""
        why = f"nothing here reaches AWS by accident; of {service} there is: {have or 'nothing'}"
        if api is not None:
            fix = api.remedy(params)
        elif self._way_in is not None:
            why, fix = "nothing here reaches AWS by accident", self._way_in
        elif _moto_is_active():
            fix = "moto.core.patch_client(client)   # made before moto was imported"
        else:
            fix = "with moto.mock_aws():   # or a botocore Stubber, or a loopback endpoint_url"
        return EndpointError(
            "E501",
            f"{service} {operation}{target} would have gone to {client.meta.endpoint_url}",
            why=why,
            fix=fix,
        )


def _pass_on(previous: ApiCall, client: Any, operation: str, params: dict[str, Any]) -> Any:
    """Call what stood in the class before, bound as Python would have bound it."""
    if hasattr(type(previous), "__get__"):
        previous = previous.__get__(client, type(client))
    return previous(operation, params)


def _layers(function: ApiCall | None) -> Iterator[ApiCall]:
    """A function and what it wraps, outermost first."""
    while function is not None:
        yield function
        function = getattr(function, "__wrapped__", None)


def _guard_of(function: ApiCall) -> AwsGuard | None:
    """Whose hook it is; a mock has every attribute that is asked for."""
    guard = getattr(function, _GUARD, None)
    return guard if isinstance(guard, AwsGuard) else None


def _is_inert(function: ApiCall) -> bool:
    guard = _guard_of(function)
    return guard is not None and not guard.is_active


class _ResourceHooks:
    """What `boto3.resource("dynamodb")` does to values on their way, in hooks of its client."""

    def __init__(self, client: Any, model: Any) -> None:
        service = client.meta.service_model.service_id.hyphenize()
        self._events = client.meta.events
        self._name = f"{service}.{model.name}"
        self._common = {"model": model, "context": {}}

    def built(self, params: dict[str, Any]) -> dict[str, Any]:
        """Parameters in the form that is sent; the caller's own stay as they are."""
        name = f"provide-client-params.{self._name}"
        provided = self._events.emit(name, params=params, **self._common)
        params = next((given for _, given in provided if given is not None), params)
        self._events.emit(f"before-parameter-build.{self._name}", params=params, **self._common)
        return params

    def parsed(self, answer: dict[str, Any]) -> None:
        """Put an answer's values into the caller's form."""
        name = f"after-call.{self._name}"
        self._events.emit(name, http_response=None, parsed=answer, **self._common)


def _validate(shape: Any, params: dict[str, Any]) -> None:
    from botocore.exceptions import ParamValidationError
    from botocore.validate import ParamValidator

    report = ParamValidator().validate(params, shape)
    if report.has_errors():
        raise ParamValidationError(report=report.generate_report())


def _handlers(client: Any, event: str, operation: str) -> Sequence[Any]:
    """Who listens to an event of this client's. botocore has no public way to ask."""
    name = f"{event}.{client.meta.service_model.service_id.hyphenize()}.{operation}"
    emitter = client.meta.events._emitter  # noqa: SLF001
    handlers: Sequence[Any] = emitter._handlers.prefix_search(name)  # noqa: SLF001
    return handlers


def _is_stubbed(client: Any, operation: str) -> bool:
    stub = sys.modules.get("botocore.stub")
    return stub is not None and any(
        isinstance(getattr(handler, "__self__", None), stub.Stubber)
        for handler in _handlers(client, "before-call", operation)
    )


def _moto_is_active() -> bool:
    moto = sys.modules.get("moto.core.models")
    return moto is not None and moto.botocore_stubber.enabled


def _is_in_moto(client: Any, operation: str) -> bool:
    """Whether moto will answer: it is active, and this client was made after it was imported."""
    if not _moto_is_active():
        return False
    stubber = sys.modules["moto.core.models"].botocore_stubber
    return any(handler is stubber for handler in _handlers(client, "before-send", operation))
