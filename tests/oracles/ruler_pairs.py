"""Pairs of a pattern and an event, made from a seed: small alphabets, so that many of them match.

Left out, each on purpose, is where we follow AWS's documentation of Lambda or of JSON instead of
AWS's open-source matcher:
- a plain string that is an IP address: the matcher takes other spellings of it for the same;
- equal keys in one object: the matcher merges them, Lambda takes the last one;
- text after the end of a pattern: the matcher does not read on;
- `{"exactly": "x"}`: undocumented;
- "anything-but" with an empty set of prefixes: never asked of AWS;
- an IPv6 address and an IPv4 network, a number and the network 0.0.0.0/0: the matcher compares
  their first digits;
- a wildcard, a numeric bound or a network beside other rules for the same path, in a list or by
  "$or", and equal rules in two options of "$or": the matcher mixes them up;
- the greatest double as a bound: the matcher's range fails;
- an empty key: the matcher leaves it out of the path;
- case outside the Basic Multilingual Plane: the matcher compares halves of a character.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

Json = object

KEYS = ["a", "b", "c", "a.b", "b.c", "a.b.c"]
TEXTS = [
    "",
    "a",
    "A",
    "ab",
    "aB",
    "abc",
    "b",
    "ba",
    "*",
    "a*b",
    "x/y",
    "ß",
    "SS",
    "\u017f",
    "1",
    "a\\b",
]
NUMBERS = ["0", "1", "-1", "2", "2.0", "1e0", "0.5", "-0", "300", "3e2", "3.00e2", "5", "10"]
LARGE = [
    *("9007199254740992", "9007199254740993", "9007199254740994", "100000000000000000000"),
    *("1e20", "1e400", "-1e400", "1e-400", "0.1", "0.10000000000000000001", "12345678901234567890"),
    *("0.30000000000000004", "123456789012345.678", "1.5e308"),
]
ADDRESSES = ["10.1.0.0", "10.1.0.255", "10.1.1.0", "192.168.0.1", "10.1.0", "300.1.0.x"]
NETWORKS = ["10.1.0.0/24", "10.1.0.7/31", "10.1.0.200/25", "10.0.0.0/8"]
WILDCARDS = ["*", "a*", "*b", "a*b", "*a*", "a*b*c", "", "ab", "a\\*b", "a\\\\b"]
MISUSES = [
    *(None, True, 1, "a", [], {}, {"equals-ignore-case": "a"}, ["a", 1], ["a", None], {"x": "a"}),
    *("a**b", "a\\b", "a\\", "10.1.0.0/32", "10.1.0.0", "x/1", "10.1.0.0/x", "10.1.0.0/8/8"),
    *(
        [">", 0, ">", 0],
        [">", 1, "<", 1],
        ["<", 5, ">", 0],
        ["=", 0, "<", 5],
        [">", "0"],
        ["!=", 0],
    ),
    *({"prefix": ""}, {"suffix": 1}, {"wildcard": "**"}, {"exists": True}, ["a", "b"]),
]
OPERATORS = [
    *("prefix", "suffix", "equals-ignore-case", "anything-but", "anything-but", "numeric"),
    *("numeric", "exists", "exists", "exists", "wildcard", "cidr"),
]
ALONE = {"cidr", "numeric", "wildcard"}
COMPARISONS = ["=", "<", "<=", ">", ">="]


class Raw(float):
    """A number that is written as it was drawn."""

    def __new__(cls, text: str) -> Raw:
        made = super().__new__(cls, text)
        made.text = text
        return made

    text: str

    def __repr__(self) -> str:
        return self.text


def pairs(seed: int, count: int) -> Iterator[tuple[str, str]]:
    """So many pairs of texts; the same for the same seed."""
    draw = Draw(random.Random(seed))
    for _ in range(count):
        pattern = draw.pattern()
        while is_mixed_up(text(pattern)):
            pattern = draw.pattern()
        event = draw.event_like(pattern) if draw.chance.random() < 0.7 else draw.event()
        yield text(pattern), text(event)


def is_mixed_up(pattern: str) -> bool:
    """Whether an alternative may ask the same path for something that stands alone."""
    return '"$or"' in pattern and any(f'"{name}"' in pattern for name in ALONE)


def text(value: Json) -> str:
    """JSON with numbers as they were drawn."""
    match value:
        case Raw():
            return value.text
        case dict():
            return "{" + ",".join(f"{text(k)}:{text(v)}" for k, v in value.items()) + "}"
        case list():
            return "[" + ",".join(map(text, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def rules_of(pattern: Json) -> Iterator[str]:
    """The text of every rule in a pattern."""
    assert isinstance(pattern, dict)
    for key, value in pattern.items():
        if isinstance(value, list):
            for each in value:
                yield from rules_of(each) if key == "$or" else [worth(each)]
        elif isinstance(value, dict):
            yield from rules_of(value)


def worth(rule: Json) -> str:
    """The same for the same rule, however its number is written."""
    return str(float(rule)) if isinstance(rule, Raw) else text(rule)


class Draw:
    """Draws patterns and events of the same little world."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.pick = chance.choice

    def key(self) -> str:
        return self.pick(KEYS[:3] if self.chance.random() < 0.85 else KEYS)

    def number(self) -> Raw:
        return Raw(self.pick(NUMBERS if self.chance.random() < 0.9 else LARGE))

    def scalar(self) -> Json:
        match self.chance.randrange(10):
            case 0 | 1 | 2:
                return self.number()
            case 3:
                return self.pick([True, False, None])
            case 4:
                return self.pick(ADDRESSES)
        return self.pick(TEXTS)

    def event(self, depth: int = 3) -> Json:
        return {self.key(): self.value(depth) for _ in range(self.chance.randint(1, 3))}

    def value(self, depth: int) -> Json:
        kind = self.chance.random() if depth else 1.0
        if kind < 0.3:
            return self.event(depth - 1)
        if kind < 0.5:
            return [self.value(depth - 1) for _ in range(self.chance.randint(0, 3))]
        return self.scalar()

    def event_like(self, pattern: Json) -> Json:
        """An event with the keys of a pattern, and often with values that it names."""
        if isinstance(pattern, list):
            return self.value_like(pattern)
        assert isinstance(pattern, dict)
        event: dict[str, Json] = {}
        for key, value in pattern.items():
            if key == "$or" and isinstance(value, list) and value:
                event |= self.event_like(self.pick(value))
            elif isinstance(value, dict | list) and self.chance.random() < 0.9:
                event[key] = self.in_array(self.event_like(value), value)
        return event

    def in_array(self, value: Json, asked: Json) -> Json:
        if self.chance.random() < 0.7:
            return value
        others = [self.event_like(asked) for _ in range(self.pick([0, 1, 2]))]
        return [*others, value]

    def value_like(self, rules: list[Json]) -> Json:
        rule = self.pick(rules) if rules else None
        while isinstance(rule, dict | list) and rule:
            rule = self.pick([*rule.values()] if isinstance(rule, dict) else rule)
        is_named = isinstance(rule, str | Raw) and self.chance.random() < 0.6
        return rule if is_named else self.value(1)

    def pattern(self, depth: int = 3) -> Json:
        entries: dict[str, Json] = {}
        for _ in range(self.pick([1, 1, 2, 2, 3])):
            if self.chance.random() < 0.1:
                entries["$or"] = self.options(depth)
            elif depth > 0 and self.chance.random() < 0.35:
                entries[self.key()] = self.pattern(depth - 1)
            else:
                entries[self.key()] = self.leaf()
        if self.chance.random() < 0.01:
            entries[self.pick(["prefix", "numeric", "=", "a"])] = self.pick([{}, [], "a", ["a"]])
        return entries

    def options(self, depth: int) -> list[Json]:
        """Now and then only one, which is refused."""
        options: list[Json] = []
        rules: set[str] = set()
        for _ in range(self.pick([2, 3, 4])):
            option = self.pattern(depth - 1)
            others = set(rules_of(option))
            if not rules & others:
                options.append(option)
                rules |= others
        return options

    def leaf(self) -> Json:
        rules = [self.rule() for _ in range(self.pick([1, 1, 1, 2, 3]))]
        alone = [rule for rule in rules if any(f'"{name}"' in text(rule) for name in ALONE)]
        return alone[:1] or rules

    def rule(self) -> Json:
        if self.chance.random() < 0.35:
            value = self.scalar()
            return value if value not in ADDRESSES else "a"
        if self.chance.random() < 0.01:
            return self.pick([{}, [], ["a"], {"prefix": "a", "suffix": "b"}, {"PREFIX": "a"}])
        name = self.pick(OPERATORS)
        return {name: self.argument(name)}

    def argument(self, name: str) -> Json:
        if self.chance.random() < 0.02:
            return self.pick(MISUSES)
        match name:
            case "numeric":
                return self.comparison()
            case "exists":
                return self.chance.random() < 0.5
            case "wildcard":
                return self.pick(WILDCARDS)
            case "cidr":
                return self.pick(NETWORKS)
            case "anything-but":
                return self.anything_but()
            case "prefix" | "suffix" if self.chance.random() < 0.3:
                return {"equals-ignore-case": self.pick(TEXTS)}
        return self.pick(TEXTS)

    def comparison(self) -> Json:
        terms: list[Json] = [self.pick(COMPARISONS), self.number()]
        if self.chance.random() < 0.4:
            terms = [self.pick([">", ">="]), self.number(), self.pick(["<", "<="]), self.number()]
        if self.chance.random() < 0.05:
            terms += [self.pick(COMPARISONS), self.number()]
        return terms

    def anything_but(self) -> Json:
        size = self.chance.randint(1, 3)
        match self.chance.randrange(5):
            case 0:
                return self.number()
            case 1:
                return [self.number() for _ in range(size)]
            case 2:
                return self.pick(TEXTS)
            case 3:
                return [self.pick(TEXTS) for _ in range(size)]
        inside = self.pick(["prefix", "suffix", "equals-ignore-case", "wildcard"])
        texts = WILDCARDS if inside == "wildcard" else TEXTS
        values = [self.pick(texts) for _ in range(size)]
        return {inside: values if self.chance.random() < 0.5 else values[0]}
