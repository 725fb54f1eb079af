"""A function in real time: a thread for its execution environment, one invocation after another.

An environment that runs into the function's timeout is thrown away, as Lambda does, and the next
invocation is a cold start. Python cannot end a thread: it is told to end, and left behind when it
does not listen, as in C code that waits.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any

from esm.clock import Stopwatch
from esm.errors import HandlerError
from esm.invokers.calling import Calls, Handler, below, call
from esm.invokers.debugging import is_debugged
from esm.invokers.execution_environment import HERE, entered, pause
from esm.invokers.inline import Function
from esm.invokers.invocation import Invocation
from esm.invokers.side_by_side import SIDE_BY_SIDE
from esm.invokers.striking import Striker
from esm.invokers.tracebacks import Tracebacks
from esm.invokers.variables import runtime_variables, set_variables
from esm.invokers.virtual_time import DeadlinePassed
from esm.ports import FunctionResult, TaskTimedOut

MOST_LEFT_BEHIND = 5
"""Threads of one function that did not end at its timeout; with so many it is not invoked."""
_LOAD_MS = 60_000
"""What a handler may take to load, beside the timeout of the invocation that waits for it. Lambda
gives it 10 s before it starts anew; ours is for machines that do more than one thing."""


_LOOK_S = 0.2
"""How often somebody who waits for that looks whether it has taken too long."""


class _Loaded(Exception):
    """There is nothing to invoke it with: it was only to be loaded."""


class LiveFunction:
    """Invokes one function, an invocation at a time; others run side by side with it.

    `load` imports the handler, in the function's own thread, at each cold start; `now` is real
    time. Safe to use from any thread.
    """

    def __init__(
        self,
        name: str,
        load: Callable[[], Handler],
        function: Function,
        function_arn: str,
        now: Callable[[], int],
    ) -> None:
        self.name = name
        self.cold_starts = 0
        self.load = load
        self.function = function
        self.now = now
        self.calls = Calls(function, function_arn, _TimeOfDay(now))
        self.waiting: SimpleQueue[Invocation | None] = SimpleQueue()
        self.tracebacks = Tracebacks()
        self._lock = Lock()
        self._unanswered: set[Invocation] = set()
        self._environment: _Environment | None = None
        self._left_behind: list[Thread] = []
        self._is_stopped = False
        SIDE_BY_SIDE.open()

    def __repr__(self) -> str:
        return f"<LiveFunction {self.name}: {len(self._unanswered)} unanswered>"

    @property
    def deadline_ms(self) -> int | None:
        """When the running invocation runs out of time; the earliest when it is about to start.

        None: there is none.
        """
        environment = self._environment
        deadline_ms = None if environment is None else environment.deadline_ms
        if deadline_ms is not None:
            return deadline_ms
        return self.now() + self.calls.timeout_ms if self._unanswered else None

    def warm_up(self) -> None:
        """Have an environment with the handler loaded, and wait for it.

        Raises what `load` raises, HandlerError E306 when that takes too long.
        """
        results: SimpleQueue[FunctionResult] = SimpleQueue()

        def no_event() -> dict[str, Any]:
            raise _Loaded

        self.submit(no_event, "", results.put)
        error = self._awaited(results).error
        if isinstance(error, TaskTimedOut):
            raise HandlerError(
                "E306",
                f"{self.name} is still loading after {_LOAD_MS // 1000} s",
                why="the code at the top of its module does not come to an end; AWS gives it 10 s",
                fix="what takes long, into the handler",
            )
        if error is not None and not isinstance(error, _Loaded):
            raise error

    def _awaited(self, results: SimpleQueue[FunctionResult]) -> FunctionResult:
        while True:
            try:
                return results.get(timeout=_LOOK_S)
            except Empty:
                self.expire(self.now())

    def submit(
        self,
        build_event: Callable[[], dict[str, Any]],
        request_id: str,
        done: Callable[[FunctionResult], None],
    ) -> None:
        """Queue an invocation; `done` is called once, by its thread or by one that calls in here.

        The event is built in the function's thread; what that raises is the invocation's error.
        """
        invocation = Invocation(build_event, request_id, done)
        with self._lock:
            reason = self._why_not()
            if reason is None:
                self._unanswered.add(invocation)
                self.waiting.put(invocation)
        if reason is not None:
            invocation.refuse(reason)

    def expire(self, now_ms: int) -> None:
        """Answer for an invocation that is past its deadline, and throw its environment away.

        One that somebody debugs has all the time.
        """
        with self._lock:
            expired = self._take_expired(now_ms)
            refused = [] if expired is None or self._can_go_on() else self._take_waiting()
        if expired is not None:
            expired.done(self.calls.timed_out())
        for invocation in refused:
            invocation.refuse(self._too_many_left_behind())

    def stop(self) -> None:
        """Begin nothing new: what is queued is answered as throttled, what runs may end."""
        with self._lock:
            if self._is_stopped:
                return
            self._is_stopped = True
            refused = self._take_waiting()
            self.waiting.put(None)
            if self._environment is None:
                SIDE_BY_SIDE.close()
        for invocation in refused:
            invocation.refuse(f"{self.name} has been stopped")

    # --- from the threads of environments ----------------------------------------------------

    def answer(self, invocation: Invocation, result: FunctionResult) -> None:
        """Give the result of an invocation that has been claimed."""
        self._unanswered.discard(invocation)
        if result.error is not None:
            self.tracebacks.keep(result.error)
        invocation.done(result)

    def ended(self, environment: _Environment) -> None:
        """The thread of an environment has nothing more to do, or has died of something.

        What is queued for it must not wait for ever: it is answered as throttled.
        """
        with self._lock:
            is_current = self._environment is environment
            if is_current:
                self._part_with(environment)
            refused = self._take_waiting() if is_current and not self._is_stopped else []
        for invocation in refused:
            invocation.refuse(f"the environment of {self.name} has ended")

    # --- with the lock held ------------------------------------------------------------------

    def _why_not(self) -> str | None:
        """Start an environment if there is none; if that cannot be, say why."""
        if self._is_stopped:
            return f"{self.name} has been stopped"
        if self._environment is not None:
            return None
        self._left_behind = [thread for thread in self._left_behind if thread.is_alive()]
        if len(self._left_behind) >= MOST_LEFT_BEHIND:
            return self._too_many_left_behind()
        self._environment = _Environment(self)
        self._environment.thread.start()
        return None

    def _too_many_left_behind(self) -> str:
        return (
            f"{MOST_LEFT_BEHIND} invocations of {self.name} go on after their timeout:"
            " it is not invoked before one of them ends"
        )

    def _take_expired(self, now_ms: int) -> Invocation | None:
        """The running invocation if its time is over, claimed; its environment is gone then."""
        environment = self._environment
        running = None if environment is None else environment.running
        deadline_ms = None if environment is None else environment.deadline_ms
        if environment is None or running is None or deadline_ms is None:
            return None
        if now_ms < deadline_ms:
            return None
        if environment.is_debugged():
            running.deadline_ms = environment.loaded_by_ms = None
            return None
        if not running.claim():
            return None
        self._unanswered.discard(running)
        environment.strike()
        self._left_behind.append(environment.thread)
        self._part_with(environment)
        return running

    def _part_with(self, environment: _Environment) -> None:
        self._environment = None
        SIDE_BY_SIDE.end(environment.own)
        if self._is_stopped:
            SIDE_BY_SIDE.close()

    def _can_go_on(self) -> bool:
        """Whether what is queued has an environment to run in."""
        return self.waiting.empty() or self._is_stopped or self._why_not() is None

    def _take_waiting(self) -> list[Invocation]:
        taken = []
        with suppress(Empty):
            while True:
                if (invocation := self.waiting.get_nowait()) is not None:
                    self._unanswered.discard(invocation)
                    taken.append(invocation)
        return taken


class _Environment:
    """One execution environment: its thread, and the handler once it is loaded."""

    def __init__(self, live: LiveFunction) -> None:
        self.running: Invocation | None = None
        self.loaded_by_ms: int | None = None
        self.own = SIDE_BY_SIDE.begin(live.name)
        self.thread = Thread(target=self._work, name=live.name, daemon=True)
        self._live = live
        self._handler: Handler | None = None
        self._striker: Striker | None = None
        self._was_struck = Lock()
        self._was_struck.acquire()

    @property
    def deadline_ms(self) -> int | None:
        """When its handler has to be loaded, or its invocation to be over."""
        running = self.running
        if running is None or running.deadline_ms is None:
            return self.loaded_by_ms
        return running.deadline_ms

    def is_debugged(self) -> bool:
        """Whether somebody sits at a debugger's prompt in it."""
        frames = sys._current_frames()  # noqa: SLF001  (documented, in spite of its name)
        return is_debugged(frames.get(self.thread.ident or 0))

    def strike(self) -> None:
        """End it. Its invocation has been claimed, so the thread waits here and is alive."""
        assert self._striker is not None
        self._striker.strike()
        self._was_struck.release()

    def _work(self) -> None:
        try:
            with suppress(DeadlinePassed), entered(self.own):
                self._striker = HERE.striker = Striker()
                self._set_variables()
                # Nothing of an invocation stays in this frame while it waits for the next one.
                while self._perform_next():
                    pass
        finally:
            self._live.ended(self)

    def _set_variables(self) -> None:
        live = self._live
        start_ms = live.now()
        live.calls.begin_environment(start_ms, live.cold_starts)
        set_variables(runtime_variables(live.calls.context("", start_ms)))
        set_variables(live.function.environment)

    def _perform_next(self) -> bool:
        """Whether the environment lives on after it."""
        invocation = self._live.waiting.get()
        if invocation is None:
            return False
        result = self._result(invocation)
        try:
            pause()
        finally:
            is_in_time = invocation.claim()
            if is_in_time:
                self.running = None
                self._live.answer(invocation, result)
        if not is_in_time:
            self._was_struck.acquire()
        return is_in_time

    def _result(self, invocation: Invocation) -> FunctionResult:
        live, payload, error = self._live, None, None
        watch = Stopwatch()
        self.running = invocation
        try:
            handler = self._loaded()
            event = invocation.build_event()
            watch, start_ms = Stopwatch(), live.now()
            context = live.calls.context(invocation.request_id, start_ms)
            invocation.deadline_ms = start_ms + live.calls.timeout_ms
            payload = call(handler, event, context)
        except BaseException as caught:
            error = caught.with_traceback(below(caught.__traceback__))
        duration_ms = watch.elapsed_ms()
        if invocation.deadline_ms is not None and duration_ms > live.calls.timeout_ms:
            return live.calls.timed_out()
        return FunctionResult(payload=payload, error=error, duration_ms=duration_ms)

    def _loaded(self) -> Handler:
        """The handler; what its import raises, each invocation meets anew, as on Lambda."""
        live = self._live
        if self._handler is None:
            live.cold_starts += 1
            self.loaded_by_ms = live.now() + _LOAD_MS + live.calls.timeout_ms
            try:
                self._handler = live.load()
            finally:
                self.loaded_by_ms = None
        return self._handler


class _TimeOfDay:
    """Real time, for what a handler has left of it."""

    __slots__ = ("_now",)

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now

    @property
    def now_ms(self) -> int:
        """Epoch milliseconds."""
        return self._now()
