"""Properties of a resource, as what CloudFormation makes of them.

CloudFormation converts "100" to a number and "true" to a boolean where a property has that type;
the Lambda API, which `esm.mapping` stands for, converts nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from esm.errors import TemplateError
from esm.template import complaints
from esm.template.nodes import Node, Scalar
from esm.template.resolving import NO_VALUE, Resolver

Default = TypeVar("Default", str, None)
_MAXIMUM_DIGITS = 18


def as_integer(value: object) -> object:
    """5 for "5"; what is no whole number stays as it is."""
    if isinstance(value, str) and len(value) <= _MAXIMUM_DIGITS:
        try:
            return int(value)
        except ValueError:
            return value
    return value


def as_number(value: object) -> object:
    """5 for "5", 5.5 for "5.5"; what is no number stays as it is."""
    whole = as_integer(value)
    if isinstance(whole, str):
        try:
            return float(whole)
        except ValueError:
            return value
    return whole


def as_boolean(value: object) -> object:
    """True for "true"; what is neither that nor "false" stays as it is."""
    return (
        {"true": True, "false": False}.get(value.lower(), value)
        if isinstance(value, str)
        else value
    )


class Reader:
    """Reads the properties of one resource and keeps the mistakes that it meets on the way."""

    def __init__(self, resolver: Resolver, properties: Mapping[str, Node]) -> None:
        self.problems: list[TemplateError] = []
        self.missing: list[TemplateError] = []
        self._resolver = resolver
        self.properties = properties

    def note(self, error: TemplateError) -> None:
        """Keep a complaint with those of its kind."""
        (self.problems if complaints.is_certain(error) else self.missing).append(error)

    def value(self, name: str) -> object:
        """A property as JSON; None when it is absent, or when a complaint was kept instead."""
        node = self.properties.get(name)
        return None if node is None else self.value_of(node)

    def value_of(self, node: Node) -> object:
        """As `value`, of any node."""
        try:
            value = self._resolver.value(node)
        except TemplateError as error:
            self.note(error)
            return None
        return None if value is NO_VALUE else value

    def text(self, name: str) -> str | None:
        """A property as text."""
        node = self.properties.get(name)
        return None if node is None else self.text_of(node)

    def text_of(self, node: Node) -> str | None:
        """As `text`, of any node."""
        try:
            if self._resolver.value(node) is NO_VALUE:
                return None
            return self._resolver.text(node)
        except TemplateError as error:
            self.note(error)
            return None

    def integer(self, name: str, default: int, allowed: range) -> int:
        """A property as a whole number of those that AWS takes."""
        value = as_integer(self.value(name))
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int):
            place = self.properties[name].place
            self.note(
                complaints.WRONG_TYPE.at(
                    place, f"{name} must be a whole number", fix=f"{name}: {default}"
                )
            )
            return default
        if value not in allowed:
            message = f"{name} must be from {allowed[0]} to {allowed[-1]}"
            place = self.properties[name].place
            self.note(complaints.WRONG_TYPE.at(place, message, fix=f"{name}: {default}"))
            return default
        return value

    def chosen(self, node: Node) -> Node | None:
        """Where a chain of `Fn::If` leads to, unless that is `AWS::NoValue`."""
        try:
            node = self._resolver.chosen(node)
            is_absent = isinstance(node, Scalar) and node.value is None
            return None if is_absent else node
        except TemplateError as error:
            self.note(error)
            return None
