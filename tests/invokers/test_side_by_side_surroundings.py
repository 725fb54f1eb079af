"""Functions that run at the same time: each with its variables, its threads and its lines."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time

import pytest
from living import NAMES, answers, both, until

from esm.invokers.named_output import named_output
from esm.invokers.side_by_side import SIDE_BY_SIDE

pytestmark = pytest.mark.usefixtures("outside_stays_as_it_is")

# --- variables -----------------------------------------------------------------------------------

SEES = """
    import os
    from os import environ
    AT_LOAD = environ["TABLE"]

    def handler(event, context):
        return [
            AT_LOAD, environ["TABLE"], os.getenv("TABLE"), os.environb[b"TABLE"].decode(),
            dict(os.environ)["TABLE"], os.environ.copy()["TABLE"], {**environ}["TABLE"],
        ]
    """


def test_each_sees_its_own_variables_at_load_and_at_call(living):
    functions = both(living, SEES)
    assert answers(living, functions) == [[f"of {name}"] * 7 for name in NAMES]
    assert "TABLE" not in os.environ


def test_a_function_finds_what_lambda_gives_it_and_what_was_there(living):
    names = ["AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "TZ", "ESM_TEST_BASE"]

    def handler(event, context):
        assert len(os.environ) == len(list(os.environ)) == len(os.environb)
        assert "NOT_THERE" not in os.environ
        assert os.environ["AWS_LAMBDA_LOG_STREAM_NAME"] == context.log_stream_name
        return [os.environ[name] for name in names] + [*time.tzname]

    function = living.function(handler, name="sign-ups", memory=512)
    assert living.ask(function).payload == ["sign-ups", "512", ":UTC", "base", "UTC", "UTC"]


def test_what_a_handler_writes_stays_in_its_environment_and_goes_with_it(living):
    go_on = threading.Event()

    def handler(event, context):
        if event == "hang":
            go_on.wait(5)
        before = os.environ.pop("ESM_TEST_BASE", None), os.environ.get("WRITTEN")
        os.environ["WRITTEN"] = "yes"
        return [*before]

    one, other = (living.function(handler, name=name) for name in NAMES)
    assert [living.ask(one).payload for _ in range(2)] == [["base", None], [None, "yes"]]
    assert living.ask(other).payload == ["base", None]
    assert (os.environ["ESM_TEST_BASE"], "WRITTEN" in os.environ) == ("base", False)
    hanging = living.ask(one, "hang")
    living.time_out(one)
    assert hanging.result.timed_out
    assert living.ask(one).payload == ["base", None]
    go_on.set()


def test_threads_pools_loops_and_children_see_what_their_function_sees(living):
    functions = both(
        living,
        """
        import asyncio, os, subprocess, sys, threading
        from concurrent.futures import ThreadPoolExecutor

        CHILD = [sys.executable, "-c", "import os; print(os.environ['TABLE'], end='')"]

        def table():
            from models import OF
            return [OF, os.environ["TABLE"]]

        async def tasks():
            child = await asyncio.create_subprocess_exec(*CHILD, stdout=subprocess.PIPE)
            said, _ = await child.communicate()
            return [await asyncio.to_thread(table), said.decode()]

        class Own(threading.Thread):
            def run(self):
                inner = threading.Timer(0, lambda: self.found.append(table()))
                inner.start()
                inner.join()

        def handler(event, context):
            own = Own()
            own.found = []
            own.start()
            own.join()
            with ThreadPoolExecutor(2) as pool:
                pooled = pool.submit(table).result()
            child = subprocess.run(CHILD, capture_output=True, text=True, check=True).stdout
            only = {"PATH": os.environ["PATH"]}
            other = subprocess.run(["env"], env=only, capture_output=True, check=True).stdout
            return [*own.found, pooled, child, b"TABLE" in other, *asyncio.run(tasks())]
        """,
        models="",
    )
    expected = [[[n, f"of {n}"]] * 2 + [f"of {n}", False, [n, f"of {n}"], f"of {n}"] for n in NAMES]
    assert answers(living, functions) == expected


def test_a_thread_that_is_started_twice_is_an_error_as_ever(living):
    def handler(event, context):
        thread = threading.Thread(target=lambda: None)
        thread.start()
        thread.join()
        with pytest.raises(RuntimeError, match="only be started once"):
            thread.start()
        return "run" in vars(thread)

    assert living.ask(living.function(handler)).payload is False


def test_outside_of_functions_variables_are_those_of_the_process(living, monkeypatch):
    both(living, SEES)
    assert SIDE_BY_SIDE.is_in_place
    monkeypatch.setenv("ESM_TEST_BASE", "new")
    child = subprocess.run(["env"], capture_output=True, text=True, check=True)
    assert "ESM_TEST_BASE=new" in child.stdout.splitlines()
    del os.environ["ESM_TEST_BASE"]
    assert os.getenv("ESM_TEST_BASE") is None
    assert os.system("test -z $ESM_TEST_BASE") == 0  # C code was told
    os.environ["ESM_TEST_BASE"] = "base"


# --- what they print -----------------------------------------------------------------------------


def test_lines_carry_the_name_of_their_function(living, capsys):
    functions = both(
        living,
        """
        import logging, sys, threading
        log = logging.getLogger(__name__ + __file__)
        log.addHandler(logging.StreamHandler(sys.stdout))
        log.propagate = False

        def handler(event, context):
            print("one", "line")
            print("two\\nlines", file=sys.stderr)
            log.warning("logged")
            thread = threading.Thread(target=lambda: print("in a thread", end=""))
            thread.start()
            thread.join()
            sys.stdout.buffer.write("bytes é\\n".encode())
            sys.stdout.flush()
            print("no end", end="")
        """,
    )
    lines = []
    with named_output(lambda function, line: lines.append((function, line))):
        assert answers(living, functions) == [None, None]
        print("from outside")
    assert answers(living, functions[:1]) == [None]  # afterwards, through streams it has kept
    said = ["one line", "two", "lines", "logged", "in a thread", "bytes é", "no end"]
    for name in NAMES:
        assert [line for function, line in lines if function == name] == said
    assert len(lines) == 2 * len(said)
    assert capsys.readouterr().out.splitlines()[:3] == ["from outside", "one line", "logged"]


def test_a_named_stream_answers_as_the_stream_does(living, capfd):
    lines = []
    with named_output(lambda function, line: lines.append((function, line))):

        def handler(event, context):
            sys.stdout.close()
            logging.StreamHandler(sys.stdout).flush()
            return [sys.stdout.encoding.lower(), sys.stdout.isatty(), sys.stdout.writable()]

        assert living.ask(living.function(handler)).payload == ["utf-8", False, True]
        assert os.fstat(sys.stdout.fileno())
        assert sys.stdout.errors
        sys.stdout.flush()
    assert lines == []


def test_who_gets_a_line_may_print_it(living, capsys):
    def handler(event, context):
        print("said")

    with named_output(lambda function, line: print(f"{function} | {line}", file=sys.stderr)):
        function = living.function(handler)
        assert living.ask(function).payload is None
    assert capsys.readouterr() == ("", f"{function.name} | said\n")


# --- os._exit ------------------------------------------------------------------------------------


def test_a_handler_that_ends_the_process_ends_only_its_invocation(living):
    functions = both(living, "import os\ndef handler(e, c): os._exit(3)")
    asked = [living.ask(function) for function in functions]
    assert [str(each.result.error) for each in asked] == [
        "Runtime exited with error: exit status 3"
    ] * 2


def test_all_is_undone_with_the_last_of_them(living):
    functions = both(living, SEES)
    assert answers(living, functions)
    functions[0].stop()
    until(lambda: functions[0]._environment is None)
    assert SIDE_BY_SIDE.is_in_place
    functions[1].stop()
    until(lambda: not SIDE_BY_SIDE.is_in_place)
    assert type(sys.modules) is dict
