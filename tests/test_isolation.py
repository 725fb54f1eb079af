"""Functions side by side in one process, each with its own modules."""

from __future__ import annotations

import gc
import os
import pickle
import shutil
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from esm import Harness, own_modules
from esm.errors import HandlerError
from esm.failure_story import failure_story
from esm.isolation import load_function
from esm.loading import load_handler
from esm.own_modules import forget_collected


class Project:
    """Folders of code."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, **files: str) -> None:
        """`orders__app="..."` is the file orders/app.py."""
        for name, text in files.items():
            path = self.root / (name.replace("__", "/").replace("/init/", "/__init__") + ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text))

    def load(self, folder: str, handler: str = "app.handler", **environment: str) -> Any:
        return load_function(self.root / folder, handler, environment)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """An empty one; whoever imports from it leaves nothing behind, or the test fails."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return Project(tmp_path)


def collect() -> None:
    """Functions that are gone are collected, and their modules taken out of sys.modules."""
    gc.collect()
    forget_collected()


@pytest.fixture(autouse=True)
def outside_stays_as_it_is():
    path, entries = sys.path, sys.path[:]
    collect()  # what earlier tests have left to it
    modules = dict(sys.modules)
    yield
    assert sys.path is path
    assert sys.path == entries
    added = {name.partition(".")[0] for name in sys.modules.keys() - modules.keys()}
    assert added & {"app", "models", "late", "shop", "plain", "parts"} == set()
    assert {n for n, module in modules.items() if sys.modules.get(n) is not module} == set()


def call(function: Callable[..., Any]) -> Any:
    return function({}, None)


TWO_APPS = {
    "orders__app": """
        import models

        seen = []

        def handler(event, context):
            import late
            seen.append(models.NAME + " " + late.NAME)
            if len(seen) == 3:
                raise ValueError(models.NAME)
        """,
    "orders__models": "NAME = 'order'",
    "orders__late": "NAME = 'late order'",
    "users__app": """
        from models import NAME

        seen = []

        def handler(event, context):
            from importlib import import_module
            seen.append(NAME + " " + import_module("late").NAME)
        """,
    "users__models": "NAME = 'user'",
    "users__late": "NAME = 'late user'",
}


def test_two_functions_with_modules_of_the_same_names_in_one_harness(project, monkeypatch):
    monkeypatch.chdir(project.root)
    project.write(**TWO_APPS)
    orders, users = project.load("orders"), project.load("users")
    h = Harness()
    stream = h.kinesis()
    first = h.map(stream, orders, name="orders", batch_size=1)
    second = h.map(stream, users, name="users", batch_size=1)
    for _ in range(4):  # one after the other, by turns
        stream.put({})
        h.advance("5s")
    h.drain()
    assert orders.__wrapped__.__globals__["seen"] == ["order late order"] * 5
    assert users.__wrapped__.__globals__["seen"] == ["user late user"] * 4
    assert [str(i.error) for i in first.invocations if i.error] == ["order"]
    assert all(i.error is None for i in second.invocations)
    assert f"{Path('orders/app.py')}:10: raise ValueError(models.NAME)" in failure_story(h)


def test_a_function_is_warm_and_shares_nothing_with_another_from_the_same_folder(project):
    project.write(
        a__app="""
        import models

        def handler(event, context):
            models.calls += 1
            return models.calls
        """,
        a__models="calls = 0",
    )
    one, other = project.load("a"), project.load("a")
    assert [call(f) for f in (one, one, other, one, other)] == [1, 2, 1, 3, 2]


def test_packages_relative_imports_namespaces_and_circles(project):
    project.write(
        code__shop__init__="",
        code__shop__prices="from . import taxes\nPRICE = 100",
        code__shop__taxes="from . import prices\ndef tax(): return prices.PRICE // 10",
        code__plain__deep__names="NAME = 'tea'",
        code__shop__app="""
        from .prices import PRICE
        from .taxes import tax

        if __name__ == "__main__":
            raise AssertionError("never the main module")

        def handler(event, context):
            from plain.deep import names
            return names.NAME, PRICE, tax(), __name__
        """,
    )
    (project.root / "code/shop/__init__.py").touch()
    for written in ("shop.app.handler", "shop/app.handler"):
        assert call(project.load("code", written)) == ("tea", 100, 10, "shop.app")


def test_what_looks_its_module_up_at_call_time_finds_it(project):
    for name in ("a", "b"):
        project.write(
            **{
                f"{name}__models": f"""
                from __future__ import annotations
                from dataclasses import dataclass, fields
                from typing import get_type_hints
                from pydantic import BaseModel

                class Line(BaseModel):
                    item: Item | None = None

                class Item(BaseModel):
                    {name}: int

                @dataclass
                class Order:
                    id: Special

                class Special(int):
                    of = "{name}"
                """,
                f"{name}__app": """
                import pickle
                from typing import get_type_hints
                import models

                def handler(event, context):
                    copy = pickle.loads(pickle.dumps(models.Order(models.Special(1))))
                    assert type(copy) is models.Order
                    line = models.Line(item={"a": 1, "b": 2})
                    return get_type_hints(models.Order)["id"].of, line.model_dump()
                """,
            }
        )
    a, b = project.load("a"), project.load("b")
    assert call(a) == ("a", {"item": {"a": 1}})
    assert call(b) == ("b", {"item": {"b": 2}})
    assert call(a) == ("a", {"item": {"a": 1}})


def test_a_sibling_hides_what_is_installed_for_that_function_only(project):
    import requests.adapters

    project.write(
        a__requests="MINE = True",
        a__app="""
        import requests

        def handler(event, context):
            try:
                from requests import adapters
            except ImportError:
                return requests.MINE
        """,
        b__app="""
        def handler(event, context):
            import requests
            return requests
        """,
    )
    a, b = project.load("a"), project.load("b")
    for _ in range(2):
        assert call(a) is True
        assert call(b) is requests
    assert sys.modules["requests.adapters"] is requests.adapters


def test_a_sibling_hides_of_python_what_lambda_has_not_loaded_before_it(project):
    import csv

    project.write(
        a__csv="MINE = True",
        a__types="MINE = True",
        a__json_utils="MINE = True",
        a__app="""
        import csv, json_utils, types
        def handler(event, context):
            return [hasattr(module, "MINE") for module in (csv, json_utils, types)]
        """,
    )
    assert call(project.load("a")) == [True, True, False]
    assert sys.modules["csv"] is csv


def test_a_folder_without_code_hides_nothing(project):
    project.write(a__app="import requests\ndef handler(e, c): return requests.__name__")
    (project.root / "a" / "requests").mkdir()
    assert call(project.load("a")) == "requests"
    import requests

    assert hasattr(requests, "get")


def test_boto3_in_the_folder_is_the_one_that_is_kept_away_from_aws(project):
    import boto3

    project.write(
        a__boto3__init="",
        a__app="import boto3\ndef handler(e, c): return boto3",
    )
    (project.root / "a/boto3").mkdir(exist_ok=True)
    (project.root / "a/boto3/__init__.py").write_text("raise AssertionError('a copy')")
    assert call(project.load("a")) is boto3


def test_layers_come_after_the_functions_own_folder(project):
    project.write(
        a__app="import both, shared\ndef handler(e, c): return both.OF, shared.OF",
        a__both="OF = 'function'",
        layer__both="OF = 'layer'",
        layer__shared="OF = 'layer'",
    )
    function = load_function(project.root / "a", "app.handler", {}, layers=[project.root / "layer"])
    assert call(function) == ("function", "layer")


def test_a_folder_that_the_function_puts_on_the_path_is_its_own(project):
    for name in ("a", "b"):
        project.write(
            **{
                f"{name}__app": """
                import os, sys
                sys.path.insert(0, os.path.join(os.path.dirname(__file__), "vendored"))
                import parts

                def handler(event, context):
                    import more_parts
                    return parts.OF, more_parts.OF
                """,
                f"{name}__vendored__parts": f"OF = '{name}'",
                f"{name}__vendored__more_parts": f"OF = '{name}'",
            }
        )
    a, b = project.load("a"), project.load("b")
    assert [call(f) for f in (a, b, a)] == [("a", "a"), ("b", "b"), ("a", "a")]


def test_a_function_may_replace_or_drop_its_modules(project):
    project.write(
        a__app="""
        import sys, types
        import models

        def handler(event, context):
            import models
            before = models.N
            if before == 1:
                sys.modules["models"] = types.SimpleNamespace(N=2)
            elif before == 2:
                del sys.modules["models"]
            return before
        """,
        a__models="N = 1",
    )
    function = project.load("a")
    assert [call(function) for _ in range(4)] == [1, 2, 1, 2]


def test_installed_modules_are_shared_also_those_loaded_late(project):
    text = "def handler(e, c):\n    import colorsys\n    return colorsys"
    project.write(a__app=text, b__app=text)
    assert call(project.load("a")) is call(project.load("b"))


def test_compiled_code_of_a_folder_is_loaded_once(project):
    import msgspec

    project.write(
        a__app="import models, msgspec\ndef handler(e, c): return models, msgspec._core, msgspec",
        a__models="",
    )
    shutil.copytree(Path(msgspec.__file__).parent, project.root / "a" / "msgspec")
    one, other = call(project.load("a")), call(project.load("a"))
    assert one[0] is not other[0]
    assert one[1] is other[1]
    assert one[2] is not msgspec


# --- what it does to the world outside -----------------------------------------------------------


def test_a_function_that_calls_another_gets_its_own_modules_back(project):
    project.write(
        a__app="""
        import models

        def handler(event, context):
            others = event["other"]({}, None) if event else None
            import late
            return models.OF, others, late.OF
        """,
        a__models="OF = 'a'",
        a__late="OF = 'late a'",
        b__app="""
        def handler(event, context):
            from importlib.util import find_spec
            import models
            return models.OF, find_spec("late")
        """,
        b__models="OF = 'b'",
    )
    a, b = project.load("a"), project.load("b")
    assert a({"other": b}, None) == ("a", ("b", None), "late a")
    assert a({"other": lambda e, c: a(e, c)}, None) == ("a", ("a", None, "late a"), "late a")


@pytest.mark.parametrize("error", ["ValueError('no')", "SystemExit(1)", "KeyboardInterrupt()"])
def test_whatever_a_function_raises_its_modules_go(project, error):
    project.write(a__app=f"import models\ndef handler(e, c): raise {error}", a__models="")
    function = project.load("a")
    with pytest.raises(BaseException) as caught:
        call(function)
    assert type(caught.value).__name__ in error
    assert "models" not in sys.modules
    assert caught.traceback[-1].path == project.root / "a" / "app.py"


def test_what_is_forgotten_leaves_nothing_behind(project):
    project.write(a__app="import models\ndef handler(e, c): return models", a__models="")
    collect()
    before = set(sys.modules)
    function = project.load("a")
    assert set(sys.modules) > before
    del function
    collect()
    assert set(sys.modules) == before


@pytest.mark.parametrize("entry", ["os.path.join(here, 'nowhere')", "None", "'x' * 5000", "'\\0'"])
def test_what_a_function_puts_on_the_path_need_not_be_there(project, entry):
    project.write(
        a__app=f"""
        import os, sys
        here = os.path.dirname(__file__)
        def handler(event, context):
            import models
            sys.path.insert(0, {entry})
            return models.OF
        """,
        a__models="OF = 'a'",
    )
    function = project.load("a")
    assert [call(function), call(function)] == ["a", "a"]


def test_a_folder_and_an_archive_that_a_function_puts_on_the_path(project):
    project.write(
        a__app="""
        import os, sys
        sys.path.insert(0, os.path.join(os.path.dirname(__file__), "parts.zip"))
        def handler(event, context):
            import parts
            return parts.OF
        """,
    )
    with zipfile.ZipFile(project.root / "a" / "parts.zip", "w") as archive:
        archive.writestr("parts.py", "OF = 'archive'")
    assert call(project.load("a")) == "archive"
    assert "parts" not in sys.modules


def test_modules_that_fail_when_they_are_looked_at_harm_nobody(project):
    project.write(
        a__app="""
        import os, sys
        def handler(event, context):
            import models
            sys.path.insert(0, os.path.join(os.path.dirname(__file__), "vendored"))
            sys.modules["parts"] = models.Strange("parts")
            return "fine"
        """,
        a__models="""
        import types
        class Strange(types.ModuleType):
            def __getattribute__(self, name):
                raise RuntimeError(name)
        """,
        a__vendored__parts="",
    )
    function = project.load("a")
    assert [call(function), call(function)] == ["fine", "fine"]
    del sys.modules["parts"]  # from no file: nobody can tell that it was the function's own


def test_a_handler_that_cannot_be_looked_up_is_told_with_its_line(project):
    project.write(
        a__app="""
        def __getattr__(name):
            raise KeyError(name)
        """
    )
    said, *_ = refusal(lambda: project.load("a"))
    assert said.startswith("E302  app cannot be imported: KeyError: ")
    assert said.endswith("(app.py:3)")


@pytest.mark.parametrize("is_late", [False, True], ids=["before they change", "after"])
def test_an_interruption_while_modules_change_leaves_no_other_thread_waiting(
    project, monkeypatch, is_late
):
    project.write(a__app="import models\ndef handler(e, c): return models.OF", a__models="OF = 'a'")
    function = project.load("a")
    put_in = own_modules._Modules.put_in

    def interrupted(modules):
        if is_late:
            put_in(modules)
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr(own_modules._Modules, "put_in", interrupted)
    with pytest.raises(KeyboardInterrupt):
        call(function)
    assert "models" not in sys.modules
    answers: list[str] = []
    thread = threading.Thread(target=lambda: answers.append(call(function)), daemon=True)
    thread.start()
    thread.join(timeout=10)
    assert answers == ["a"]


@pytest.fixture
def often():
    """Threads are switched all the time."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def test_functions_called_from_several_threads_take_turns(project, often):
    for name in ("a", "b"):
        project.write(
            **{
                f"{name}__app": """
                def handler(event, context):
                    sum(range(1000))
                    import models
                    return models.OF
                """,
                f"{name}__models": f"OF = '{name}'",
            }
        )
    functions = {"a": project.load("a"), "b": project.load("b")}
    wrong = []

    def run(name: str) -> None:
        wrong.extend(got for _ in range(20) if (got := call(functions[name])) != name)

    threads = [threading.Thread(target=run, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_threads_of_a_handler_see_its_modules_while_it_runs(project):
    project.write(
        a__app="""
        from concurrent.futures import ThreadPoolExecutor

        def late():
            import models
            return models.OF

        def handler(event, context):
            with ThreadPoolExecutor(2) as pool:
                return pool.submit(late).result()
        """,
        a__models="OF = 'a'",
    )
    assert call(project.load("a")) == "a"


def test_handlers_modules_see_virtual_time_whenever_they_are_imported(project):
    clocks = "from datetime import datetime\nfrom time import sleep, time\n"
    project.write(
        a__app=clocks
        + dedent(
            """
            seen = []

            def handler(event, context):
                import late
                seen.append([datetime.now().year, late.datetime.now().year, time() == late.time()])
                sleep(0.5)
                late.sleep(0.5)
            """
        ),
        a__late=clocks,
    )
    function = project.load("a")
    h = Harness(start="2031-01-01T00:00:00Z")
    stream = h.kinesis()
    m = h.map(stream, function, batch_size=1)
    for _ in range(2):
        stream.put({})
        h.drain()
    globals_ = function.__wrapped__.__globals__
    assert globals_["seen"] == [[2031, 2031, True]] * 2
    assert [(i.ended_at - i.started_at).total_seconds() for i in m.invocations] == [1, 1]
    assert globals_["sleep"] is time.sleep
    assert globals_["datetime"].__module__ == "datetime"
    labelled = next(m for n, m in sys.modules.items() if n.startswith("<a ") and n.endswith("late"))
    assert labelled.sleep is time.sleep
    assert labelled.datetime.__module__ == "datetime"


# --- names, variables and mistakes ---------------------------------------------------------------


def test_variables_are_set_while_the_module_is_imported(project, monkeypatch):
    monkeypatch.setenv("TABLE", "of the shell")
    project.write(a__app="import os\nTABLE = os.environ['TABLE']\ndef handler(e, c): return TABLE")
    one, other = project.load("a", TABLE="orders"), project.load("a", TABLE="users")
    assert [call(one), call(other), os.environ["TABLE"]] == ["orders", "users", "of the shell"]


def test_variables_are_put_back_when_the_import_fails(project):
    project.write(a__app="1 / 0")
    with pytest.raises(HandlerError):
        project.load("a", ESM_TEST_TABLE="orders")
    assert "ESM_TEST_TABLE" not in os.environ


def test_a_function_is_named_after_the_handler(project):
    project.write(
        a__app="""
        class Handler:
            def __call__(self, event, context): return 1
        def fine(event, context): "Docs."
        instance = Handler()
        """
    )
    fine, instance = project.load("a", "app.fine"), project.load("a", "app.instance")
    assert (fine.__name__, fine.__doc__, instance.__name__) == ("fine", "Docs.", "instance")
    assert call(instance) == 1


def test_a_handler_by_name_from_another_folder_has_its_own_modules_too(project):
    project.write(**TWO_APPS)
    for name in ("orders", "users"):
        function = load_handler("app:handler", project.root / name)
        call(function)
        assert function.__wrapped__.__globals__["seen"][0].endswith(f"late {name[:-1]}")


def refusal(load: Callable[[], Any]) -> list[str]:
    with pytest.raises(HandlerError) as caught:
        load()
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("handler", "fix"),
    [
        ("app", "Handler: app.handler"),
        ("app:run", "Handler: app.run"),
        ("src/app.py:run", "Handler: src/app.run"),
        ("", "Handler: app.handler"),
        (".run", "Handler: app.handler"),
        ("../app.run", "Handler: app.handler"),
    ],
)
def test_a_handler_must_look_like_one(project, handler, fix):
    project.write(a__app="")
    first, *_, last = refusal(lambda: project.load("a", handler))
    assert first == f"E301  {handler!r} does not name a handler"
    assert last == f"fix    {fix}"


def test_mistakes_name_what_is_nearest(project):
    project.write(
        a__src__orders="def handler(e, c): pass",
        a__app="import modles",
        a__models="",
        a__needy="import not_installed_anywhere.at_all",
        a__json="def handler(e, c): pass",
        a__value="handler = 5",
    )
    assert refusal(lambda: project.load("a", "src/order.handler")) == [
        "E301  there is no module 'src.order' in a/ nor installed",
        "fix    Handler: src/orders.handler",
    ]
    assert refusal(lambda: project.load("a", "orders.handler")) == [
        "E301  there is no module 'orders' in a/ nor installed",
        "fix    CodeUri: …/src",
    ]
    assert refusal(lambda: project.load("a", "nothing_like_it.handler"))[1] == (
        "fix    CodeUri: …/the folder of nothing_like_it"
    )
    assert refusal(lambda: project.load("a", "src/orders.handel")) == [
        "E303  src.orders has no function 'handel'",
        "fix    Handler: src/orders.handler",
    ]
    assert refusal(lambda: project.load("a")) == [
        "E302  app needs the module 'modles', which is not installed here",
        "fix    import models",
    ]
    assert refusal(lambda: project.load("a", "needy.handler")) == [
        "E302  needy needs the module 'not_installed_anywhere', which is not installed here",
        "fix    pip install not_installed_anywhere",
    ]
    assert refusal(lambda: project.load("a", "json.handler"))[:2] == [
        "E303  json has no function 'handler'",
        "why    it is Python's own module, which Lambda has loaded before it looks in a folder",
    ]
    assert refusal(lambda: project.load("a", "value.handler"))[0] == (
        "E304  value.handler is int, not a function"
    )


def test_what_the_users_code_raises_is_told_with_its_line(project):
    project.write(a__app="import models", a__models="import json\n\njson.loads('{')")
    said, _ = refusal(lambda: project.load("a"))
    assert said.startswith("E302  app cannot be imported: JSONDecodeError: ")
    assert said.endswith("(models.py:3)")


def test_a_syntax_error_below_the_current_folder_is_told_from_there(project, monkeypatch):
    monkeypatch.chdir(project.root)
    project.write(a__app="def handler(:\n")
    first = refusal(lambda: project.load("a"))[0]
    assert first.startswith("a/app.py:1:13  E302  app cannot be imported: SyntaxError: ")


def test_a_file_in_place_of_the_folder_is_no_folder(project):
    project.write(a__app="")
    file = project.root / "a" / "app.py"
    assert (
        refusal(lambda: load_function(file, "app.handler", {}))[0] == f"E305  {file} is no folder"
    )


def test_a_syntax_error_is_told_with_line_and_column(project):
    project.write(a__app="import models", a__models="x = 1\ndef handler(:\n")
    assert refusal(lambda: project.load("a")) == [
        f"{project.root / 'a' / 'models.py'}:2:13  "
        "E302  app cannot be imported: SyntaxError: invalid syntax",
        "      2 | def handler(:",
        "        |             ^",
    ]


def test_a_folder_must_be_there(project):
    assert refusal(lambda: project.load("nowhere")) == [
        f"E305  there is no folder {project.root / 'nowhere'}",
        "why    the code of app.handler is looked for there",
    ]


def test_an_instance_of_the_functions_class_is_known_to_it_only(project):
    project.write(
        a__app="""
        import models
        def handler(event, context):
            return models.Order()
        """,
        a__models="class Order: pass",
    )
    order = call(project.load("a"))
    with pytest.raises((pickle.PicklingError, ModuleNotFoundError)):
        pickle.dumps(order)


def test_the_same_function_again_costs_next_to_nothing(project):
    project.write(a__app="def handler(e, c): pass")
    function = project.load("a")
    call(function)

    def seconds() -> float:
        start = time.perf_counter()
        for _ in range(2000):
            function(None, None)
        return time.perf_counter() - start

    # 2 µs on the machine it was written for; ten times that is a mistake everywhere.
    assert min(seconds() for _ in range(5)) / 2000 < 20e-6
