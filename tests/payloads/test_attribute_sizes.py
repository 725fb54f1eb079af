"""What DynamoDB counts for values."""

from __future__ import annotations

from decimal import Decimal

import pytest

from esm.payloads.attribute_sizes import size_of
from esm.payloads.attribute_values import from_python


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ("alpha beta", 10),
        ("Zürich", 7),
        (b"foobar", 6),
        (b"x", 1),
        (True, 1),
        (None, 1),
        (0, 1),
        (5, 2),
        (101, 3),
        (1000, 2),
        (-101, 4),
        (Decimal("0.00123"), 3),
        ({"a", "bc"}, 3),
        ({1, 22}, 4),
        ([], 3),
        (["ab", 1], 3 + 1 + 2 + 1 + 2),
        ({"k": "ab"}, 3 + 1 + 1 + 2),
    ],
    ids=repr,
)
def test_a_value_weighs_what_dynamodb_counts(value, size):
    assert size_of(from_python({"it": value})) == len("it") + size
