"""A function in real time: one invocation after another, answered once, whatever happens."""

from __future__ import annotations

import gc
import os
import socket
import statistics
import sys
import threading
import time
import traceback
import tracemalloc
from types import SimpleNamespace

import pytest
from living import ARN, Answer, deadline_of, threads_end, until

from esm.errors import HandlerError
from esm.invokers import live
from esm.invokers.execution_environment import told_of_pauses
from esm.invokers.exiting import RuntimeExited
from esm.invokers.inline import Function, InlineInvoker
from esm.invokers.invocation import NotReached
from esm.invokers.live import MOST_LEFT_BEHIND
from esm.invokers.response import HandlerIsAsync, NotSerialisable
from esm.invokers.side_by_side import SIDE_BY_SIDE
from esm.invokers.virtual_time import DeadlinePassed, VirtualTime
from esm.ports import FunctionResult, TaskTimedOut

# --- one invocation ------------------------------------------------------------------------------


def test_a_handler_gets_its_event_and_its_answer_goes_back(living):
    function = living.function(lambda event, context: {"got": event["n"]})
    result = living.ask(function, {"n": 1}).result
    assert result == FunctionResult(payload={"got": 1}, duration_ms=result.duration_ms)


def test_invocations_wait_for_each_other_in_the_order_in_which_they_came(living):
    together, seen = [], []

    def handler(event, context):
        together.append(event)
        seen.append((event, len(together)))
        time.sleep(0.001)
        together.remove(event)

    function = living.function(handler)
    for answer in [living.ask(function, n) for n in range(20)]:
        assert answer.payload is None
    assert seen == [(n, 1) for n in range(20)]


def test_the_event_is_built_in_the_functions_own_thread(living):
    places, answer = [], Answer()
    function = living.function(lambda e, c: places.append(threading.get_ident()))
    function.submit(lambda: places.append(threading.get_ident()), "id", answer)
    assert answer.payload is None
    assert places[0] == places[1] != threading.get_ident()


def test_what_the_building_of_an_event_raises_is_the_answer(living):
    function, answer = living.function(lambda e, c: "fine"), Answer()
    function.submit(lambda: {}["missing"], "id", answer)
    assert isinstance(answer.result.error, KeyError)
    assert living.ask(function).payload == "fine"


def test_the_context_tells_real_time(living):
    def handler(event, context):
        left = context.get_remaining_time_in_millis()
        time.sleep(0.02)
        return {
            "left": left,
            "passed": left - context.get_remaining_time_in_millis(),
            "rest": [context.function_name, context.aws_request_id, context.memory_limit_in_mb],
        }

    result = living.ask(living.function(handler, timeout=60, memory=512)).result
    assert 50_000 < result.payload["left"] <= 60_000
    assert 19 <= result.payload["passed"] < 10_000
    assert result.payload["rest"] == ["orders", "request-1", "512"]
    assert 20 <= result.duration_ms < 10_000


def test_the_duration_is_that_of_the_handler_and_not_of_its_import(living):
    def load():
        time.sleep(0.05)
        return lambda e, c: None

    assert living.ask(living.loaded_by(load)).result.duration_ms < 40


@pytest.mark.parametrize(
    "returned",
    [{1: ("a", None)}, None, b"", {1, 2}, float("nan"), "\ud800"],
    ids=["an object", "nothing", "bytes", "a set", "NaN", "half a character"],
)
def test_responses_are_read_as_in_virtual_time(living, returned):
    def handler(event, context):
        return returned

    with VirtualTime(freeze=False) as virtual:
        inline = InlineInvoker(handler, Function(), ARN + "orders", virtual).invoke({}, "id", 0)
    result = living.ask(living.function(handler)).result
    assert result.payload == inline.payload
    assert (type(result.error), str(result.error)) == (type(inline.error), str(inline.error))


def test_an_async_handler_is_a_function_error(living):
    async def handler(event, context):
        raise AssertionError("never runs")

    assert isinstance(living.ask(living.function(handler)).result.error, HandlerIsAsync)


# --- whatever a handler does ---------------------------------------------------------------------


def endless():
    return endless()


def ends(error):
    def handler(event, context):
        raise error

    return handler


def one_after_another(*handlers):
    left = [*handlers]
    return lambda event, context: left.pop(0)(event, context)


@pytest.mark.parametrize(
    ("handler", "kind"),
    [
        (ends(ValueError("no")), ValueError),
        (ends(SystemExit(1)), SystemExit),
        (ends(KeyboardInterrupt()), KeyboardInterrupt),
        (ends(GeneratorExit()), GeneratorExit),
        (ends(MemoryError()), MemoryError),
        (ends(DeadlinePassed()), DeadlinePassed),
        (lambda e, c: endless(), RecursionError),
        (lambda e, c: sys.exit(3), SystemExit),
        (lambda e, c: os._exit(3), RuntimeExited),
        (lambda e, c: object(), NotSerialisable),
        (lambda event: None, TypeError),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_whatever_a_handler_does_is_answered_and_the_next_one_runs(living, handler, kind):
    function = living.function(one_after_another(handler, lambda e, c: "next"))
    assert isinstance(living.ask(function).result.error, kind)
    assert living.ask(function).payload == "next"
    assert function.cold_starts == 1


def test_a_traceback_starts_at_the_users_line(living):
    def handler(event, context):
        raise RuntimeError("boom")

    error = living.ask(living.function(handler)).result.error
    assert [frame.name for frame in traceback.extract_tb(error.__traceback__)] == ["handler"]


def test_an_import_that_fails_is_a_function_error_each_time(living):
    living.write(orders__app="import os\nos.environ['BROKEN'] and 1 / 0\ndef handler(e, c): pass")
    function = living.folder_of("orders", environment={"BROKEN": "yes"})
    for _ in range(2):
        error = living.ask(function).result.error
        assert isinstance(error, HandlerError)
        assert error.esm_code == "E302"
    assert function.cold_starts == 2


def test_an_import_that_works_the_second_time_is_not_done_again(living):
    handlers = [lambda e, c: "works"]

    def load():
        if len(handlers) == 1:
            handlers.append(handlers[0])
            raise OSError("not yet")
        return handlers[0]

    function = living.loaded_by(load)
    assert isinstance(living.ask(function).result.error, OSError)
    assert [living.ask(function).payload for _ in range(3)] == ["works"] * 3
    assert function.cold_starts == 2


# --- timeouts ------------------------------------------------------------------------------------


def test_an_invocation_in_time_is_left_alone(living):
    go_on = threading.Event()
    function = living.function(lambda e, c: go_on.wait(5), timeout=60)
    answer = living.ask(function)
    deadline_ms = until(lambda: deadline_of(function))
    function.expire(deadline_ms - 1)
    assert not answer.is_there
    assert function.deadline_ms == deadline_ms
    assert deadline_ms - living.now_ms() == pytest.approx(60_000, abs=5_000)
    go_on.set()
    assert answer.payload is True
    assert function.deadline_ms is None


def test_before_it_starts_its_deadline_is_not_earlier_than_told(living):
    go_on = threading.Event()
    function = living.loaded_by(lambda: go_on.wait(5) and (lambda e, c: c._deadline_ms))
    answer = living.ask(function)
    told_ms = function.deadline_ms
    function.expire(told_ms)  # a slow import is not the invocation's time
    go_on.set()
    assert answer.payload >= told_ms


def in_a_loop(event, context):
    while True:
        pass


def in_sleep(event, context):
    time.sleep(0.2)


def in_a_system_call(event, context):
    event.recv(1)


def deaf(event, context):
    try:
        while True:
            time.sleep(0.001)
    except BaseException:
        return "fine"


@pytest.mark.parametrize("handler", [in_a_loop, in_sleep, in_a_system_call, deaf])
def test_at_its_timeout_an_invocation_is_answered_and_the_next_is_a_cold_start(living, handler):
    mine, others = socket.socketpair()
    with threads_end(), mine, others:
        function = living.function(one_after_another(handler, lambda e, c: "next"), timeout=7)
        answer = living.ask(function, mine)
        living.time_out(function)
        assert answer.is_there  # at once
        assert answer.result.timed_out
        assert answer.result.duration_ms == 7_000
        assert isinstance(answer.result.error, TaskTimedOut)
        assert living.ask(function).payload == "next"
        assert function.cold_starts == 2
        others.send(b"x")  # lets the one that waits in C code go
        function.stop()


def test_what_was_queued_behind_it_runs_in_the_new_environment(living):
    go_on = threading.Event()
    function = living.function(lambda e, c: go_on.wait(5) if e == "stuck" else e)
    first, *others = [living.ask(function, e) for e in ("stuck", 1, 2)]
    living.time_out(function)
    assert first.result.timed_out
    assert [each.payload for each in others] == [1, 2]
    go_on.set()


def test_what_ends_later_than_its_timeout_timed_out(living, monkeypatch):
    monkeypatch.setattr(live.Stopwatch, "elapsed_ms", lambda watch: 3_001)
    result = living.ask(living.function(lambda e, c: "late", timeout=3)).result
    assert (result.timed_out, result.payload, result.duration_ms) == (True, None, 3_000)


def test_with_too_many_left_behind_it_is_not_invoked_until_one_ends(living):
    doors = [threading.Lock() for _ in range(MOST_LEFT_BEHIND)]
    for door in doors:
        door.acquire()
    function = living.function(lambda e, c: doors[e].acquire() if e is not None else "fine")
    for n in range(MOST_LEFT_BEHIND):
        answer = living.ask(function, n)
        queued = living.ask(function, None) if n == MOST_LEFT_BEHIND - 1 else None
        living.time_out(function)
        assert answer.result.timed_out
    for each in (queued, living.ask(function, None)):
        assert each.result.throttled
        assert isinstance(each.result.error, NotReached)
        assert str(each.result.error) == (
            "5 invocations of orders go on after their timeout:"
            " it is not invoked before one of them ends"
        )
    assert function.deadline_ms is None
    doors[0].release()
    until(lambda: not function._left_behind[0].is_alive())
    assert living.ask(function, None).payload == "fine"
    for door in doors[1:]:
        door.release()


def test_who_debugs_has_all_the_time(living):
    prompt, go_on = SimpleNamespace(), threading.Event()
    exec("def wait(go_on): go_on.wait(5)", {"__name__": "pdb"}, vars(prompt))
    function = living.function(lambda e, c: prompt.wait(go_on) or "debugged")
    answer = living.ask(function)
    until(lambda: deadline_of(function) and function._environment.is_debugged())
    living.time_out(function)
    assert not answer.is_there
    go_on.set()
    assert answer.payload == "debugged"


# --- the end -------------------------------------------------------------------------------------


def test_stopping_answers_what_is_queued_and_lets_end_what_runs(living):
    begun, go_on = threading.Event(), threading.Event()

    def handler(event, context):
        begun.set()
        return go_on.wait(5)

    with threads_end():
        function = living.function(handler)
        first, second = living.ask(function), living.ask(function)
        assert begun.wait(5)
        function.stop()
        assert second.result.throttled
        assert str(second.result.error) == "orders has been stopped"
        assert living.ask(function).result.throttled
        assert function.deadline_ms is not None
        go_on.set()
        assert first.payload is True


def test_a_function_that_was_never_asked_can_be_stopped_twice(living):
    function = living.function(lambda e, c: None)
    assert SIDE_BY_SIDE.is_in_place
    function.stop()
    function.stop()
    assert not SIDE_BY_SIDE.is_in_place


def test_two_thousand_errors_in_a_row_leave_nothing_behind(living):
    errors: list[BaseException] = []

    def handler(event, context):
        batch = bytearray(20_000)
        raise ValueError(len(batch))

    function = living.function(handler)

    def fail(times: int) -> None:
        asked = [living.ask(function, {"n": n}) for n in range(times)]
        errors.extend(answer.result.error for answer in asked)
        living._answers.clear()

    fail(50)
    threads = threading.active_count()
    gc.collect()
    tracemalloc.start()
    try:
        for _ in range(20):
            fail(100)
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert threading.active_count() == threads
    assert held < 2_000_000  # 2,050 of those batches would be 40 MB
    kept = [n for n, error in enumerate(errors) if error.__traceback__ is not None]
    assert kept == [0, 2046, 2047, 2048, 2049]


def test_forty_functions_that_hang_do_not_slow_another_one_down(living):
    go_on = threading.Event()
    other = living.function(lambda e, c: "quick", name="quick")

    def latency_s() -> float:
        def once() -> float:
            start = time.perf_counter()
            assert living.ask(other).payload == "quick"
            return time.perf_counter() - start

        return statistics.median(once() for _ in range(200))

    latency_s()
    alone_s = latency_s()
    hanging = [living.function(lambda e, c: go_on.wait(9), name=f"f{n}") for n in range(40)]
    answers = [living.ask(each) for each in hanging]
    for each in hanging:
        until(lambda f=each: deadline_of(f))
    beside_s = min(latency_s() for _ in range(3))
    assert not any(answer.is_there for answer in answers)
    go_on.set()
    assert all(answer.payload for answer in answers)
    assert beside_s < 2 * alone_s + 0.001


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_is_queued_for_an_environment_that_dies_is_answered(living):
    """Whatever it dies of, such as a line that cannot be written when an invocation ends."""
    begins = threading.Event()

    def unwritable() -> None:
        raise BrokenPipeError

    function, answers = living.function(lambda e, c: "fine"), [Answer() for _ in range(3)]
    with told_of_pauses(unwritable):
        for answer in answers:
            function.submit(lambda: begins.wait(10), "id", answer)
        thread = function._environment.thread
        begins.set()
        first, *others = [answer.result for answer in answers]
        thread.join(10)  # what it has died of is told after it has answered
    assert first.payload == "fine"
    assert all(other.throttled for other in others)
    assert living.ask(function).payload == "fine"


def test_a_handler_that_never_loads_is_given_up(living):
    """Nothing may wait for it for ever, and a stop least of all."""
    loads = []

    def load():
        loads.append(None)
        while len(loads) == 1:
            time.sleep(0.001)
        return lambda event, context: "fine"

    function = living.loaded_by(load, timeout=3)
    answer = living.ask(function)
    until(lambda: loads and function._environment.loaded_by_ms)
    deadline_ms = function.deadline_ms
    assert deadline_ms > living.now_ms() + 3_000
    function.expire(deadline_ms - 1)
    assert not answer.is_there
    function.expire(deadline_ms)
    assert answer.result.timed_out
    assert living.ask(function).payload == "fine"
