"""A complaint about a mapping in the words of the template: its place, and a fix to paste there."""

from __future__ import annotations

import json
import re

from esm.errors import MappingError
from esm.mapping import PROPERTIES, refusals
from esm.template.complaints import nearest
from esm.template.model import MappingResource, Resource, SourceKind, Template

_NAMES = {row.attribute: row.name for row in PROPERTIES}
_CLOUDFORMATION = {"KMSKeyArn": "KmsKeyArn"}
_FIX = re.compile(r"(?P<remove>remove )?(?P<name>[A-Za-z]+)(?P<rest>.*)", re.DOTALL)
_AT_KEY = {refusals.UNSUPPORTED.esm_code}
_SOURCE, _DESTINATION = "event_source_arn", "destination_config"


def relocated(
    error: MappingError, mapping: MappingResource, attribute: str | None, template: Template
) -> MappingError:
    """The same complaint, at the property in the template."""
    place = error.place
    if place is None and attribute is not None:
        is_key = error.esm_code in _AT_KEY
        path = ("OnFailure", "Destination") if attribute == _DESTINATION else ()
        place = mapping.key_of(attribute) if is_key else mapping.place_of(attribute, *path)
    return type(error)(
        error.esm_code,
        error.message,
        code=error.code,
        detail=error.detail,
        place=place or mapping.place,
        why=error.why,
        fix=_fix(error, mapping, template),
    )


def _fix(error: MappingError, mapping: MappingResource, template: Template) -> str:
    if error.esm_code == refusals.FIFO_DESTINATION.esm_code:
        return _standard_destination(mapping, template)
    fix = error.fix or ""
    match = _FIX.fullmatch(fix)
    if match is None:
        return fix
    remove, name, rest = match["remove"] or "", match["name"], match["rest"]
    if name == "EventSourceArn" and mapping.is_sam_event:
        name = "Stream"
    if name in ("Stream", "EventSourceArn") and not remove:
        rest = _declared_source(mapping, template) or rest
    written = _written(name, mapping)
    if remove or not template.path.name.endswith(".json"):
        return f"{remove}{written}{rest}"
    if name == "Pattern":
        pattern = rest.removeprefix(": '").removesuffix("'").replace("''", "'")
        rest = f": {json.dumps(pattern, ensure_ascii=False)}"
    return f'"{written}"{rest}'


def _written(name: str, mapping: MappingResource) -> str:
    """A property as the user calls it."""
    attribute = next((a for a, n in _NAMES.items() if n == name), "")
    spot = mapping.spots.get(attribute)
    return _CLOUDFORMATION.get(name, name) if spot is None else spot.written


def _declared_source(mapping: MappingResource, template: Template) -> str | None:
    """A source of the right kind that the template has, as an expression to paste."""
    if mapping.kind is SourceKind.DYNAMODB:
        names, attribute = [t.logical_id for t in template.tables.values()], "StreamArn"
    else:
        names, attribute = list(template.streams), "Arn"
    given = str(mapping.properties.get(_SOURCE, ""))
    near = next((n for n in names if n in given), None) or nearest(given, names)
    return f": {get_att(near, attribute, template)}" if near else None


def get_att(logical_id: str, attribute: str, template: Template) -> str:
    """An attribute of a resource, in the template's language."""
    if template.path.name.endswith(".json"):
        return f'{{"Fn::GetAtt": ["{logical_id}", "{attribute}"]}}'
    return f"!GetAtt {logical_id}.{attribute}"


def _standard_destination(mapping: MappingResource, template: Template) -> str:
    """A queue or topic of the template that is not FIFO, or the same name without `.fifo`."""
    others = [(queue, "Arn") for queue in template.queues.values()]
    others += [(topic, "TopicArn") for topic in template.topics.values()]
    name = '"Destination"' if template.path.name.endswith(".json") else "Destination"
    for resource, attribute in others:
        if not _is_fifo(resource):
            return f"{name}: {get_att(resource.logical_id, attribute, template)}"
    config = mapping.properties[_DESTINATION]
    arn = config["OnFailure"]["Destination"] if isinstance(config, dict) else ""
    return f'{name}: "{arn.removesuffix(".fifo")}"'


def _is_fifo(resource: Resource) -> bool:
    return resource.is_fifo or resource.name.endswith(".fifo")
