"""The time that handlers see."""

import asyncio
import copyreg
import datetime
import gc
import importlib
import subprocess
import sys
import textwrap
import threading
import time
import types
import weakref
from time import sleep

import freezegun
import freezegun.api
import pydantic
import pytest
from freezegun.api import FakeDatetime

from esm.instants import from_ms
from esm.invokers import doubles, freezing
from esm.invokers.virtual_time import DeadlinePassed, VirtualTime

START_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z
REAL_SLEEP = time.sleep
REAL_DATETIME = datetime.datetime


@pytest.fixture(autouse=True)
def nothing_stays_frozen():
    yield
    assert time.sleep is REAL_SLEEP
    assert sleep is REAL_SLEEP
    assert datetime.datetime is REAL_DATETIME
    assert abs(time.time() - REAL_DATETIME.now().timestamp()) < 5
    assert time.gmtime().tm_year == REAL_DATETIME.now(datetime.UTC).year
    assert freezegun.api.freeze_factories == freezegun.api.ignore_lists == []
    assert REAL_DATETIME not in copyreg.dispatch_table
    assert not hasattr(FakeDatetime, "__get_pydantic_core_schema__")


def test_clocks_stand_still_at_the_start_of_the_invocation():
    with VirtualTime() as virtual:
        virtual.begin(START_MS + 1)

        assert time.time() == START_MS / 1000 + 0.001
        assert datetime.datetime.now(datetime.UTC).isoformat() == "2026-01-01T00:00:00.001000+00:00"
        virtual.end()


def test_the_next_invocation_moves_them():
    with VirtualTime() as virtual:
        for instant_ms in (START_MS, START_MS + 86_400_000, START_MS + 1_000):
            virtual.begin(instant_ms)
            assert time.time() == instant_ms / 1000
            virtual.end()


def test_nothing_is_frozen_before_the_first_invocation():
    with VirtualTime():
        assert datetime.datetime is REAL_DATETIME
        assert time.sleep is REAL_SLEEP


def test_a_sleep_takes_virtual_time_only():
    before = time.perf_counter()
    with VirtualTime() as virtual:
        virtual.begin(START_MS)
        time.sleep(3600)
        sleep(0.25)

        assert virtual.elapsed_ms == 3_600_250
        assert virtual.now_ms == START_MS + 3_600_250
        assert time.time() == START_MS / 1000 + 3600.25
        virtual.end()
    assert time.perf_counter() - before < 5


def test_many_short_sleeps_add_up():
    with VirtualTime() as virtual:
        virtual.begin(START_MS)
        for _ in range(1000):
            time.sleep(0.0001)
        virtual.end()

        assert virtual.elapsed_ms == 100


def test_each_invocation_starts_with_nothing_slept():
    with VirtualTime() as virtual:
        virtual.begin(START_MS)
        time.sleep(5)
        virtual.end()
        assert virtual.elapsed_ms == 5_000

        virtual.begin(START_MS + 1_000)
        assert virtual.elapsed_ms == 0
        assert time.time() == START_MS / 1000 + 1
        virtual.end()


def test_a_sleep_past_the_timeout_ends_there_and_every_later_one_too():
    with VirtualTime() as virtual:
        virtual.begin(START_MS, timeout_ms=3_000)
        time.sleep(3)
        assert not virtual.timed_out

        for _ in range(2):
            with pytest.raises(DeadlinePassed):
                time.sleep(0.001)
            assert virtual.timed_out
            assert virtual.elapsed_ms == 3_000
            assert time.time() == START_MS / 1000 + 3
        virtual.end()


@pytest.mark.parametrize(
    ("seconds", "error"),
    [(-1, ValueError), ("1", TypeError), (None, TypeError), (float("nan"), ValueError)],
)
def test_what_time_sleep_refuses_is_refused(seconds, error):
    with VirtualTime() as virtual:
        virtual.begin(START_MS)
        with pytest.raises(error):
            time.sleep(seconds)
        assert virtual.elapsed_ms == 0
        virtual.end()


def test_between_invocations_a_sleep_is_real():
    slept = []
    with VirtualTime(freeze=False) as virtual:
        virtual.begin(START_MS)
        virtual.end()
        before = time.perf_counter()
        time.sleep(0.01)
        slept.append(time.perf_counter() - before)

    assert slept[0] >= 0.01
    assert virtual.elapsed_ms == 0


def test_other_threads_sleep_for_real():
    took = []

    def other():
        before = time.perf_counter()
        time.sleep(0.01)
        took.append(time.perf_counter() - before)

    with VirtualTime(freeze=False) as virtual:
        virtual.begin(START_MS)
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        virtual.end()

    assert took[0] >= 0.01
    assert virtual.elapsed_ms == 0


def test_without_freezing_clocks_are_real_and_sleeps_virtual():
    with VirtualTime(freeze=False) as virtual:
        virtual.begin(START_MS)
        time.sleep(3600)

        assert datetime.datetime is REAL_DATETIME
        assert virtual.elapsed_ms == 3_600_000
        virtual.end()


def test_without_freezing_freezegun_is_never_imported():
    program = """
        import sys, time
        from esm.invokers.inline import Function, InlineInvoker
        from esm.invokers.virtual_time import VirtualTime
        assert "freezegun" not in sys.modules
        with VirtualTime(freeze=False) as virtual:
            virtual.begin(0)
            time.sleep(60)
            virtual.end()
        assert virtual.elapsed_ms == 60_000
        assert "freezegun" not in sys.modules and "asyncio" not in sys.modules
        print("fine")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "fine\n"


def test_a_module_that_is_imported_meanwhile_is_mended_afterwards(tmp_path, monkeypatch):
    (tmp_path / "esm_test_lazy.py").write_text("from time import sleep, time\n")
    monkeypatch.syspath_prepend(tmp_path)

    with VirtualTime() as virtual:
        virtual.begin(START_MS)
        lazy = importlib.import_module("esm_test_lazy")
        lazy.sleep(60)
        assert lazy.time() == START_MS / 1000 + 60
        virtual.end()

    monkeypatch.delitem(sys.modules, "esm_test_lazy")
    assert lazy.sleep is REAL_SLEEP
    assert abs(lazy.time() - time.time()) < 5


def test_a_module_that_is_imported_again_is_looked_through_again(monkeypatch):
    for _ in range(3):
        module = types.ModuleType("esm_test_again")
        module.pause = time.sleep
        monkeypatch.setitem(sys.modules, "esm_test_again", module)
        with VirtualTime(freeze=False) as virtual:
            virtual.begin(START_MS)
            module.pause(7)
            virtual.end()
        assert virtual.elapsed_ms == 7_000
        assert module.pause is REAL_SLEEP


def test_a_module_that_loads_itself_when_touched_is_left_asleep(monkeypatch):
    class Lazy(types.ModuleType):
        def __getattribute__(self, name):
            raise AssertionError(f"touched: {name}")

    monkeypatch.setitem(sys.modules, "esm_test_lazy_module", Lazy("esm_test_lazy_module"))
    monkeypatch.setitem(sys.modules, "esm_test_no_module", object())

    with VirtualTime(freeze=False) as virtual:
        virtual.begin(START_MS)
        time.sleep(1)
        virtual.end()

    assert virtual.elapsed_ms == 1_000


def test_a_mock_of_sleep_stays_the_users(monkeypatch):
    calls = []
    monkeypatch.setattr(time, "sleep", calls.append)

    with VirtualTime(freeze=False) as virtual:
        virtual.begin(START_MS)
        time.sleep(5)
        virtual.end()

    assert calls == [5]
    assert virtual.elapsed_ms == 0
    monkeypatch.undo()


def test_after_an_exception_nothing_is_frozen():
    def run():
        with VirtualTime() as virtual:
            virtual.begin(START_MS)
            raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        run()

    assert datetime.datetime is REAL_DATETIME
    assert time.sleep is REAL_SLEEP


def test_it_can_be_entered_again():
    virtual = VirtualTime()
    for instant_ms in (START_MS, START_MS + 5_000):
        with virtual:
            virtual.begin(instant_ms)
            assert time.time() == instant_ms / 1000
            virtual.end()


def test_inside_a_freeze_of_the_users_own():
    with freezegun.freeze_time("2030-06-01"), VirtualTime() as virtual:
        virtual.begin(START_MS)
        assert time.time() == START_MS / 1000
        virtual.end()
        virtual.__exit__(None, None, None)

        assert datetime.datetime.now(datetime.UTC).year == 2030


def test_two_at_once_each_time_their_own_invocation():
    outer, inner = VirtualTime(), VirtualTime()
    with outer:
        outer.begin(START_MS)
        time.sleep(1)
        with inner:
            inner.begin(START_MS + 60_000)
            time.sleep(2)
            assert time.time() == START_MS / 1000 + 62
            inner.end()
        assert time.time() == START_MS / 1000 + 1
        time.sleep(4)
        outer.end()

    assert (outer.elapsed_ms, inner.elapsed_ms) == (5_000, 2_000)


@pytest.mark.parametrize("frozen_outside", [False, True], ids=["alone", "inside a user's freeze"])
def test_asyncio_works(frozen_outside):
    async def slow():
        await asyncio.sleep(0.001)
        return await asyncio.wait_for(asyncio.to_thread(lambda: "done"), timeout=5)

    def run():
        with VirtualTime() as virtual:
            virtual.begin(START_MS)
            answer = asyncio.run(slow())
            virtual.end()
        return answer

    if frozen_outside:
        with freezegun.freeze_time("2030-06-01"):
            assert run() == "done"
    else:
        assert run() == "done"


def test_pydantic_models_can_be_built_while_frozen():
    with VirtualTime() as virtual:
        virtual.begin(START_MS)

        class SignUp(pydantic.BaseModel):
            at: datetime.datetime
            day: datetime.date

        model = SignUp(at=datetime.datetime.now(datetime.UTC), day="2026-01-01")
        virtual.end()

    assert model.at.isoformat() == "2026-01-01T00:00:00+00:00"
    parsed = SignUp.model_validate_json(model.model_dump_json())
    assert (type(parsed.at), type(parsed.day)) == (REAL_DATETIME, datetime.date)


def test_powertools_models_that_load_lazily_survive_the_start():
    program = """
        import datetime, pydantic
        from aws_lambda_powertools import Logger
        from aws_lambda_powertools.utilities.batch import BatchProcessor
        from esm.invokers.virtual_time import VirtualTime
        logger = Logger(service="sign-ups", utc=True)
        with VirtualTime() as virtual:
            virtual.begin(1_767_225_600_000)
            logger.info("hello")
            from aws_lambda_powertools.utilities.parser.models import KinesisDataStreamModel
            virtual.end()
        class Later(pydantic.BaseModel):
            at: datetime.datetime
        print(Later(at="2026-01-02T00:00:00Z"))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True
    )
    assert "at=datetime.datetime(2026, 1, 2, " in done.stdout
    assert '"timestamp":"2026-01-01 00:00:00,000+0000"' in done.stdout


def test_a_harness_that_is_first_to_load_pydantic_inside_a_freeze_leaves_it_sound():
    program = """
        import datetime, sys
        from freezegun import freeze_time
        real = [datetime.datetime, datetime.date]
        with freeze_time("2020-01-01"):
            from esm import Harness
            esm = Harness()
            stream = esm.kinesis()
            assert "pydantic" not in sys.modules
            mapping = esm.map(stream, lambda event, context: None)
            assert "pydantic" in sys.modules
            assert datetime.datetime.now().year == 2020  # still frozen
            stream.put("one")
            assert esm.drain() == "idle"
        assert [datetime.datetime, datetime.date] == real
        import pydantic
        class Later(pydantic.BaseModel):
            at: datetime.datetime
            day: datetime.date
        print(mapping.batches, Later(at="2026-01-02T00:00:00Z", day="2026-01-02"))
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout.startswith("[[1]] at=datetime.datetime(2026, 1, 2, ")


def test_instants_of_ours_are_plain_datetimes_even_while_frozen():
    with VirtualTime() as virtual:
        virtual.begin(START_MS)
        instant = from_ms(START_MS)
        virtual.end()

    assert type(instant) is REAL_DATETIME


def test_an_invocation_outside_of_with_is_our_mistake():
    with pytest.raises(AssertionError, match="inside `with`"):
        VirtualTime().begin(START_MS)


def test_it_does_not_nest_within_itself():
    with VirtualTime() as virtual, pytest.raises(AssertionError, match="does not nest"):
        virtual.__enter__()


def test_what_only_says_that_it_is_a_module_is_passed_over(monkeypatch) -> None:
    class Library:
        """As cffi puts them into sys.modules: no module, and not to be referred to weakly."""

        __slots__ = ()
        __class__ = types.ModuleType

    monkeypatch.setitem(sys.modules, "a_c_library", Library())
    with VirtualTime(freeze=False) as virtual:
        virtual.begin(0)
        time.sleep(30)
        virtual.end()
        assert virtual.elapsed_ms == 30_000


# --- whatever comes between, time is real afterwards ---------------------------------------------


class Wayward(types.ModuleType):
    """A module that runs code when somebody looks at what it has."""

    def __dir__(self):
        return ["anything"]

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        sys.modules.pop("esm_test_other", None)
        sys.modules[f"esm_test_{name}"] = types.ModuleType(name)
        raise RuntimeError(f"no {name} today")


@pytest.fixture
def modules(monkeypatch):
    """As they are, once more at the end."""
    before = dict(sys.modules)
    yield sys.modules
    for name in sys.modules.keys() - before.keys():
        del sys.modules[name]


def test_modules_that_fail_load_and_forget_when_looked_at_are_not_looked_at(modules):
    modules["esm_test_other"] = types.ModuleType("esm_test_other")
    modules["esm_test_wayward"] = Wayward("esm_test_wayward")

    with VirtualTime() as virtual:
        virtual.begin(START_MS)
        assert time.time() == START_MS / 1000
        modules["esm_test_late"] = Wayward("esm_test_late")
        virtual.end()

    assert "esm_test_other" in modules
    assert "esm_test_anything" not in modules


def test_a_collection_that_forgets_modules_meanwhile_does_no_harm(modules):
    class Owner:
        """Part of a cycle: only the collector finds it, whenever it runs."""

        def __init__(self, name):
            self.itself = self
            modules[name] = types.ModuleType(name)
            weakref.finalize(self, modules.pop, name, None).atexit = False

    threshold = gc.get_threshold()
    gc.collect()
    try:
        for number in range(50):
            gc.set_threshold(0)
            Owner(f"esm_test_{number}")
            with VirtualTime() as virtual:
                gc.set_threshold(1)
                virtual.begin(START_MS)
                Owner(f"esm_test_late_{number}")
                virtual.end()
    finally:
        gc.set_threshold(*threshold)
    assert gc.isenabled()


def test_a_module_that_is_half_imported_at_first_is_looked_through_again(modules):
    modules["esm_test_growing"] = module = types.ModuleType("esm_test_growing")
    for _ in range(2):
        with VirtualTime() as virtual:
            virtual.begin(START_MS)
            seen = getattr(module, "time", lambda: None)()
            virtual.end()
        module.time = time.time
    assert seen == START_MS / 1000


def test_what_takes_a_modules_place_is_left_alone(modules):
    modules["esm_test_replaced"] = module = types.ModuleType("esm_test_replaced")
    module.time = time.time
    for replacement in (object(), None):
        with VirtualTime() as virtual:
            virtual.begin(START_MS)
            virtual.end()
        modules["esm_test_replaced"] = replacement
    assert module.time is time.time


def test_who_imports_a_stand_in_by_its_own_name_keeps_it(modules):
    modules["esm_test_fakes"] = module = types.ModuleType("esm_test_fakes")
    module.FakeDatetime = module.Alias = FakeDatetime
    with VirtualTime() as virtual:
        virtual.begin(START_MS)
        virtual.end()
    assert module.FakeDatetime is module.Alias is FakeDatetime


def test_a_freeze_that_a_handler_leaves_behind_ends_too():
    with VirtualTime() as virtual:
        virtual.begin(START_MS)
        freezegun.freeze_time("2001-02-03").start()
        virtual.end()
    assert datetime.datetime.now(datetime.UTC).year > 2001


START, STOP = freezegun.api._freeze_time.start, freezegun.api._freeze_time.stop
PARTS = {START, STOP, freezing._stop, doubles.Doubles.take_out}


class Interrupting:
    """Ctrl+C at one line of those that start and stop the freeze."""

    def __init__(self, at):
        self.left = at

    def __call__(self, frame, event, argument):
        return self.at_line if frame.f_code in {part.__code__ for part in PARTS} else None

    def at_line(self, frame, event, argument):
        if event == "line":
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
        return self.at_line


def run_interrupted(at):
    """A run with Ctrl+C at its so-manieth line; how many were left."""
    before, interrupting = sys.gettrace(), Interrupting(at)
    sys.settrace(interrupting)
    try:
        with VirtualTime() as virtual:
            virtual.begin(START_MS)
            virtual.end()
    finally:
        sys.settrace(before)
    return interrupting.left


def test_wherever_a_run_is_interrupted_time_is_real_afterwards():
    lines = 1_000_000 - run_interrupted(1_000_000)
    assert lines > 1_000
    # Most of them are freezegun's going past one module after the other.
    for at in [*range(1, 100), *range(lines - 150, lines)]:
        with pytest.raises(KeyboardInterrupt):
            run_interrupted(at)
        assert freezegun.api.freeze_factories == []
        assert datetime.datetime is REAL_DATETIME
        assert abs(time.time() - REAL_DATETIME.now().timestamp()) < 5
        assert abs(time.monotonic() - freezegun.api.real_monotonic()) < 5
        assert sleep is REAL_SLEEP


@pytest.mark.parametrize("when", ["before the run", "in the run"])
def test_after_a_run_time_can_be_frozen_although_powertools_loads_its_models_late(when):
    script = f"""
import freezegun, pydantic
from importlib import import_module
PARSER, WHEN = "aws_lambda_powertools.utilities.parser", "{when}"
WHEN == "in the run" or import_module(PARSER)
from esm.invokers.virtual_time import VirtualTime
with VirtualTime() as virtual:
    virtual.begin(0)
    import_module(PARSER)
    virtual.end()
with freezegun.freeze_time("2030-06-01"):
    pass
print("fine")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("fine\n", "")


def test_a_run_in_which_pydantic_is_loaded_first_of_all_leaves_time_real():
    script = """
import time
from esm.invokers.virtual_time import VirtualTime
for _ in range(2):
    with VirtualTime() as virtual:
        virtual.begin(0)
        import aws_lambda_powertools.utilities.parser
        virtual.end()
print(time.time() > 1e9)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("True\n", "")
