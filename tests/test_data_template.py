"""A template that is taken makes JSON of every record; any other is refused with its place."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esm.data_template import EXAMPLES, PLACEHOLDERS, DataTemplate, Facts
from esm.errors import InputError

FACTS = Facts(17, 'a"\\key\n', 1_767_225_600_000)
PIECES = st.sampled_from(
    ["{", "}", "[", "]", '"', ":", ",", "\\", "-", "1", ".", "e", "a", " ", "\n", "{{", "}}", "é"]
    + [f"{{{{{example}}}}}" for example in EXAMPLES]
    + ['"a":', '"{{n}}":', '{"a":{{key}}}', "{{int -5 -1}}", "{{nothing}}"]
)


def filled(template: str, seed: int = 0) -> str:
    return DataTemplate(template).fill(FACTS, random.Random(seed))


def outcome(template: str) -> str:
    """`JSON`, or the code of the refusal."""
    try:
        json.loads(filled(template))
    except InputError as error:
        return error.esm_code
    return "JSON"


@given(st.lists(PIECES, max_size=12).map("".join))
def test_whatever_is_taken_becomes_json(template: str):
    assert outcome(template) in {"JSON", "E451", "E452", "E453"}


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_a_value_alone_and_text_in_quotes(example: str):
    alone = json.loads(filled(f"{{{{{example}}}}}"))
    assert json.loads(filled(f'"<{{{{{example}}}}}>"')) == f"<{alone}>"


def test_there_is_an_example_of_each():
    assert [example.split()[0] for example in EXAMPLES] == list(PLACEHOLDERS)


def test_both_ends_of_a_range_are_drawn():
    template = DataTemplate("{{int 1 3}}")
    rng = random.Random(0)
    assert {template.fill(FACTS, rng) for _ in range(100)} == {"1", "2", "3"}


def test_the_place_of_a_mistake_counts_lines():
    with pytest.raises(InputError) as caught:
        DataTemplate('{\n  "id": {{n}},\n  "at": {{now}} {{n}}\n}')
    place = caught.value.place
    assert place is not None
    assert (place.line, place.column, place.text) == (3, 17, '  "at": {{now}} {{n}}')
