"""Values of a template, worked out when they are asked for and not before.

An intrinsic function that cannot be resolved harms only who uses it. What a resource is called is
asked of `identities`; conditions and identities are remembered, and asking for what is just being
worked out is a cycle.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from esm.errors import Place, TemplateError
from esm.template import complaints
from esm.template.aws import Deployment, Identity
from esm.template.identities import ImplicitIds, identity_of
from esm.template.intrinsics import TEXT_FUNCTIONS, malformed
from esm.template.nodes import Entries, Items, Node, Scalar, function_of
from esm.template.parameters import Parameter
from esm.template.sections import EXTENSIONS, Declared, Sections, kind_of
from esm.template.unknowables import unknowable, unknown_resource

_MAXIMUM_DEPTH = 100


class _NoValue:
    """`AWS::NoValue`: the property, or the entry of a list, is left out."""


NO_VALUE = _NoValue()


class Resolver:
    """Gives values to the nodes of one template, for one deployment."""

    def __init__(
        self, sections: Sections, parameters: Mapping[str, Parameter], deployment: Deployment
    ) -> None:
        self.deployment = deployment
        self._sections = sections
        self._parameters = parameters
        self._implicit = ImplicitIds(sections.resources)
        self._pseudo = deployment.pseudo_parameters
        self._conditions: dict[str, bool] = {}
        self._identities: dict[str, Identity | None] = {}
        self._in_progress: list[str] = []
        self._depth = 0
        self._functions: dict[str, Callable[[Node], object]] = {
            **{name: partial(function, self) for name, function in TEXT_FUNCTIONS.items()},
            "Ref": self._ref,
            "Fn::GetAtt": self._get_att,
            "Fn::If": self._if,
            "Fn::FindInMap": self._find_in_map,
        }

    def value(self, node: Node) -> object:
        """The node as JSON, without what is `AWS::NoValue`; that itself is NO_VALUE."""
        function = function_of(node)
        match node:
            case Scalar():
                return node.value
            case Items():
                values = (self.value(item) for item in node.items)
                return [value for value in values if value is not NO_VALUE]
            case Entries() if function is None:
                pairs = ((name, self.value(entry)) for name, entry in node.entries.items())
                return {name: value for name, value in pairs if value is not NO_VALUE}
        assert function is not None
        return self._call(node, *function)

    def text(self, node: Node) -> str:
        """A single value as text, numbers as they are written."""
        if isinstance(node, Scalar) and node.value is not None:
            return node.raw.lower() if isinstance(node.value, bool) else node.raw
        value = self.value(node)
        if isinstance(value, bool):
            return str(value).lower()
        if not isinstance(value, str | int | float):
            raise complaints.WRONG_TYPE.at(node.place, f"text is needed, not {kind_of(node)}")
        return str(value)

    def chosen(self, node: Node) -> Node:
        """The node that a chain of `Fn::If` leads to."""
        function = function_of(node)
        while function is not None and function[0] == "Fn::If":
            node = self._branch(function[1])
            function = function_of(node)
        return node

    def is_created(self, resource: Declared) -> bool:
        """Whether the resource's condition holds, if it has one."""
        name = resource.condition
        return name is None or self.condition(name.raw, name.place)

    def condition(self, name: str, place: Place) -> bool:
        """Whether a condition holds."""
        if name not in self._conditions:
            if name not in self._sections.conditions:
                raise _unknown("condition", name, self._sections.conditions, place)
            with self._working_on(f"condition {name}", place):
                self._conditions[name] = self._holds(self._sections.conditions[name])
        return self._conditions[name]

    def identity(self, logical_id: str, place: Place) -> Identity | None:
        """Names and ARNs of a resource; None for a type that we know nothing of."""
        if logical_id not in self._identities:
            resource = self._sections.resources[logical_id]
            with self._working_on(f"resource {logical_id}", place):
                if not self.is_created(resource):
                    assert resource.condition is not None
                    raise complaints.NOT_CREATED.at(
                        place,
                        f"{logical_id} is not created",
                        fix=f"!If [{resource.condition.raw}, !Ref {logical_id}, !Ref AWS::NoValue]",
                    )
                self._identities[logical_id] = identity_of(resource, self.deployment, self.text)
        return self._identities[logical_id]

    @contextmanager
    def _working_on(self, what: str, place: Place) -> Iterator[None]:
        if what in self._in_progress:
            chain = [*self._in_progress[self._in_progress.index(what) :], what]
            raise complaints.CYCLE.at(place, " → ".join(chain))
        self._in_progress.append(what)
        try:
            yield
        finally:
            self._in_progress.pop()

    def require_extensions(self, function: str, place: Place) -> None:
        """Raise TemplateError where the template does not ask for AWS::LanguageExtensions."""
        transforms = [name.raw for name in self._sections.transforms]
        if EXTENSIONS not in transforms:
            whole = ", ".join([EXTENSIONS, *transforms])
            message = f"{function} needs the transform {EXTENSIONS}"
            raise complaints.BAD_FUNCTION.at(place, message, fix=f"Transform: [{whole}]")

    def loop_values(self, node: Node) -> list[str]:
        """What a loop goes through."""
        self.require_extensions("Fn::ForEach", node.place)
        value = self.value(node)
        if not isinstance(value, list) or not all(isinstance(item, str | int) for item in value):
            message = f"Fn::ForEach needs a list of names, not {kind_of(node)}"
            raise complaints.BAD_FUNCTION.at(node.place, message, fix="[Orders, Clicks]")
        return [str(item) for item in value]

    def _call(self, node: Node, name: str, argument: Node) -> object:
        if name not in self._functions:
            raise unknowable(name, argument, node.place, self.deployment)
        if self._depth == _MAXIMUM_DEPTH:
            raise complaints.TOO_COMPLEX.at(node.place, "functions are nested too deeply")
        self._depth += 1
        try:
            value = self._functions[name](argument)
        finally:
            self._depth -= 1
        return value

    def _ref(self, argument: Node) -> object:
        return self.named(_literal(argument, "Ref"), argument.place)

    def named(self, name: str, place: Place, form: str = "!Ref {}") -> object:
        """What `Ref` gives: a parameter's value, or what a resource is referred to by.

        `form` is how a name is written there, for a fix.
        """
        if name == "AWS::NoValue":
            return NO_VALUE
        if name in self._pseudo:
            return self._pseudo[name]
        if name in self._parameters:
            return self._parameters[name].required(place)
        return self._identity_or_error(name, place, form).ref

    def _identity_or_error(self, name: str, place: Place, form: str = "{}") -> Identity:
        implicit = self._implicit.role(name, self.deployment)
        if implicit is not None:
            return implicit
        if name not in self._sections.resources:
            raise self._no_resource(name, place, form)
        identity = self.identity(name, place)
        if identity is None:
            raise unknown_resource(name, self._sections.resources[name].type, place)
        return identity

    def _no_resource(self, name: str, place: Place, form: str) -> TemplateError:
        if self._implicit.is_made_by_sam(name):
            return complaints.UNKNOWABLE.at(place, f"{name} is made by SAM, not known here")
        names = {*self._sections.resources, *self._parameters}
        return _unknown("resource or parameter", name, names, place, form)

    def _get_att(self, argument: Node) -> object:
        match argument:
            case Scalar(value=str()):
                name, _, attribute = argument.raw.partition(".")
            case Items(items=(Scalar() as first, second)):
                name, attribute = first.raw, self.text(second)
            case _:
                raise malformed("Fn::GetAtt", argument, "!GetAtt Orders.Arn")
        return self.attribute(name, attribute, argument.place)

    def attribute(self, name: str, attribute: str, place: Place) -> str:
        """What `Fn::GetAtt` gives."""
        if name not in self._sections.resources and not self._implicit.is_made_by_sam(name):
            resources = self._sections.resources
            near = complaints.nearest(name, resources)
            fix = f"!GetAtt {near}.{attribute}" if near else None
            raise complaints.UNKNOWN_NAME.at(place, f"there is no resource {name!r}", fix=fix)
        attributes = self._identity_or_error(name, place).attributes
        if attribute not in attributes:
            fix = f"!GetAtt {name}.{complaints.nearest(attribute, attributes)}"
            if attribute == "StreamArn":
                fix = "StreamSpecification: {StreamViewType: NEW_AND_OLD_IMAGES}"
            message = f"{name} has no attribute {attribute!r}"
            raise complaints.UNKNOWN_ATTRIBUTE.at(place, message, fix=fix)
        return attributes[attribute]

    def _if(self, argument: Node) -> object:
        return self.value(self._branch(argument))

    def _branch(self, argument: Node) -> Node:
        match argument:
            case Items(items=(Scalar() as name, yes, no)):
                return yes if self.condition(name.raw, name.place) else no
            case _:
                raise malformed("Fn::If", argument, "!If [IsProduction, 100, 10]")

    def _find_in_map(self, argument: Node) -> object:
        default: Node | None = None
        match argument:
            case Items(items=(map_node, first, second)):
                pass
            case Items(items=(map_node, first, second, Entries(entries={"DefaultValue": default}))):
                self.require_extensions("DefaultValue of Fn::FindInMap", argument.place)
            case _:
                raise malformed("Fn::FindInMap", argument, "!FindInMap [Map, first, second]")
        name, keys = self.text(map_node), [self.text(first), self.text(second)]
        try:
            return self.value(self._entry_of_map(name, keys, argument.place))
        except TemplateError as error:
            if default is None or error.esm_code != complaints.UNKNOWN_NAME.esm_code:
                raise
        return self.value(default)

    def _entry_of_map(self, name: str, keys: Iterable[str], place: Place) -> Node:
        if name not in self._sections.mappings:
            raise _unknown("map", name, self._sections.mappings, place)
        node = self._sections.mappings[name]
        for key in keys:
            entries = node.entries if isinstance(node, Entries) else {}
            if key not in entries:
                raise _unknown(f"key in the map {name}:", key, entries, place)
            node = entries[key]
        return node

    def _holds(self, node: Node) -> bool:
        if self._depth == _MAXIMUM_DEPTH:
            raise complaints.TOO_COMPLEX.at(node.place, "conditions are nested too deeply")
        self._depth += 1
        try:
            return self._evaluated(node)
        finally:
            self._depth -= 1

    def _evaluated(self, node: Node) -> bool:
        match node:
            case Entries(entries={"Condition": Scalar() as name}):
                return self.condition(name.raw, name.place)
            case Entries(entries={"Fn::Equals": Items(items=(left, right))}):
                return self.text(left) == self.text(right)
            case Entries(entries={"Fn::Not": Items(items=(negated,))}):
                return not self._holds(negated)
            case Entries(entries={"Fn::And": Items(items=parts)}) if parts:
                return all(self._holds(part) for part in parts)
            case Entries(entries={"Fn::Or": Items(items=parts)}) if parts:
                return any(self._holds(part) for part in parts)
        raise malformed("a condition", node, '!Equals [!Ref Stage, "production"]')


def _unknown(
    kind: str, name: str, names: Iterable[str], place: Place, form: str = "{}"
) -> TemplateError:
    near = complaints.nearest(name, names)
    fix = near and form.format(near)
    return complaints.UNKNOWN_NAME.at(place, f"there is no {kind} {name!r}", fix=fix)


def _literal(node: Node, function: str) -> str:
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        raise malformed(function, node, "!Ref Orders")
    return node.raw
