"""What a decoder says of a value that it did not expect, in the words of JSON."""

from __future__ import annotations

import re

from esm.sources.capture_places import JsonPath

_WRONG_TYPE = re.compile(r"Expected `(.*)`, got `(.*)`")
_MISSING = re.compile(r"Object missing required field `(.*)`")
_WRONG_VALUE = re.compile(r"Invalid enum value (.*)")
_WORDS = {
    "object": "an object",
    "array": "a list",
    "str": "text",
    "int": "a number",
    "float": "a number",
    "bool": "true or false",
}


def in_words(message: str, path: JsonPath) -> str:
    """msgspec's complaint about the value at a path."""
    name = "a capture" if not path else path[-1] if isinstance(path[-1], str) else "a record"
    if types := _WRONG_TYPE.fullmatch(message):
        expected, got = (
            " or ".join(_WORDS.get(each, each) for each in kinds.split(" | "))
            for kinds in types.groups()
        )
        return f"{name} must be {expected}, not {got}"
    if field := _MISSING.fullmatch(message):
        return f'"{field[1]}" is missing'
    if value := _WRONG_VALUE.fullmatch(message):
        return f"{name} must be aws:kinesis, not {value[1]}"
    return message[:1].lower() + message[1:]
