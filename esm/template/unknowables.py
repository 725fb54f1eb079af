"""What only a deployment knows: said where it is used, with what can be written in its place."""

from __future__ import annotations

from esm.errors import Place, TemplateError
from esm.template import complaints
from esm.template.aws import Deployment
from esm.template.nodes import Entries, Node, Scalar

_PARAMETER = "a parameter instead"
_STACKS = {"AWS::CloudFormation::Stack", "AWS::Serverless::Application"}


def unknowable(
    function: str, argument: Node, place: Place, deployment: Deployment
) -> TemplateError:
    """An intrinsic function that asks the account, another stack or a macro."""
    named = f" {argument.raw}" if isinstance(argument, Scalar) and argument.raw else ""
    said, fix = f"the value of {function} is not known here", _PARAMETER
    match function:
        case "Fn::ImportValue":
            said = f"the export{named} of another stack is not known here"
        case "Fn::GetAZs":
            zones = ", ".join(f"{deployment.region}{letter}" for letter in "abc")
            said, fix = "the account's availability zones are not known here", f"[{zones}]"
        case "Fn::Transform":
            name = argument.entries.get("Name") if isinstance(argument, Entries) else None
            macro = f" {name.raw}" if isinstance(name, Scalar) else ""
            said, fix = (
                f"what the macro{macro} gives is not known here",
                "what it gives, written out",
            )
        case _ if function.startswith("Fn::ForEach::"):
            said, fix = (
                "the loop is not written out, for what it goes through is not known",
                "a list",
            )
    return complaints.UNKNOWABLE.at(place, said, fix=fix)


def unknown_resource(name: str, kind: str, place: Place) -> TemplateError:
    """A resource of a type that we know nothing of."""
    said = f"what {name} ({kind}) gives is not known here"
    if kind in _STACKS:
        said = f"{name} is a stack of its own ({kind}), and what it gives is not known here"
    return complaints.UNKNOWABLE.at(place, said, fix=_PARAMETER)
