"""DynamoDB's values: from Python and back, checked, and written alike."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from hypothesis import given
from hypothesis import strategies as st

from esm.errors import EsmError, InvalidValue
from esm.payloads.attribute_values import canonical, checked, from_python, to_python

# --- from Python and back ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "attribute"),
    [
        ("text", {"S": "text"}),
        ("", {"S": ""}),
        (b"foobar", {"B": "Zm9vYmFy"}),
        (bytearray(b"x"), {"B": "eA=="}),
        (True, {"BOOL": True}),
        (None, {"NULL": True}),
        (0, {"N": "0"}),
        (-7, {"N": "-7"}),
        (Decimal("1.50"), {"N": "1.5"}),
        (Decimal("1E3"), {"N": "1000"}),
        (Decimal("-0"), {"N": "0"}),
        (10**37, {"N": "1" + "0" * 37}),
        ([1, "a"], {"L": [{"N": "1"}, {"S": "a"}]}),
        ((), {"L": []}),
        ({"a": {"b": None}}, {"M": {"a": {"M": {"b": {"NULL": True}}}}}),
        ({"b", "a"}, {"SS": ["a", "b"]}),
        ({2, Decimal("1.0")}, {"NS": ["1", "2"]}),
        (frozenset({b"x"}), {"BS": ["eA=="]}),
    ],
    ids=repr,
)
def test_a_python_value_becomes_an_attribute(value, attribute):
    assert from_python({"it": value}) == {"it": attribute}


@pytest.mark.parametrize(
    ("value", "fix"),
    [
        (0.1, 'Decimal("0.1")'),
        (object, "str, int, Decimal, bytes, bool, None, list, dict or set"),
        (set(), "a set that is not empty, of texts, of numbers, or of bytes"),
        ({1, "a"}, "a set that is not empty, of texts, of numbers, or of bytes"),
        ({True}, "a set of texts, of numbers, or of bytes"),
        (Decimal("NaN"), "a finite number"),
        (10**126, "a number between 1E-130 and 1E+126"),
        (Decimal("1E-131"), "a number between 1E-130 and 1E+126"),
        (int("1" * 39), "a number of at most 38 digits"),
        ("\ud800", "text without half characters, or bytes"),
        ({"": 1}, "text that is not empty"),
        ({1: 1}, "text that is not empty"),
    ],
    ids=repr,
)
def test_what_dynamodb_has_no_type_for_is_refused_with_a_way_out(value, fix):
    with pytest.raises(InvalidValue) as raised:
        from_python({"it": value})

    assert (raised.value.esm_code, raised.value.fix) == ("E460", fix)


def test_the_place_of_a_refused_value_is_named():
    with pytest.raises(
        InvalidValue, match=r"^E460  cart\.lines\[1\]: DynamoDB has no type for 0.1"
    ):
        from_python({"cart": {"lines": [1, 0.1]}})


def test_an_item_is_a_dict():
    with pytest.raises(InvalidValue, match=r"an item: DynamoDB has no type for 'a' \(str\)"):
        from_python("a")  # type: ignore[arg-type]


def nested(levels: int) -> Any:
    value: Any = "end"
    for _ in range(levels):
        value = [value]
    return value


def test_values_nest_31_times_below_an_attribute():
    item = from_python({"it": nested(31)})

    assert to_python(checked(item, "item")) == {"it": nested(31)}
    with pytest.raises(InvalidValue, match="nested deeper than 32 levels"):
        from_python({"it": nested(32)})
    with pytest.raises(InvalidValue, match="nested deeper than 32 levels"):
        checked({"it": {"L": [item["it"]]}}, "item")


NUMBERS = st.integers(-(10**30), 10**30) | st.decimals(
    min_value=-(10**9), max_value=10**9, places=4
)
SCALARS = st.text(st.characters(exclude_categories=["Cs"])) | st.binary() | NUMBERS
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
VALUES = st.recursive(
    SCALARS
    | st.booleans()
    | st.none()
    | st.sets(st.text(st.characters(exclude_categories=["Cs"])), min_size=1)
    | st.sets(NUMBERS, min_size=1)
    | st.sets(st.binary(), min_size=1),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(NAMES, values, max_size=3),
    max_leaves=6,
)
ITEMS = st.dictionaries(NAMES, VALUES, max_size=4)


@given(ITEMS)
def test_an_item_comes_back_as_it_was(item):
    assert to_python(from_python(item)) == item


@given(ITEMS)
def test_boto3_reads_what_we_write_and_we_read_what_boto3_writes(item):
    serialize, deserialize = TypeSerializer().serialize, TypeDeserializer().deserialize
    by_boto3 = serialize(item)["M"]

    assert canonical(checked(by_boto3, "item")) == from_python(item)
    assert {name: deserialize(by_boto3[name]) for name in item} == item


# --- checked -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        "text",
        {},
        {"S": "a", "N": "1"},
        {"X": "a"},
        {"S": 1},
        {"N": 1},
        {"N": "one"},
        {"N": "1_000"},
        {"N": " 1"},
        {"N": "NaN"},
        {"N": "1E99999"},
        {"B": "not base64"},
        {"BOOL": "true"},
        {"NULL": False},
        {"SS": []},
        {"SS": "a"},
        {"NS": ["a"]},
        {"L": {"S": "a"}},
        {"L": ["a"]},
        {"M": {"a": "b"}},
    ],
    ids=repr,
)
def test_what_is_no_attribute_is_refused_by_its_place(value):
    with pytest.raises(InvalidValue, match=r"^E461  new_image\.it") as raised:
        checked({"it": value}, "new_image")

    assert raised.value.fix == '{"S": "text"}, {"N": "1"}, {"BOOL": true}, …'


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.binary(),
    lambda values: (
        st.lists(values, max_size=2)
        | st.dictionaries(st.sampled_from(["S", "N", "B", "BOOL", "NULL", "SS", "L", "M"]), values)
    ),
    max_leaves=5,
)


@given(st.dictionaries(st.text(), JSON) | JSON)
def test_whatever_is_given_is_taken_or_refused_as_a_mistake(given_attributes):
    for read in (from_python, lambda it: canonical(checked(it, "item"))):
        try:
            attributes = read(given_attributes)
        except EsmError:
            continue
        assert checked(attributes, "item") == attributes


def test_a_value_nested_without_end_is_refused_as_a_mistake():
    endless: Any = {}
    endless["L"] = [endless]
    for read in (from_python, lambda it: checked(it, "item")):
        with pytest.raises(InvalidValue, match="nested deeper than 32 levels"):
            read({"it": endless})


def test_attributes_are_a_dict():
    with pytest.raises(InvalidValue, match=r"^E461  keys: 'a' are no attributes by name"):
        checked("a", "keys")


def test_checked_attributes_are_a_copy_and_bytes_become_base64():
    given = {"a": {"L": [{"B": b"foobar"}]}, "n": {"N": "1.0"}}

    copy = checked(given, "item")
    given["a"]["L"].clear()

    assert copy == {"a": {"L": [{"B": "Zm9vYmFy"}]}, "n": {"N": "1.0"}}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"N": "1.0"}, {"N": "1"}),
        ({"N": "1E+2"}, {"N": "100"}),
        ({"NS": ["2.0", "1"]}, {"NS": ["1", "2"]}),
        ({"SS": ["b", "a"]}, {"SS": ["a", "b"]}),
        ({"L": [{"M": {"n": {"N": "01"}}}]}, {"L": [{"M": {"n": {"N": "1"}}}]}),
    ],
    ids=repr,
)
def test_equal_values_are_written_alike(one, other):
    assert canonical({"it": one}) == canonical({"it": other}) == {"it": other}


def test_the_order_of_a_list_counts():
    one, other = ({"it": {"L": [{"N": a}, {"N": b}]}} for a, b in ("12", "21"))

    assert canonical(one) != canonical(other)
