"""What a user reads when something of theirs is wrong: five lines at most, in a fixed order."""

import copy
import pickle

import pytest

from esm.errors import EsmError, MappingError, NotEmulated, Place, SettingsError

LINE = "      - Pattern: '{\"total\": 1}'"


def test_code_and_message_are_enough():
    assert str(EsmError("E401", "no such file")) == "E401  no such file"


def test_place_line_caret_why_and_fix_stand_in_this_order():
    error = EsmError(
        "E251",
        'filter 1: "total" must be a list of values',
        place=Place("template.yaml", 24, 20, LINE),
        why="AWS refuses it: every leaf of a pattern is a list",
        fix="'{\"total\": [1]}'",
    )
    assert str(error).split("\n") == [
        'template.yaml:24:20  E251  filter 1: "total" must be a list of values',
        f"     24 | {LINE}",
        "        |                    ^",
        "why    AWS refuses it: every leaf of a pattern is a list",
        "fix    '{\"total\": [1]}'",
    ]
    caret, line = str(error).split("\n")[2], str(error).split("\n")[1]
    assert line[caret.index("^")] == LINE[19]


def test_a_place_without_its_text_stands_in_front():
    assert str(EsmError("E402", "not JSON", place=Place("a.json", 3))) == "a.json:3  E402  not JSON"


def test_awss_message_stays_and_our_detail_follows():
    error = MappingError(
        "E250",
        "Invalid filter pattern definition.",
        code="InvalidParameterValueException",
        detail="filter 1: not JSON",
        why="AWS refuses it",
        fix="[]",
    )
    assert (error.code, error.message) == (
        "InvalidParameterValueException",
        "Invalid filter pattern definition.",
    )
    assert str(error).split("\n") == [
        "E250  Invalid filter pattern definition.",
        "what   filter 1: not JSON",
        "why    AWS refuses it",
        "fix    []",
    ]


@pytest.mark.parametrize("column", [None, 9])
def test_five_lines_are_never_exceeded(column):
    error = MappingError(
        "E250",
        "two\nlines",
        detail="more\r\nof\u2028it",
        place=Place("t.yaml", 1, column, "text\ttabbed\x1b[31m\n"),
        why="a\nb",
        fix="c\nd",
    )
    lines = str(error).splitlines()
    assert len(lines) == 5
    assert "more\\r\\nof\\u2028it" in lines[2]
    assert "\x1b" not in str(error)


def test_the_caret_stays_in_sight_on_a_line_of_any_length():
    text = "x" * 5_000 + "!" + "y" * 5_000
    _, line, caret = str(EsmError("E402", "m", place=Place("a.json", 1, 5_001, text))).split("\n")
    assert len(line) < 100
    assert line[caret.index("^")] == "!"


def test_an_enormous_value_is_cut_in_the_text_and_whole_in_the_message():
    error = EsmError("E204", "v" * 100_000)
    assert str(error) == "E204  " + "v" * 994 + "… (100006 characters)"
    assert len(error.message) == 100_000


@pytest.mark.parametrize("again", [copy.copy, lambda e: pickle.loads(pickle.dumps(e))])
def test_an_error_survives_the_way_to_another_process(again):
    error = NotEmulated("E290", "filters", code=None, place=Place("t", 1, 2, "x"), fix="[]")
    twin = again(error)
    assert type(twin) is NotEmulated
    assert (str(twin), twin.args, twin.place) == (str(error), error.args, error.place)


def test_a_senseless_setting_is_a_value_error_too():
    with pytest.raises(ValueError, match="E260"):
        raise SettingsError("E260", "read_ahead_records must be at least 1")
