"""Parameters: defaults, values from outside, types and what they allow.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from esm.errors import Place, TemplateError
from esm.template import complaints
from esm.template.nodes import Entries, Items, Node, Scalar, function_of
from esm.template.sections import entries_of, kind_of

_SSM = "AWS::SSM::Parameter::Value<"
_MAXIMUM_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter; `value` is None when nothing gives it one."""

    name: str
    value: str | list[str] | None
    is_secret: bool
    place: Place

    def required(self, place: Place) -> str | list[str]:
        """The value, where it is used."""
        if self.value is None:
            raise complaints.UNSET.at(
                place,
                f"the parameter {self.name} has no value",
                fix=f"--parameter-overrides {self.name}=…",
            )
        return self.value


def read_parameters(
    section: Mapping[str, Node], overrides: Mapping[str, str], place: Place
) -> tuple[dict[str, Parameter], list[TemplateError]]:
    """The parameters that can be used, and what is wrong with the others."""
    problems = [_unknown(name, section, place) for name in overrides if name not in section]
    parameters: dict[str, Parameter] = {}
    for name, node in section.items():
        try:
            parameters[name] = _parameter(name, node, overrides.get(name))
        except TemplateError as error:
            problems.append(error)
            # One complaint is enough: who uses it gets what was given, or nothing.
            default = node.entries.get("Default") if isinstance(node, Entries) else None
            given = overrides.get(name, default.raw if isinstance(default, Scalar) else "")
            parameters[name] = Parameter(name, given, _is_secret(node), place=node.place)
    return parameters, problems


def _unknown(name: str, section: Mapping[str, Node], place: Place) -> TemplateError:
    near = complaints.nearest(name, section)
    fix = f"--parameter-overrides {near}=…" if near else "leave it out"
    return complaints.UNKNOWN_PARAMETER.at(place, f"there is no parameter {name}", fix=fix)


def _parameter(name: str, node: Node, override: str | None) -> Parameter:
    entries = entries_of(node, f"the parameter {name}")
    kind = _text(entries, "Type")
    if kind is None:
        raise complaints.BAD_PARAMETER.at(
            node.place, f"the parameter {name} needs a Type", fix="Type: String"
        )
    default = None if kind.startswith(_SSM) else _text(entries, "Default")
    given = default if override is None else override
    place = entries["Default"].place if override is None and "Default" in entries else node.place
    value = None if given is None else _value(name, kind, given, entries, place)
    return Parameter(name, value, _is_secret(node), node.place)


def _is_secret(node: Node) -> bool:
    secret = node.entries.get("NoEcho") if isinstance(node, Entries) else None
    return isinstance(secret, Scalar) and secret.raw.lower() == "true"


def _text(entries: Mapping[str, Node], key: str) -> str | None:
    node = entries.get(key)
    if node is None:
        return None
    if function_of(node) or not isinstance(node, Scalar):
        raise complaints.BAD_PARAMETER.at(
            node.place, f"{key} of a parameter must be text, not {kind_of(node)}"
        )
    return node.raw


def _value(
    name: str, kind: str, given: str, entries: Mapping[str, Node], place: Place
) -> str | list[str]:
    is_list = kind == "CommaDelimitedList" or "List<" in kind
    values = [item.strip() for item in given.split(",")] if is_list else [given]
    allowed = entries.get("AllowedValues")
    for value in values:
        if kind in ("Number", "List<Number>") and not is_number(value):
            raise complaints.BAD_PARAMETER.at(
                place, f"the parameter {name} is a {kind}, and {value!r} is no number"
            )
        if isinstance(allowed, Items):
            _check_allowed(name, value, allowed, place)
    return values if is_list else given


def _check_allowed(name: str, value: str, allowed: Items, place: Place) -> None:
    values = [item.raw for item in allowed.items if isinstance(item, Scalar)]
    if value not in values:
        shown = ", ".join(values[:_MAXIMUM_SHOWN])
        near = complaints.nearest(value, values) or ""
        raise complaints.BAD_PARAMETER.at(
            place,
            f"the parameter {name} cannot be {value!r}, only one of {shown}",
            fix=f"--parameter-overrides {name}={near}",
        )


def is_number(text: str) -> bool:
    """Whether CloudFormation takes a text for a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True
