"""What a handler takes for the time: virtual, standing still, moved on only by its own sleeps.

freezegun stands in for clocks; it costs milliseconds to start and microseconds to move, so one
`with` covers a whole advance and every invocation only moves it. Nothing is touched before the
first invocation, and nothing stays behind.
"""

from __future__ import annotations

import datetime as datetime_module
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timedelta
from threading import get_ident
from types import TracebackType
from typing import TYPE_CHECKING, Self

from esm.instants import from_ms
from esm.invokers.exiting import exits_are_errors
from esm.invokers.freezing import frozen
from esm.invokers.replacing import replaced
from esm.invokers.sleeping import SLEEPING
from esm.invokers.variables import RuntimeVariables

if TYPE_CHECKING:
    from freezegun.api import FrozenDateTimeFactory

_NS_PER_MS = 1_000_000
_NS_PER_SECOND = 1_000_000_000
_EPOCH = from_ms(0).replace(tzinfo=None)  # UTC without a zone is what freezegun moves to fastest
_LAZY_MODELS = (
    "aws_lambda_powertools.utilities.parser",
    "aws_lambda_powertools.utilities.parser.models",
)


class DeadlinePassed(BaseException):
    """Ends a handler inside the sleep that passes its timeout; `except Exception` misses it."""


class VirtualTime:
    """The clock of handlers.

    `with` once around many invocations; `begin` and `end` around each. Without `freeze` clocks
    stay real and only sleeps are virtual. `variables` shares its life: it is hidden at the end.
    `busy_ms` tells how long a handler works in reality, where that counts.
    """

    def __init__(self, *, freeze: bool = True) -> None:
        self.freeze = freeze
        self.variables = RuntimeVariables()
        self.busy_ms: Callable[[], int] | None = None
        self._start_ms = 0
        self._elapsed_ns = 0
        self.timed_out = False
        self._timeout_ns: int | None = None
        self._thread: int | None = None
        self._frozen: FrozenDateTimeFactory | None = None
        self._undo: ExitStack | None = None
        self._entered = False

    def __enter__(self) -> Self:
        assert not self._entered, "virtual time does not nest within itself"
        self._entered = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if self._undo is not None:
                self._undo.close()
        finally:
            self._undo, self._frozen, self._thread = None, None, None
            self._entered = False

    @property
    def elapsed_ms(self) -> int:
        """How long the running invocation takes so far, or the last one did; rounded up."""
        return self._busy_ms() - (-self._elapsed_ns // _NS_PER_MS)

    @property
    def now_ms(self) -> int:
        """The instant that handlers see."""
        return self._start_ms + self._elapsed_ns // _NS_PER_MS + self._busy_ms()

    def begin(self, start_ms: int, timeout_ms: int | None = None) -> None:
        """An invocation starts in this thread, and may last `timeout_ms`."""
        if self._undo is None:
            self._start(start_ms)
        self._start_ms = start_ms
        self._elapsed_ns = 0
        self.timed_out = False
        self._timeout_ns = None if timeout_ms is None else timeout_ms * _NS_PER_MS
        self._thread = get_ident()
        if self._frozen is not None:
            self._frozen.move_to(_naive(start_ms))

    def end(self) -> None:
        """The invocation is over: sleeps are real again until the next one begins."""
        self._thread = None

    def runs_here(self) -> bool:
        """Whether the calling thread is in an invocation."""
        return self._thread == get_ident()

    def sleep(self, seconds: float) -> None:
        """Pass the time of a handler; from its timeout on, raise DeadlinePassed."""
        self._elapsed_ns += round(seconds * _NS_PER_SECOND)
        if self._timeout_ns is not None and self._elapsed_ns > self._timeout_ns:
            self._elapsed_ns = self._timeout_ns
            self.timed_out = True
        if self._frozen is not None:
            slept = timedelta(microseconds=self._elapsed_ns // 1000)
            self._frozen.move_to(_naive(self._start_ms) + slept)
        if self.timed_out:
            raise DeadlinePassed

    def expire(self) -> None:
        """The invocation's time is over: raise DeadlinePassed."""
        self.timed_out = True
        raise DeadlinePassed

    def _busy_ms(self) -> int:
        return 0 if self.busy_ms is None else self.busy_ms()

    def _start(self, instant_ms: int) -> None:
        assert self._entered, "invocations happen inside `with`"
        with ExitStack() as undo:
            undo.callback(self.variables.hide)
            undo.enter_context(SLEEPING.use(self))
            undo.enter_context(exits_are_errors(self.runs_here))
            if self.freeze:
                self._frozen = _start_freezegun(undo, instant_ms)
            self._undo = undo.pop_all()


def _naive(instant_ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=instant_ms)


def _start_freezegun(undo: ExitStack, instant_ms: int) -> FrozenDateTimeFactory:
    """Freeze clocks at an instant; `undo` takes it back."""
    # Imported here: a run without handlers' time never pays for it.
    import asyncio

    from freezegun import api

    # An event loop under a frozen monotonic clock waits for ever. freezegun's own switch for it
    # does nothing inside a freeze of the user's, so the loop gets its clock from here.
    undo.enter_context(replaced(asyncio.BaseEventLoop, "time", lambda _loop: api.real_monotonic()))
    # A model that is built while frozen has FakeDatetime fields, so that class answers pydantic.
    _load_lazy_models()
    undo.callback(_load_lazy_models)  # those that came meanwhile
    for fake, real in ((api.FakeDatetime, api.real_datetime), (api.FakeDate, api.real_date)):
        undo.enter_context(replaced(fake, "__get_pydantic_core_schema__", _schema_of(real)))
    return undo.enter_context(frozen(_naive(instant_ms)))


def _load_lazy_models() -> None:
    """Have pydantic's tables, and powertools' models, made with the real types.

    They are loaded when somebody looks through the modules, as a freeze of the user's own does:
    under frozen types that fails, and leaves time frozen.
    """
    with real_types():
        getattr(sys.modules.get("pydantic"), "TypeAdapter", None)
        for module in filter(None, map(sys.modules.get, _LAZY_MODELS)):
            for name in dir(module):
                with suppress(Exception):  # an extra is not installed: who needs it will hear of it
                    getattr(module, name, None)


@contextmanager
def real_types() -> Iterator[None]:
    """Let `datetime` be itself inside a freeze of the user's, for an import that remembers it.

    pydantic keeps tables of types by identity: loaded while time is frozen, it would know
    freezegun's stand-ins for the rest of the process, and the real types never more.
    """
    api = sys.modules.get("freezegun.api")
    if api is None or not api.freeze_factories:
        yield
        return
    with (
        replaced(datetime_module, "datetime", api.real_datetime),
        replaced(datetime_module, "date", api.real_date),
    ):
        yield


def _schema_of(real: type) -> object:
    """What pydantic asks a stand-in for: the schema of the real type."""
    return staticmethod(lambda _source, handler: handler.generate_schema(real))
