"""Types of parameters, and the rules that their values keep.

Patterns are Java's, of which Python reads nearly all; one that Python cannot read is not checked.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-supplied-parameter-types.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from esm.template import complaints
from esm.template.nodes import Items, Node, Scalar
from esm.template.sections import kind_of

PROPERTIES = frozenset(
    {
        *("AllowedPattern", "AllowedValues", "ConstraintDescription", "Default", "Description"),
        *("MaxLength", "MaxValue", "MinLength", "MinValue", "NoEcho", "Type"),
    }
)
_TYPES = {"String", "Number", "List<Number>", "CommaDelimitedList", "AWS::SSM::Parameter::Name"}
_STORED = re.compile(r"AWS::SSM::Parameter::Value<(.+)>")
_AWS_TYPE = re.compile(r"(List<)?AWS::[A-Za-z0-9]+(::[A-Za-z0-9]+)+(?(1)>)")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")
_MAXIMUM_SHOWN = 10
_MAXIMUM_CHARACTERS = 4096  # of a value; AWS's limit


@dataclass(frozen=True, slots=True)
class Kind:
    """A type; `nearest` is the one that was probably meant where there is none of this name."""

    is_list: bool
    is_number: bool
    is_stored: bool
    nearest: str | None = None

    def values(self, given: str) -> list[str]:
        """The single values of what is given; of a list each without the spaces around it."""
        return [item.strip() for item in given.split(",")] if self.is_list else [given]

    def value(self, given: str) -> str | list[str]:
        """What `Ref` gives."""
        return self.values(given) if self.is_list else given


@dataclass(frozen=True, slots=True)
class Broken:
    """A value that breaks a rule, and one that would not; `better` is "…" where none is known."""

    value: str
    rule: str
    better: str = "…"


def kind_named(written: str) -> Kind:
    """A type by its name."""
    stored = _STORED.fullmatch(written)
    inner = stored[1] if stored else written
    near = None
    if stored and inner == "List<String>":
        inner = "CommaDelimitedList"  # the same, in the words of the parameter store
    if inner not in _TYPES and not _AWS_TYPE.fullmatch(inner):
        like = "CommaDelimitedList" if inner == "List<String>" else None
        near = written.replace(inner, like or complaints.nearest(inner, _TYPES) or "String")
    return Kind(
        is_list=inner == "CommaDelimitedList" or inner.startswith("List<"),
        is_number=inner in ("Number", "List<Number>"),
        is_stored=stored is not None,
        nearest=near,
    )


def check_rules(entries: Mapping[str, Node]) -> None:
    """Raise TemplateError E111 for the first rule that is none."""
    for name in ("MinLength", "MaxLength", "MinValue", "MaxValue"):
        node = entries.get(name)
        if node is not None and not (isinstance(node, Scalar) and _NUMBER.fullmatch(node.raw)):
            message = f"{name} of a parameter must be a number, not {kind_of(node)}"
            raise complaints.BAD_PARAMETER.at(node.place, message, fix=f"{name}: 1")
    allowed = entries.get("AllowedValues")
    if allowed is not None and not isinstance(allowed, Items):
        message = f"AllowedValues of a parameter must be a list, not {kind_of(allowed)}"
        raise complaints.BAD_PARAMETER.at(allowed.place, message, fix="AllowedValues: [a, b]")


def broken_rule(kind: Kind, given: str, entries: Mapping[str, Node]) -> Broken | None:
    """The first rule that a value breaks; of a stored one the rules are about its name."""
    if kind.is_stored:
        return None
    for value in kind.values(given):
        for rule in _NUMBER_RULES if kind.is_number else _TEXT_RULES:
            broken = rule(value, entries)
            if broken is not None:
                return broken
    return None


def _number(value: str, entries: Mapping[str, Node]) -> Broken | None:
    return None if _NUMBER.fullmatch(value) else Broken(value, "it is no number", "1")


def _allowed(value: str, entries: Mapping[str, Node]) -> Broken | None:
    allowed = entries.get("AllowedValues")
    if not isinstance(allowed, Items):
        return None
    values = [item.raw for item in allowed.items if isinstance(item, Scalar)]
    if value in values:
        return None
    shown = ", ".join(values[:_MAXIMUM_SHOWN])
    return Broken(value, f"only one of {shown}", complaints.nearest(value, values) or "…")


def _pattern(value: str, entries: Mapping[str, Node]) -> Broken | None:
    pattern = entries.get("AllowedPattern")
    if not isinstance(pattern, Scalar):
        return None
    try:
        matches = re.fullmatch(pattern.raw, value[:_MAXIMUM_CHARACTERS])
    except re.error:
        return None
    return None if matches else Broken(value, f"it must match {pattern.raw}")


def _length(value: str, entries: Mapping[str, Node]) -> Broken | None:
    least, most = _limit(entries, "MinLength"), _limit(entries, "MaxLength")
    if least is not None and len(value) < least:
        return Broken(value, f"it needs {least:g} characters")
    if most is not None and len(value) > most:
        return Broken(value, f"it has more than {most:g} characters", value[: int(most)])
    return None


def _size(value: str, entries: Mapping[str, Node]) -> Broken | None:
    least, most = _limit(entries, "MinValue"), _limit(entries, "MaxValue")
    if least is not None and float(value) < least:
        return Broken(value, f"it must be at least {least:g}", f"{least:g}")
    if most is not None and float(value) > most:
        return Broken(value, f"it must be at most {most:g}", f"{most:g}")
    return None


def _limit(entries: Mapping[str, Node], name: str) -> float | None:
    node = entries.get(name)
    return float(node.raw) if isinstance(node, Scalar) else None


_Rule = Callable[[str, Mapping[str, Node]], Broken | None]
_NUMBER_RULES: tuple[_Rule, ...] = (_number, _allowed, _size)
_TEXT_RULES: tuple[_Rule, ...] = (_allowed, _pattern, _length)
