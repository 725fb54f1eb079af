"""Parameters: defaults, values from outside, types and what they allow.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from esm.errors import Place, TemplateError
from esm.template import complaints
from esm.template.nodes import Entries, Node, Scalar, function_of
from esm.template.parameter_rules import (
    PROPERTIES,
    Broken,
    Kind,
    broken_rule,
    check_rules,
    kind_named,
)
from esm.template.sections import entries_of, kind_of

_HIDDEN = "****"
_MAXIMUM_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter; `value` is None when nothing gives it one."""

    name: str
    value: str | list[str] | None
    is_secret: bool
    place: Place
    is_stored: bool = False
    """Whether its value lies in SSM's parameter store, under the name that the template gives."""

    def required(self, place: Place) -> str | list[str]:
        """The value, where it is used."""
        if self.value is None:
            stored = "lies in SSM's parameter store, and its value is not known here"
            raise complaints.UNSET.at(
                place,
                f"the parameter {self.name} {stored if self.is_stored else 'has no value'}",
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
    for written in entries.keys() - PROPERTIES:
        assert isinstance(node, Entries)
        near = complaints.nearest(written, PROPERTIES)
        message = f"a parameter has no property {written!r}"
        raise complaints.BAD_PARAMETER.at(node.keys[written], message, fix=near)
    kind = _kind(name, node, _text(entries, "Type"), entries)
    check_rules(entries)
    default = None if kind.is_stored else _text(entries, "Default")
    given = default if override is None else override
    if given is None:
        return Parameter(name, None, _is_secret(node), node.place, kind.is_stored)
    broken = broken_rule(kind, given, entries)
    if broken is not None:
        raise _refused(name, kind, given, broken, node, is_default=override is None)
    return Parameter(name, kind.value(given), _is_secret(node), node.place, kind.is_stored)


def _kind(name: str, node: Node, written: str | None, entries: Mapping[str, Node]) -> Kind:
    if written is None:
        raise complaints.BAD_PARAMETER.at(
            node.place, f"the parameter {name} needs a Type", fix="Type: String"
        )
    kind = kind_named(written)
    if kind.nearest is not None:
        message = f"a parameter cannot be of the type {written}"
        place = entries["Type"].place
        raise complaints.BAD_PARAMETER.at(place, message, fix=f"Type: {kind.nearest}")
    return kind


def _refused(
    name: str, kind: Kind, given: str, broken: Broken, node: Node, *, is_default: bool
) -> TemplateError:
    """A value that breaks a rule; what the template says of the rule comes behind it."""
    entries = entries_of(node, name)
    place, shown, better = node.place, broken.value, broken.better
    if is_default:
        place = entries["Default"].place
    if _is_secret(node):
        place, shown, better = replace(place, text=None), _HIDDEN, "…"
    if len(shown) > _MAXIMUM_SHOWN:
        shown = shown[:_MAXIMUM_SHOWN] + "…"
    said = f"the parameter {name} cannot be {shown!r}: {broken.rule}"
    description = entries.get("ConstraintDescription")
    if isinstance(description, Scalar) and description.raw:
        said += f" ({description.raw})"
    values = [broken.value] if _is_secret(node) else kind.values(given)
    mended = ",".join(better if value == broken.value else value for value in values)
    fix = f"Default: {mended}" if is_default else f"--parameter-overrides {name}={mended}"
    return complaints.BAD_PARAMETER.at(place, said, fix=fix)


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
