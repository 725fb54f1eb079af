"""A handler that works, rather than sleeps, for longer than its Timeout is ended in reality."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from threading import Thread
from typing import Any

import pytest

from esm.cli.watchdog import watched
from esm.invokers.context import LambdaContext
from esm.invokers.inline import Function, InlineInvoker
from esm.invokers.virtual_time import VirtualTime
from esm.ports import FunctionResult, TaskTimedOut

ARN = "arn:aws:lambda:us-east-1:123456789012:function:orders"
SOON = 0.05


def invoked(handler: Callable[[object, LambdaContext], object], seconds: float) -> FunctionResult:
    """An invocation of a function with a Timeout of 1 s, ended in reality after `seconds`."""
    with VirtualTime(freeze=False) as time, watched(time, seconds, grace_seconds=60):
        return InlineInvoker(handler, Function(timeout=1), ARN, time).invoke({}, "id", 0)


def for_ever(event: object, context: object) -> None:
    while True:
        pass


def test_computing_for_ever_is_a_timeout():
    result = invoked(for_ever, SOON)
    assert result.timed_out
    assert isinstance(result.error, TaskTimedOut)


def test_catching_every_exception_does_not_help():
    def handler(event: object, context: object) -> str:
        try:
            for_ever(event, context)
        except BaseException:
            return "still here"

    assert invoked(handler, SOON).timed_out


def test_work_counts_towards_the_remaining_time():
    def handler(event: object, context: LambdaContext) -> int:
        rounds = 0
        while context.get_remaining_time_in_millis() > 980:
            rounds += 1
        return rounds

    assert invoked(handler, 60).payload > 0


def test_work_and_sleep_count_together():
    def handler(event: object, context: LambdaContext) -> None:
        import time

        while context.get_remaining_time_in_millis() > 980:
            pass
        time.sleep(0.99)

    assert invoked(handler, 60).timed_out


def test_outside_the_main_thread_work_counts_too():
    results: list[FunctionResult] = []
    thread = Thread(target=lambda: results.append(invoked(lambda e, c: "done", 60)))
    thread.start()
    thread.join()
    assert [result.payload for result in results] == ["done"]


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="signals of POSIX")
def test_somebody_at_a_debugger_has_all_the_time():
    """Frames of pdb are on the stack while it waits, and it is over after that."""

    def ring() -> None:
        signal.raise_signal(signal.SIGALRM)

    def handler(event: object, context: object) -> str:
        prompt["interaction"]()
        ring()
        return "later"

    prompt: dict[str, Any] = {"__name__": "pdb", "ring": ring}
    exec("def interaction():\n    ring()", prompt)
    result = invoked(handler, 60)
    assert (result.payload, result.timed_out) == ("later", False)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize(
    ("handler", "said"),
    [
        (
            """
            while True:
                try:
                    while True:
                        pass
                except BaseException:
                    pass
            """,
            "TaskTimedOut: Task timed out after 0.05 seconds\n",
        ),
        ("import itertools; sum(itertools.repeat(0))", "Timeout (0:00:00.15"),
    ],
    ids=["it catches everything", "it holds the interpreter's lock"],
)
def test_what_is_deaf_to_the_alarm_ends_with_the_process(handler: str, said: str):
    script = f"""
from esm.cli.watchdog import watched
from esm.invokers.inline import Function, InlineInvoker
from esm.invokers.virtual_time import VirtualTime

def handler(event, context):
{textwrap.indent(textwrap.dedent(handler).strip(), "    ")}

with VirtualTime(freeze=False) as time, watched(time, 0.05, grace_seconds=0.05):
    InlineInvoker(handler, Function(), {ARN!r}, time).invoke({{}}, "id", 0)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(said)
