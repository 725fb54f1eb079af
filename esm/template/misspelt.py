"""Names that a template cannot have, where something that counts was probably meant.

AWS adds sections and properties, so a name that is like none of those known is left to AWS.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html
https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-function.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-function.html
"""

from __future__ import annotations

from collections.abc import Iterator, Set

from esm.errors import TemplateError
from esm.template import complaints
from esm.template.complaints import UNKNOWN_PROPERTY, WRONG_SHAPE, Complaint
from esm.template.identities import TYPES
from esm.template.nodes import Entries, Node, Scalar, function_of
from esm.template.rendering import rendered

_SECTIONS = {
    *("AWSTemplateFormatVersion", "Conditions", "Description", "Globals", "Hooks", "Mappings"),
    *("Metadata", "Outputs", "Parameters", "Resources", "Rules", "Transform"),
}
_GLOBALS = {
    *("Api", "CapacityProvider", "Function", "HttpApi", "LayerVersion", "SimpleTable"),
    *("StateMachine", "WebSocketApi"),
}
_ATTRIBUTES = {
    *("Condition", "Connectors", "CreationPolicy", "DeletionPolicy", "DependsOn", "IgnoreGlobals"),
    *("Metadata", "Properties", "Type", "UpdatePolicy", "UpdateReplacePolicy"),
}
_OF_BOTH = {
    *("Architectures", "CapacityProviderConfig", "CodeSigningConfigArn", "Description"),
    *("DurableConfig", "Environment", "EphemeralStorage", "FileSystemConfigs", "FunctionName"),
    *("FunctionScalingConfig", "Handler", "ImageConfig", "KmsKeyArn", "Layers", "LoggingConfig"),
    *("MemorySize", "PackageType", "PublishToLatestPublished", "RecursiveLoop"),
    *("ReservedConcurrentExecutions", "Role", "Runtime", "RuntimeManagementConfig", "SnapStart"),
    *("Tags", "TenancyConfig", "Timeout", "VpcConfig"),
}
_OF_CLOUDFORMATION = _OF_BOTH | {"Code", "DeadLetterConfig", "TracingConfig"}
_OF_SAM = _OF_BOTH | {
    *("AssumeRolePolicyDocument", "AutoPublishAlias", "AutoPublishAliasAllProperties"),
    *("AutoPublishCodeSha256", "CodeUri", "DeadLetterQueue", "DeploymentPreference"),
    *("EventInvokeConfig", "Events", "FunctionUrlConfig", "ImageUri", "InlineCode"),
    *("PermissionsBoundary", "Policies", "PropagateTags", "ProvisionedConcurrencyConfig"),
    *("RolePath", "SourceKMSKeyArn", "Tracing", "VersionDeletionPolicy", "VersionDescription"),
}
# The same thing for SAM's functions and for CloudFormation's.
_ALSO_CALLED = {"Code": "CodeUri", "CodeUri": "Code"}
_SAM_TYPES = {
    f"AWS::Serverless::{name}"
    for name in (
        *("Api", "Application", "CapacityProvider", "Connector", "Function", "GraphQLApi"),
        *("HttpApi", "LayerVersion", "SimpleTable", "StateMachine", "WebSocketApi"),
    )
}
_FUNCTIONS = {"AWS::Serverless::Function", "AWS::Lambda::Function"}
_TRANSFORM = "AWS::Serverless-2016-10-31"
_LIKENESS = 0.75  # of a name to what was written
_LIKENESS_OF_TYPES = 0.92  # AWS::SageMaker::Model is like AWS::SageMaker::ModelCard, which exists


def misspelt_names(root: Node) -> Iterator[TemplateError]:
    """Of sections, of Globals, and of the attributes and SAM types of resources."""
    top = _map(root)
    yield from _unknown(top, _SECTIONS, "a template has no section")
    sam_globals = _map(top.entries.get("Globals", top))
    if sam_globals is not top:
        yield from _unknown(sam_globals, _GLOBALS, "Globals have no section")
        yield from function_property_errors(sam_globals.entries.get("Function"), is_sam=True)
    for logical_id, resource in _map(top.entries["Resources"]).entries.items():
        if not logical_id.startswith("Fn::"):
            yield from _of_resource(logical_id, _map(resource))


def function_property_errors(properties: Node | None, *, is_sam: bool) -> Iterator[TemplateError]:
    """Properties that a function does not have, and what stands beside its Variables."""
    if not isinstance(properties, Entries):
        return
    own, others = (_OF_SAM, _OF_CLOUDFORMATION) if is_sam else (_OF_CLOUDFORMATION, _OF_SAM)
    for name in sorted(properties.entries.keys() & (others - own)):
        yield _of_the_other(name, properties)
    yield from _unknown(properties, own | others, "a function has no property", UNKNOWN_PROPERTY)
    environment = properties.entries.get("Environment")
    if isinstance(environment, Entries) and function_of(environment) is None:
        yield from _beside_variables(environment)


def missing_transform(root: Node, transforms: Set[str]) -> TemplateError | None:
    """Without SAM's transform CloudFormation does not know the types of its resources."""
    for logical_id, resource in _map(_map(root).entries["Resources"]).entries.items():
        kind = _type_of(_map(resource))
        if kind is not None and kind.raw in _SAM_TYPES and _TRANSFORM not in transforms:
            return WRONG_SHAPE.at(
                kind.place,
                f"{logical_id} is a resource of SAM, and the template is without its Transform",
                fix=f"Transform: {_TRANSFORM}",
            )
    return None


def _map(node: Node) -> Entries:
    return node if isinstance(node, Entries) else Entries({}, {}, node.place)


def _type_of(resource: Entries) -> Scalar | None:
    kind = resource.entries.get("Type")
    return kind if isinstance(kind, Scalar) else None


def _of_resource(logical_id: str, resource: Entries) -> Iterator[TemplateError]:
    kind = _type_of(resource)
    if kind is not None and kind.raw.startswith("AWS::Serverless::") and kind.raw not in _SAM_TYPES:
        fix = f"Type: {complaints.nearest(kind.raw, _SAM_TYPES)}"
        yield WRONG_SHAPE.at(kind.place, f"SAM has no resource {kind.raw}", fix=fix)
    elif kind is not None and (meant := _meant_type(kind.raw)):
        message = f"CloudFormation has no resource {kind.raw}"
        yield WRONG_SHAPE.at(kind.place, message, fix=f"Type: {meant}")
    yield from _unknown(resource, _ATTRIBUTES | _OF_SAM, "a resource has no attribute")
    if kind is not None and kind.raw in _FUNCTIONS:
        for name in sorted(resource.entries.keys() & _OF_SAM):
            yield WRONG_SHAPE.at(
                resource.keys[name],
                f"{name} stands beside the Properties of {logical_id}, not in them",
                fix=f"Properties: {{{name}: …}}",
            )


def _meant_type(written: str) -> str | None:
    """A type that matters here, where another was written that is all but the same."""
    near = complaints.nearest(written, TYPES, likeness=_LIKENESS_OF_TYPES)
    return None if near == written else near


def _of_the_other(name: str, properties: Entries) -> TemplateError:
    """A property that SAM's functions have and CloudFormation's do not, or the other way."""
    near = _ALSO_CALLED.get(name)
    other = "AWS::Serverless::Function" if name in _OF_SAM else "AWS::Lambda::Function"
    fix = f"Type: {other}" if near is None else f"{near}: {rendered(properties.entries[name])}"
    message = f"a function of this type has no property {name!r}"
    return UNKNOWN_PROPERTY.at(properties.keys[name], message, fix=fix)


def _beside_variables(environment: Entries) -> Iterator[TemplateError]:
    for name in sorted(environment.entries.keys() - {"Variables"}):
        is_astray = name in _OF_SAM
        where = "belongs beside it" if is_astray else "belongs into them"
        yield UNKNOWN_PROPERTY.at(
            environment.keys[name],
            f"Environment has Variables and nothing else: {name} {where}",
            fix=name if is_astray else f"Variables: {{{name}: …}}",
        )


def _unknown(
    node: Entries, known: Set[str], words: str, complaint: Complaint = WRONG_SHAPE
) -> Iterator[TemplateError]:
    for name in [name for name in node.entries if name not in known]:
        value, near = node.entries[name], complaints.nearest(name, known, likeness=_LIKENESS)
        if near is not None:
            is_section = isinstance(value, Entries) and function_of(value) is None
            fix = near if is_section else f"{near}: {rendered(value)}"
            yield complaint.at(node.keys[name], f"{words} {name!r}", fix=fix)
