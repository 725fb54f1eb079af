"""What is hidden of a function's variables."""

from __future__ import annotations

import pytest

from esm.cli.mask import Mask


@pytest.mark.parametrize(
    ("values", "text", "hidden"),
    [
        (["hunter22"], "password hunter22!", "password ****!"),
        (["hunter22"], "hunter2233", "hunter2233"),
        (["hunter22hunter22"], "token_hunter22hunter22x", "token_****x"),
        (['-KEY-\n\'"e"'], r"""'-KEY-\n\'"e"' "-KEY-\n'\"e\"" """, """'****' "****" """),
        (["abcd", "abcd-efgh"], "abcd-efgh abcd", "**** ****"),
        (["abc", ""], "abc", "abc"),
        (["a.b*c"], "a.b*c axb", "**** axb"),
        (["-key-"], "x -key- y", "x **** y"),
        ([], "abcd", "abcd"),
    ],
    ids=[
        "a word",
        "part of a word",
        "long",
        "quoted",
        "the longest",
        "short",
        "no pattern",
        "marks",
        "none",
    ],
)
def test_values_are_hidden(values: list[str], text: str, hidden: str):
    assert Mask(values).text(text) == hidden


def test_values_of_the_command_line_are_no_secret():
    assert Mask(["enriched", "hunter22"], shown=["enriched"]).text("enriched hunter22") == (
        "enriched ****"
    )


def test_json_is_hidden_in_its_texts_only():
    value = {"abcd": ["abcd", 1234, None, True, {"x": "an abcd"}]}
    assert Mask(["abcd", "1234"]).json(value) == {
        "abcd": ["****", 1234, None, True, {"x": "an ****"}]
    }
