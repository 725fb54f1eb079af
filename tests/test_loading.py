"""Handlers by name."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from esm.errors import HandlerError
from esm.loading import load_handler


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, with modules that no other test knows."""
    before = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def module(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def refusal(name: str) -> HandlerError:
    with pytest.raises(HandlerError) as caught:
        load_handler(name)
    return caught.value


def test_a_function_of_a_module_in_the_current_folder(folder):
    module(folder, "signups_one.py", "def handler(event, context): return 'ok'")
    assert load_handler("signups_one:handler")({}, None) == "ok"


def test_a_function_of_a_module_in_another_folder(folder):
    module(folder, "app/signups_two.py", "def handler(event, context): return 'ok'")
    assert load_handler("signups_two:handler", folder / "app")({}, None) == "ok"


def test_a_function_of_a_package(folder):
    module(folder, "shop_three/__init__.py", "")
    module(folder, "shop_three/orders.py", "def handler(event, context): return 'ok'")
    assert load_handler("shop_three.orders:handler")({}, None) == "ok"


def test_anything_that_can_be_called_will_do(folder):
    module(
        folder,
        "signups_four.py",
        "class Handler:\n    def __call__(self, e, c): return 1\nh = Handler()",
    )
    assert load_handler("signups_four:h")({}, None) == 1


@pytest.mark.parametrize("name", ["signups", "signups:", ":handler", ""])
def test_a_name_needs_module_and_function(name):
    error = refusal(name)
    assert error.esm_code == "E301"
    assert str(error).splitlines()[0] == f"E301  {name!r} does not name a handler"


def test_a_module_that_is_not_there_names_the_nearest(folder):
    module(folder, "signups_five.py", "")
    error = refusal("singups_five:handler")
    assert error.esm_code == "E301"
    assert str(error).splitlines() == [
        f"E301  there is no module 'singups_five' in {folder.name}/ nor installed",
        'fix    "signups_five:…"',
    ]


def test_a_module_that_needs_another_says_which(folder):
    module(folder, "signups_six.py", "import not_installed_anywhere.at_all")
    error = refusal("signups_six:handler")
    assert str(error).splitlines() == [
        "E302  signups_six needs the module 'not_installed_anywhere', which is not installed here",
        "fix    pip install not_installed_anywhere",
    ]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("x = 1\nraise ValueError('no region')", "ValueError: no region (signups_bad.py:2)"),
        ("raise SystemExit(2)", "SystemExit: 2 (signups_bad.py:1)"),
    ],
)
def test_a_module_whose_own_code_fails_says_where(folder, code, said):
    module(folder, "signups_bad.py", code)
    error = refusal("signups_bad:handler")
    assert error.esm_code == "E302"
    assert str(error).splitlines()[0] == f"E302  signups_bad cannot be imported: {said}"
    assert error.__cause__ is not None


def test_a_module_that_is_no_python_says_so(folder):
    module(folder, "signups_syntax.py", "def handler(:\n")
    error = refusal("signups_syntax:handler")
    assert error.esm_code == "E302"
    assert "SyntaxError" in str(error)


def test_a_function_that_is_not_there_names_the_nearest(folder):
    module(folder, "signups_seven.py", "def handler(event, context): pass")
    assert str(refusal("signups_seven:handle")).splitlines() == [
        "E303  signups_seven has no function 'handle'",
        'fix    "signups_seven:handler"',
    ]


def test_a_function_that_is_named_rightly_and_not_there_is_to_be_written(folder):
    module(folder, "signups_nine.py", "x = 1")
    assert refusal("signups_nine:handler").fix == "def handler(event, context):"


def test_what_is_no_function_is_refused(folder):
    module(folder, "signups_eight.py", "handler = 5")
    error = refusal("signups_eight:handler")
    assert error.esm_code == "E304"
    assert str(error).splitlines()[0] == "E304  signups_eight:handler is int, not a function"
