"""Functions that run at the same time: each finds its own modules."""

from __future__ import annotations

import builtins
import importlib
import sys
import threading

import pytest
from living import NAMES, answers, both, until

from esm import own_modules
from esm.own_modules import Isolation

pytestmark = pytest.mark.usefixtures("outside_stays_as_it_is")


def test_what_is_imported_while_they_run_is_their_own(living):
    functions = both(
        living,
        """
        import importlib
        from importlib import import_module
        import shop

        def handler(event, context):
            import late
            from models import OF
            from shop import shelf
            from shop.till import OF as till
            import shop.cellar
            return [
                late.OF, OF, shelf.OF, till, shop.cellar.OF, import_module("named").OF,
                importlib.import_module(".door", "shop").OF, shop.inside(),
            ]
        """,
        late="", models="", shop__shelf="", shop__till="", shop__cellar="", named="",
        shop__door="", shop__attic="",
        shop__init__="def inside():\n    from . import attic\n    return attic.OF",
    )  # fmt: skip
    for _ in range(2):
        assert answers(living, functions) == [["orders"] * 8, ["users"] * 8]


def test_four_threads_of_each_import_at_once(living):
    functions = both(
        living,
        """
        from concurrent.futures import ThreadPoolExecutor

        def late(number):
            module = __import__(f"late{number % 10}")
            from models import OF
            return module.OF, OF

        def handler(event, context):
            with ThreadPoolExecutor(4) as pool:
                return sorted(set(pool.map(late, range(200))))
        """,
        models="",
        **{f"late{n}": "import json, time; time.sleep(0.001)" for n in range(10)},
    )
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        found = answers(living, functions)
    finally:
        sys.setswitchinterval(interval)
    assert found == [[[name, name]] for name in NAMES]


def test_modules_are_found_by_the_names_of_their_classes(living):
    app = """
        import copy, dataclasses, pickle, sys, typing
        import models

        def handler(event, context):
            order = models.Order(models.Item(1))
            made = dataclasses.make_dataclass(
                "Made", [("n", "models.Item")], namespace={"__module__": __name__}
            )
            return [
                pickle.loads(pickle.dumps(order)) == order,
                pickle._loads(pickle._dumps(order)) == order,
                copy.deepcopy(order) == order,
                typing.get_type_hints(models.Order) == {"item": models.Item},
                sys.modules[__name__].handler is handler,
                sys.modules.get("models") is models and "models" in sys.modules,
                typing.get_type_hints(made) == {"n": models.Item},
            ]
        """
    models = """
from __future__ import annotations
from dataclasses import dataclass

@dataclass
class Order:
    item: Item

@dataclass
class Item:
    n: int
"""
    for name in NAMES:
        living.write(**{f"{name}__app": app, f"{name}__models": models})
    functions = [living.folder_of(name) for name in NAMES]
    assert answers(living, functions) == [[True] * 7] * 2


def test_models_of_pydantic_that_are_built_late_find_their_own_names(living):
    app = """
        import models

        def handler(event, context):
            return models.Order.model_validate({"item": {"n": "5"}}).model_dump()
        """
    models = """
        from __future__ import annotations
        from pydantic import BaseModel

        class Order(BaseModel):
            item: Item  # not yet there: the model is built when it is used first

        class Item(BaseModel):
            n: {kind}
        """
    for name, kind in zip(NAMES, ("int", "str"), strict=True):
        living.write(**{f"{name}__app": app, f"{name}__models": models.replace("{kind}", kind)})
    functions = [living.folder_of(name) for name in NAMES]
    assert answers(living, functions) == [{"item": {"n": 5}}, {"item": {"n": "5"}}]


def test_a_slow_import_of_one_does_not_keep_others_from_being_called(living, monkeypatch):
    gates = {"begun": threading.Event(), "go_on": threading.Event()}
    monkeypatch.setattr(builtins, "gates", gates, raising=False)
    slow, quick = both(
        living,
        """
        import os
        def handler(event, context):
            if event == "slow":
                import late
            import models, json
            return models.OF
        """,
        late="gates['begun'].set()\ngates['go_on'].wait(5)",
        models="",
    )
    assert answers(living, [slow, quick]) == [*NAMES]  # what is loaded is loaded
    answer = living.ask(slow, "slow")
    assert gates["begun"].wait(5)
    assert answers(living, [quick]) == ["users"]
    assert not answer.is_there
    gates["go_on"].set()
    assert answer.payload == "orders"


SHARING = """
    def handler(event, context):
        if event == "shared":
            import shared
            return shared.OF
        if event == "late":
            import late
            return late.OF
    """


@pytest.fixture
def shared(living):
    """An installed module that wants one of the function's; it and `late` wait where told to."""
    living.write(installed__shared="reach('shared')\nimport models\nOF = models.OF")
    sys.path.append(str(living.folder / "installed"))
    yield both(living, SHARING, late="reach('late')\nimport shared", models="")
    living.close()
    sys.path.pop()
    sys.modules.pop("shared", None)


def two_that_meet(living, monkeypatch, functions, first, second):
    """The second begins when the first has reached its module, which goes on a while after."""
    reached = {name: threading.Event() for name in ("shared", "late")}

    def reach(name):
        reached[name].set()
        if name == first:
            reached[second].wait(0.05)

    monkeypatch.setattr(builtins, "reach", reach, raising=False)
    assert answers(living, functions) == [None, None]
    one = living.ask(functions[0], first)
    assert reached[first].wait(5)
    return one, living.ask(functions[1], second)


def test_who_loads_a_shared_module_keeps_others_from_loading_what_needs_it(
    living, monkeypatch, shared
):
    one, other = two_that_meet(living, monkeypatch, shared, "shared", "late")
    assert (one.payload, other.payload) == ("orders", "users")


def test_two_that_load_what_the_other_one_needs_do_not_wait_for_ever(living, monkeypatch, shared):
    monkeypatch.setattr(own_modules, "_PATIENCE_S", 0.05)
    one, other = two_that_meet(living, monkeypatch, shared, "late", "shared")
    assert one.payload == "orders"
    assert isinstance(other.result.error, ImportError)
    assert "while another function loads its own" in str(other.result.error)
    assert living.ask(shared[1], "shared").payload == "users"


def test_a_slow_import_of_one_does_not_keep_others_from_shared_modules(living, monkeypatch):
    gates = {"begun": threading.Event(), "go_on": threading.Event()}
    monkeypatch.setattr(builtins, "gates", gates, raising=False)
    slow, quick = both(
        living,
        """
        def handler(event, context):
            import models
            if event == "slow":
                import late
            if event == "shared":
                sys = __import__("sys")
                sys.modules.pop("colorsys", None)
                import colorsys
            return models.OF
        """,
        late="gates['begun'].set()\ngates['go_on'].wait(5)",
        models="",
    )
    assert answers(living, [slow, quick]) == [*NAMES]
    answer = living.ask(slow, "slow")
    assert gates["begun"].wait(5)
    assert living.ask(quick, "shared").payload == "users"
    assert not answer.is_there
    gates["go_on"].set()
    assert answer.payload == "orders"


def test_a_name_that_only_one_of_them_has_is_shared_for_the_other_at_any_moment(
    living, monkeypatch
):
    gates = {"begun": threading.Event(), "go_on": threading.Event()}
    monkeypatch.setattr(builtins, "gates", gates, raising=False)
    app = """
        def handler(event, context):
            if event == "load":
                import colorsys
                import late
            from colorsys import __file__ as place
            import colorsys
            return "orders" in place and place == colorsys.__file__
        """
    living.write(orders__app=app, users__app=app, orders__colorsys="")
    living.write(orders__late="gates['begun'].set()\ngates['go_on'].wait(5)")
    orders, users = (living.folder_of(name) for name in NAMES)
    assert answers(living, [users]) == [False]
    loading = living.ask(orders, "load")
    assert gates["begun"].wait(5)
    assert answers(living, [users]) == [False]  # while that of the other is in sys.modules
    assert "orders" not in importlib.import_module("colorsys").__file__
    assert not loading.is_there
    gates["go_on"].set()
    assert loading.payload is True


def test_functions_that_are_loaded_at_once_do_not_find_modules_of_each_other(living, monkeypatch):
    gate = threading.Event()
    monkeypatch.setattr(builtins, "gate", gate, raising=False)
    living.write(orders__app="import only\ngate.wait(5)\ndef handler(e, c): return only.OF")
    living.write(orders__only="OF = 'orders'")
    living.write(users__app="def handler(e, c):\n    import only")
    orders, users = (living.folder_of(name) for name in NAMES)
    first, second = living.ask(orders), living.ask(users)
    until(lambda: "only" in sys.modules)
    gate.set()
    assert first.payload == "orders"
    assert isinstance(second.result.error, ModuleNotFoundError)


def test_a_thread_that_python_does_not_know_finds_the_modules_of_its_code(living):
    functions = both(
        living,
        """
        import _thread
        def late(found, done):
            from models import OF
            found.append(OF)
            done.release()

        def handler(event, context):
            found, done = [], _thread.allocate_lock()
            done.acquire()
            _thread.start_new_thread(late, (found, done))
            return done.acquire(timeout=5) and found
        """,
        models="",
    )
    assert answers(living, functions) == [["orders"], ["users"]]


def test_the_thread_outside_finds_no_module_of_theirs(living):
    functions = both(living, "import models\ndef handler(e, c): return models.OF", models="")
    assert answers(living, functions) == [*NAMES]
    assert "models" not in sys.modules
    with pytest.raises(ModuleNotFoundError):
        import models  # noqa: F401
    with Isolation([living.folder / "users"]):
        assert importlib.import_module("models").OF == "users"
    assert answers(living, functions) == [*NAMES]


def test_sys_modules_is_a_mapping_like_any_other_meanwhile(living):
    (function, _) = both(living, "import models\ndef handler(e, c): return 1", models="")
    assert living.ask(function).payload == 1
    names = [*sys.modules]
    assert sys.modules.copy().keys() == set(names)
    assert len(sys.modules) == len(names)
    assert next(reversed(sys.modules)) == names[-1]
    assert [name in sys.modules for name in ("json", "models", 5)] == [True, False, False]
    sys.modules["esm_test"] = pytest
    assert sys.modules["esm_test"] is pytest
    del sys.modules["esm_test"]
    assert sys.modules.get("esm_test", 5) == 5
    with pytest.raises(KeyError):
        sys.modules["esm_test"]


def test_what_c_code_puts_into_sys_modules_is_found_and_stays(living):
    (function, _) = both(
        living,
        """
        import json, sys

        def handler(event, context):
            dict.__setitem__(sys.modules, "esm_test_of_c", json)
            import esm_test_of_c
            return esm_test_of_c is json and "esm_test_of_c" in sys.modules
        """,
    )
    assert living.ask(function).payload is True
    living.close()
    assert sys.modules.pop("esm_test_of_c") is sys.modules["json"]
