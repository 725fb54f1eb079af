"""Functions of a template: SAM's with its Globals, and plain CloudFormation's.

https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-function.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from esm.errors import EsmError, TemplateError
from esm.template import complaints
from esm.template.identities import SAM_FUNCTION
from esm.template.layers import layers_of
from esm.template.misspelt import function_property_errors
from esm.template.model import FunctionResource
from esm.template.nodes import Entries, Node, Scalar, function_of
from esm.template.properties import Reader
from esm.template.resolving import Resolver
from esm.template.sections import Declared, kind_of, merged

_TIMEOUT_SECONDS = 3
_MEMORY_MB = 128
# https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
_TIMEOUTS = range(1, 901)
_VARIABLE = re.compile(r"[a-zA-Z][a-zA-Z0-9_]+")
_MEMORIES = range(128, 10_241)


def function_resource(
    declared: Declared,
    sam_globals: Mapping[str, Node],
    resources: Mapping[str, Declared],
    resolver: Resolver,
    folder: Path,
) -> FunctionResource:
    """A function; what is wrong with it is kept inside. `folder` is the template's."""
    is_sam = declared.type == SAM_FUNCTION
    properties = merged(sam_globals, declared.properties) if is_sam else declared.properties
    reader = Reader(resolver, properties)
    reader.problems.extend(function_property_errors(declared.node, is_sam=is_sam))
    name, arn = _identity(declared, resolver, reader)
    environment, unset = _environment(reader)
    code_uri = None if _is_image(reader) else _code_folder(declared, reader, folder)
    return FunctionResource(
        logical_id=declared.logical_id,
        function_name=name,
        arn=arn,
        place=declared.place,
        code_uri=code_uri,
        handler=_handler(declared, reader, code_uri),
        runtime=_runtime(reader),
        timeout_seconds=reader.integer("Timeout", _TIMEOUT_SECONDS, _TIMEOUTS),
        memory_mb=reader.integer("MemorySize", _MEMORY_MB, _MEMORIES),
        environment=environment,
        role=_role(declared, reader, resolver),
        problems=tuple(reader.problems),
        missing=tuple(reader.missing),
        layers=layers_of(properties.get("Layers"), resources, resolver, folder),
        has_layers="Layers" in properties or "BuildMethod" in declared.metadata,
        nodes=properties,
        unset=unset,
    )


def _identity(declared: Declared, resolver: Resolver, reader: Reader) -> tuple[str, str]:
    try:
        identity = resolver.identity(declared.logical_id, declared.place)
    except TemplateError as error:
        reader.note(error)
        name = resolver.deployment.physical_name(declared.logical_id)
        return name, resolver.deployment.arn("lambda", f"function:{name}")
    assert identity is not None, "functions have an identity"
    return identity.name, identity.arn


def _role(declared: Declared, reader: Reader, resolver: Resolver) -> str | None:
    if "Role" in reader.properties or declared.type != SAM_FUNCTION:
        # Nothing here runs under the role: where it comes from elsewhere, it is left out.
        return Reader(resolver, reader.properties).text("Role")
    deployment = resolver.deployment
    name = deployment.physical_name(f"{declared.logical_id}Role")
    return deployment.global_arn("iam", f"role/{name}", deployment.account)


def _environment(reader: Reader) -> tuple[dict[str, str], dict[str, EsmError]]:
    """The variables, and why some of them have no value."""
    variables = _variables(reader)
    values: dict[str, str] = {}
    unset: dict[str, EsmError] = {}
    for name, node in variables.items():
        if _VARIABLE.fullmatch(name) is None:
            message = f"{name!r} is no name of a variable"
            reader.note(complaints.BAD_VARIABLE.at(node.place, message, fix=f"{_meant(name)}: …"))
            continue
        before = [*reader.problems, *reader.missing]
        value = reader.text_of(node)
        if value is not None and "\0" in value:
            message = f"{name} has a NUL character, which no variable can have"
            reader.note(complaints.WRONG_TYPE.at(node.place, message, fix=f'{name}: "…"'))
        elif value is not None:
            values[name] = value
        for error in (*reader.problems, *reader.missing):
            if error not in before:
                unset[name] = error
    return values, unset


def _meant(name: str) -> str:
    """The name that AWS takes in the place of one that it refuses."""
    letters = re.sub("[^a-zA-Z0-9_]+", "_", name).lstrip("0123456789_")
    return letters if len(letters) > 1 else f"{letters or 'THE'}_VALUE"


def _variables(reader: Reader) -> Mapping[str, Node]:
    node = reader.properties.get("Environment")
    node = None if node is None else reader.chosen(node)
    variables = node.entries.get("Variables") if isinstance(node, Entries) else None
    variables = None if variables is None else reader.chosen(variables)
    if variables is None:
        return {}
    if not isinstance(variables, Entries) or function_of(variables):
        reader.note(
            complaints.WRONG_TYPE.at(
                variables.place,
                f"Variables must be a map of names to text, not {kind_of(variables)}",
                fix="Variables: {STAGE: test}",
            )
        )
        return {}
    return variables.entries


def _handler(declared: Declared, reader: Reader, code_uri: Path | None) -> str | None:
    complained = len(reader.problems) + len(reader.missing)
    handler = reader.text("Handler")
    is_silent = complained == len(reader.problems) + len(reader.missing)
    if handler is None and is_silent and code_uri is not None:
        message = f"{declared.logical_id} needs a Handler"
        reader.note(complaints.MISSING.at(declared.place, message, fix="Handler: app.handler"))
    return handler


def _runtime(reader: Reader) -> str | None:
    runtime = reader.text("Runtime")
    if runtime is not None and not runtime.startswith("python"):
        message = f"{runtime} is not emulated yet"
        place = reader.properties["Runtime"].place
        reader.note(complaints.NOT_RUNNABLE.at(place, message, fix="Runtime: python3.13"))
    return runtime


def _is_image(reader: Reader) -> bool:
    """Whether the function is a container image, whatever else is said of its code."""
    if reader.text("PackageType") != "Image":
        return False
    reader.note(
        complaints.NOT_RUNNABLE.at(
            reader.properties["PackageType"].place,
            "a function in a container image is not emulated",
            fix="PackageType: Zip",
        )
    )
    return True


def _code_folder(declared: Declared, reader: Reader, folder: Path) -> Path | None:
    """CodeUri, a local Code, or the asset that the CDK names beside a function."""
    asset = declared.metadata.get("aws:asset:path")
    node = asset or reader.properties.get("CodeUri") or reader.properties.get("Code")
    node = None if node is None else reader.chosen(node)
    path = reader.text_of(node) if node is not None and _may_be_text(node) else None
    if path is None or "://" in path or "\0" in path:
        place = declared.place if node is None else node.place
        reader.note(
            complaints.NOT_RUNNABLE.at(
                place,
                f"the code of {declared.logical_id} is in no local folder",
                fix="CodeUri: src/",
            )
        )
        return None
    return folder / path


def _may_be_text(node: Node) -> bool:
    return isinstance(node, Scalar) or function_of(node) is not None
