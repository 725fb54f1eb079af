"""What a handler takes for the time: virtual, standing still, moved on only by its own sleeps.

freezegun stands in for clocks; it costs milliseconds to start and microseconds to move, so one
`with` covers a whole advance and every invocation only moves it. Nothing is touched before the
first invocation, and nothing stays behind.
"""

from __future__ import annotations

import datetime as datetime_module
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from threading import get_ident
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Self, cast

from esm.instants import from_ms
from esm.invokers.sleeping import SLEEPING
from esm.invokers.variables import RuntimeVariables

if TYPE_CHECKING:
    from freezegun.api import FrozenDateTimeFactory

_NS_PER_MS = 1_000_000
_NS_PER_SECOND = 1_000_000_000
_EPOCH = from_ms(0).replace(tzinfo=None)  # UTC without a zone is what freezegun moves to fastest
_MISSING = object()


class DeadlinePassed(BaseException):
    """Ends a handler inside the sleep that passes its timeout; `except Exception` misses it."""


class VirtualTime:
    """The clock of handlers.

    `with` once around many invocations; `begin` and `end` around each. Without `freeze` clocks
    stay real and only sleeps are virtual. `variables` shares its life: it is hidden at the end.
    """

    def __init__(self, *, freeze: bool = True) -> None:
        self.freeze = freeze
        self.variables = RuntimeVariables()
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
        undo, self._undo = self._undo, None
        self._entered, self._frozen, self._thread = False, None, None
        if undo is not None:
            undo.close()

    @property
    def elapsed_ms(self) -> int:
        """How long the running invocation has slept, or the last one had at its end; rounded up."""
        return -(-self._elapsed_ns // _NS_PER_MS)

    @property
    def now_ms(self) -> int:
        """The instant that handlers see."""
        return self._start_ms + self._elapsed_ns // _NS_PER_MS

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

    def _start(self, instant_ms: int) -> None:
        assert self._entered, "invocations happen inside `with`"
        with ExitStack() as undo:
            undo.callback(self.variables.hide)
            undo.enter_context(SLEEPING.use(self))
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
    undo.enter_context(
        _attribute(asyncio.BaseEventLoop, "time", lambda _loop: api.real_monotonic())
    )
    # pydantic knows datetime by identity, and loads parts of itself and of powertools' models when
    # freezegun looks through them. Its tables must be made with the real types, so they are loaded
    # now; and a model that is built while frozen has FakeDatetime fields, so that class answers.
    with real_types():
        getattr(sys.modules.get("pydantic"), "TypeAdapter", None)
    for fake, real in ((api.FakeDatetime, api.real_datetime), (api.FakeDate, api.real_date)):
        undo.enter_context(_attribute(fake, "__get_pydantic_core_schema__", _schema_of(real)))
    freezer = api.freeze_time(_naive(instant_ms))
    factory = freezer.start()
    undo.callback(freezer.stop)
    return cast("FrozenDateTimeFactory", factory)


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
        _attribute(datetime_module, "datetime", api.real_datetime),
        _attribute(datetime_module, "date", api.real_date),
    ):
        yield


def _schema_of(real: type) -> object:
    """What pydantic asks a stand-in for: the schema of the real type."""
    return staticmethod(lambda _source, handler: handler.generate_schema(real))


@contextmanager
def _attribute(owner: type | ModuleType, name: str, value: object) -> Iterator[None]:
    """Set an attribute of a class or a module for a while."""
    before = vars(owner).get(name, _MISSING)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if before is _MISSING:
            delattr(owner, name)
        else:
            setattr(owner, name, before)
