"""JSON with placeholders, `{"id": {{n}}, "state": "{{choice new paid}}"}`, from which data is made.

A placeholder inside of a JSON text is replaced by text, elsewhere by a JSON value: text in quotes,
numbers without. Everything is checked when the template is read, so that filling it cannot fail.
"""

from __future__ import annotations

import difflib
import json
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

from esm.errors import InputError, Place
from esm.instants import iso_ms

Value = str | int | float


@dataclass(frozen=True, slots=True)
class Facts:
    """What a placeholder can know of its record; `number` counts from 1."""

    number: int
    key: str
    arrived_ms: int


Draw = Callable[[Facts, random.Random], Value]
"""Makes the value of a placeholder for one record."""

_PLACEHOLDER = re.compile(r"\{\{([^{}]*)\}\}")
_QUOTE = re.compile(r'\\.|"', re.DOTALL)
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_DECIMAL = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class _Hole:
    draw: Draw
    in_text: bool

    def fill(self, facts: Facts, rng: random.Random) -> str:
        value = self.draw(facts, rng)
        if self.in_text:
            return _json(str(value))[1:-1]
        return _json(value)


class DataTemplate:
    """A template that can be filled; E451 to E453 for one that never could."""

    __slots__ = ("_parts",)

    def __init__(self, text: str) -> None:
        self._parts: tuple[str | _Hole, ...] = tuple(_parse(text))

    def fill(self, facts: Facts, rng: random.Random) -> str:
        """The data of one record."""
        return "".join(
            part if isinstance(part, str) else part.fill(facts, rng) for part in self._parts
        )


def _parse(text: str) -> list[str | _Hole]:
    parts: list[str | _Hole] = []
    # In place of each placeholder a value as long as it, so that what json says of a column holds;
    # a list, because digits or a sign in front of a number would go unseen.
    skeleton: list[str] = []
    in_text, end = False, 0
    for match in _PLACEHOLDER.finditer(text):
        between = text[end : match.start()]
        in_text ^= _QUOTE.findall(between).count('"') % 2 == 1
        width = match.end() - match.start()
        skeleton += between, "x" * width if in_text else "[]".ljust(width)
        parts += between, _Hole(_draw_of(text, match), in_text)
        end = match.end()
    parts.append(text[end:])
    _check_json(text, "".join((*skeleton, text[end:])))
    return parts


def _check_json(text: str, skeleton: str) -> None:
    try:
        json.loads(skeleton, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise InputError(
            "E452",
            f"the data is not JSON: {error.msg[0].lower()}{error.msg[1:]}",
            place=_place(text, error.pos),
            fix="""--data '{"id": {{n}}, "key": "{{key}}"}'""",
        ) from None
    except (ValueError, RecursionError) as error:
        raise InputError("E452", f"the data is not JSON: {error}") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"it has no {name}")


def _place(text: str, position: int) -> Place:
    line = text.count("\n", 0, position) + 1
    column = position - (text.rfind("\n", 0, position) + 1) + 1
    return Place("--data", line, column, text.split("\n")[line - 1])


def _draw_of(text: str, match: re.Match[str]) -> Draw:
    name, *words = match[1].split() or [""]
    if name not in PLACEHOLDERS:
        known = {each.split()[0]: f"{{{{{each}}}}}" for each in EXAMPLES}
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
        raise InputError(
            "E451",
            f"there is no placeholder {match[0]}",
            place=_place(text, match.start()),
            why=f"known are {', '.join(known)}",
            fix=known[close[0]] if close else None,
        )
    try:
        return PLACEHOLDERS[name](words)
    except ValueError as error:
        example = next(each for each in EXAMPLES if each.split()[0] == name)
        raise InputError(
            "E453",
            f"{match[0]}: {error}",
            place=_place(text, match.start()),
            fix=f"{{{{{example}}}}}",
        ) from None


# --- what each placeholder means: from its words to a draw; ValueError says what it takes ---------


def _plain(draw: Draw) -> Callable[[list[str]], Draw]:
    def without_words(words: list[str]) -> Draw:
        if words:
            raise ValueError("it takes nothing more")
        return draw

    return without_words


def _int(words: list[str]) -> Draw:
    if len(words) != 2 or not all(map(_INTEGER.fullmatch, words)):
        raise ValueError("it takes two whole numbers")
    low, high = map(int, words)
    if low > high:
        raise ValueError("the first number is the smaller one")
    return lambda _, rng: rng.randint(low, high)


def _float(words: list[str]) -> Draw:
    if len(words) != 2 or not all(map(_DECIMAL.fullmatch, words)):
        raise ValueError("it takes two numbers")
    low, high = map(float, words)
    if low > high:
        raise ValueError("the first number is the smaller one")
    return lambda _, rng: round(rng.uniform(low, high), _DIGITS)


def _choice(words: list[str]) -> Draw:
    if not words:
        raise ValueError("it takes words to choose from")
    return lambda _, rng: rng.choice(words)


def _uuid(_: Facts, rng: random.Random) -> str:
    return str(UUID(int=rng.getrandbits(128), version=4))


PLACEHOLDERS: Mapping[str, Callable[[list[str]], Draw]] = {
    "n": _plain(lambda facts, _: facts.number),
    "key": _plain(lambda facts, _: facts.key),
    "now": _plain(lambda facts, _: iso_ms(facts.arrived_ms)),
    "uuid": _plain(_uuid),
    "int": _int,
    "float": _float,
    "choice": _choice,
}
EXAMPLES = ("n", "key", "now", "uuid", "int 1 100", "float 0 1", "choice new paid sent")
"""One of each kind, as it stands between the braces."""

_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
