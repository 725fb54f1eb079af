"""What DynamoDB counts for an item, in SizeBytes and for the limit of an item's size.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
Numbers take a byte for two digits and one more, negative ones another; lists and maps three, and
one for each element. AWS does not publish what a set takes: ours is the sum of its elements.
"""

from __future__ import annotations

from decimal import Context, Decimal

from esm.payloads.attribute_values import AttributeMap, AttributeValue

_EXACT = Context(prec=1_000)
_LIST_BYTES, _ELEMENT_BYTES = 3, 1


def size_of(attributes: AttributeMap) -> int:
    """The bytes of checked attributes: their names and their values."""
    return sum(len(name.encode()) + _size(value) for name, value in attributes.items())


def _size(value: AttributeValue) -> int:
    ((kind, content),) = value.items()
    match kind:
        case "S" | "N" | "B":
            return _scalar_size(kind, content)
        case "SS" | "NS" | "BS":
            return sum(_scalar_size(kind[0], each) for each in content)
        case "L":
            return _LIST_BYTES + sum(_ELEMENT_BYTES + _size(each) for each in content)
        case "M":
            return _LIST_BYTES + _ELEMENT_BYTES * len(content) + size_of(content)
    return 1


def _scalar_size(kind: str, content: str) -> int:
    if kind == "S":
        return len(content.encode())
    if kind == "B":
        return len(content) // 4 * 3 - content.count("=")
    return _number_size(content)


def _number_size(text: str) -> int:
    number = Decimal(text)
    digits = len(number.normalize(_EXACT).as_tuple().digits) if number else 0
    return (digits + 1) // 2 + 1 + (number < 0)
