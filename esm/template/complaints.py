"""What can be wrong with a template: our lifelong codes in one table."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from dataclasses import dataclass

from esm.errors import Place, TemplateError


@dataclass(frozen=True, slots=True)
class Complaint:
    """One rule; `is_certain` is false where only the world outside the template could tell."""

    esm_code: str
    why: str
    is_certain: bool = True

    def at(self, place: Place, message: str, *, fix: str | None = None) -> TemplateError:
        """The error to raise."""
        if fix is not None and place.file.endswith(".json"):
            fix = _as_json(fix)
        return TemplateError(self.esm_code, message, place=place, why=self.why, fix=fix)


UNREADABLE = Complaint("E101", "a template is a text file in UTF-8")
NO_SYNTAX = Complaint("E102", "it can be read neither as YAML nor as JSON")
NO_JSON = Complaint("E102", "a file that ends in .json is read as JSON")
TOO_LARGE = Complaint("E103", "our limit; CloudFormation takes templates of up to 1 MB")
DUPLICATE = Complaint("E104", "only one of the two could have an effect")
BAD_NODE = Complaint("E105", "CloudFormation has no such value")
UNKNOWN_TAG = Complaint("E106", "CloudFormation knows no such short form")
WRONG_SHAPE = Complaint("E107", "CloudFormation refuses it")
MACRO = Complaint("W101", "only a deployment runs macros", is_certain=False)
UNKNOWN_PARAMETER = Complaint("E110", "CloudFormation refuses values for what is no parameter")
BAD_PARAMETER = Complaint("E111", "CloudFormation refuses it")
UNSET = Complaint("E112", "it is used, and its value comes from outside", is_certain=False)
UNKNOWN_NAME = Complaint("E120", "CloudFormation refuses it: nothing has this name")
UNKNOWN_ATTRIBUTE = Complaint("E121", "CloudFormation refuses it: there is no such attribute")
UNKNOWABLE = Complaint("E122", "only a deployment has this value", is_certain=False)
BAD_FUNCTION = Complaint("E123", "CloudFormation refuses it")
CYCLE = Complaint("E124", "it needs its own value")
NOT_CREATED = Complaint("E125", "its condition is false, so there is no such resource")
TOO_COMPLEX = Complaint("E126", "our limit, so that no template can take all memory")
WRONG_TYPE = Complaint("E130", "CloudFormation refuses it")
MISSING = Complaint("E131", "CloudFormation refuses it: the property is required")
SAME_NAME = Complaint("E132", "AWS refuses it: the name is taken when the second one is made")
BAD_NAME = Complaint("E133", "AWS refuses it: not a name that it can have")
BAD_VARIABLE = Complaint(
    "E133", "AWS takes two or more letters, digits and underscores, a letter first"
)
UNKNOWN_PROPERTY = Complaint("E140", "CloudFormation refuses it: there is no such property")
UNKNOWN_EVENT = Complaint("E141", "SAM has no such event")
OTHER_EVENT = Complaint("E142", "SAM gives the function the permissions of another source")
NO_FOLDER = Complaint("E153", "the function's code is not there")
NO_HANDLER_FILE = Complaint("E151", "Lambda could not import the handler")
NOT_RUNNABLE = Complaint(
    "E152", "only functions in Python, from a folder, run here", is_certain=False
)


def twice(key: str, first: Place, second: Place) -> TemplateError:
    """A key that stands in one map at two places."""
    where = f"{first.line}:{first.column}"
    message = f"{key!r} is there already, at {where}"
    return DUPLICATE.at(second, message, fix=f"remove one of the two, at {where} or here")


_UNCERTAIN = {UNSET.esm_code, UNKNOWABLE.esm_code, NOT_RUNNABLE.esm_code}


def is_certain(error: TemplateError) -> bool:
    """Whether it is a mistake, rather than a value that the template alone does not have."""
    return error.esm_code not in _UNCERTAIN


def _as_json(fix: str) -> str:
    """What can be pasted into YAML, as a template in JSON has it; else unchanged."""
    from esm.template.nodes import Scalar, function_of, plain  # they know their complaints
    from esm.template.reading import read_text

    try:
        node = read_text(fix, "fix.yaml")
    except TemplateError:
        return fix
    if isinstance(node, Scalar) or "…" in fix:
        return fix
    text = json.dumps(plain(node), ensure_ascii=False)
    return text[1:-1] if text[0] == "{" and function_of(node) is None else text


def nearest(name: str, names: Iterable[str], *, likeness: float = 0.0) -> str | None:
    """The name that was probably meant; None when there is none that is as like as this."""
    folded = {other.lower(): other for other in sorted(names)}
    close = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=likeness)
    return folded[close[0]] if close else None
