"""A complaint about a mapping in the words of the template: its place, and a fix to paste there."""

from __future__ import annotations

import json
import re

from esm.errors import MappingError, Place
from esm.mapping import PROPERTIES, refusals
from esm.mapping.constraints import Path
from esm.template.complaints import nearest
from esm.template.model import MappingResource, Resource, SourceKind, Template

_ATTRIBUTES = {row.name: row.attribute for row in PROPERTIES}
_CLOUDFORMATION = {"KMSKeyArn": "KmsKeyArn", "KAFKA_BOOTSTRAP_SERVERS": "KafkaBootstrapServers"}
_FIX = re.compile(r"(?P<remove>remove )?(?P<name>[A-Z][A-Za-z_]+)(?P<rest>(: .*)?)", re.DOTALL)
_AT_KEY = {refusals.UNSUPPORTED.esm_code, refusals.QUEUE_MODE.esm_code}
_SOURCE, _DESTINATION = "event_source_arn", "destination_config"


def relocated(
    error: MappingError, mapping: MappingResource, path: Path, template: Template
) -> MappingError:
    """The same complaint, at the member in the template; `path` has AWS's names."""
    return type(error)(
        error.esm_code,
        error.message,
        code=error.code,
        detail=error.detail,
        place=error.place or _place(error, mapping, path),
        why=error.why,
        fix=_fix(error, mapping, template),
    )


def _place(error: MappingError, mapping: MappingResource, path: Path) -> Place:
    attribute = _ATTRIBUTES[str(path[0])]
    if error.esm_code in _AT_KEY:
        return mapping.key_of(attribute)
    rest = tuple(_CLOUDFORMATION.get(str(step), step) for step in path[1:])
    if mapping.is_sam_event and attribute == "self_managed_event_source":
        rest = rest[2:]  # SAM has the list of brokers alone
    if rest and f"{attribute}.{rest[0]}" in mapping.spots:
        return mapping.place_of(f"{attribute}.{rest[0]}", *rest[1:])
    return mapping.place_of(attribute, *rest)


def _fix(error: MappingError, mapping: MappingResource, template: Template) -> str:
    if error.esm_code == refusals.FIFO_DESTINATION.esm_code:
        return _standard_destination(mapping, template)
    fix = error.fix or ""
    match = _FIX.fullmatch(fix)
    if match is None:
        return fix
    remove, name, rest = match["remove"] or "", match["name"], match["rest"]
    if name == "DestinationConfig" and (declared := _declared_destination(mapping, template)):
        return declared
    if name == "EventSourceArn" and mapping.is_sam_event:
        name = "Stream"
    if name in ("Stream", "EventSourceArn") and not remove:
        rest = _declared_source(mapping, template) or rest
    if name == "Tags" and not remove:
        rest = ': [{"Key": "team", "Value": "orders"}]'
    written = _written(name, mapping)
    if remove or not template.path.name.endswith(".json"):
        return f"{remove}{written}{rest}"
    if name == "Pattern":
        pattern = rest.removeprefix(": '").removesuffix("'").replace("''", "'")
        rest = f": {json.dumps(pattern, ensure_ascii=False)}"
    return f'"{written}"{rest}'


def _written(name: str, mapping: MappingResource) -> str:
    """A property as the user calls it."""
    spot = mapping.spots.get(_ATTRIBUTES.get(name, ""))
    return _CLOUDFORMATION.get(name, name) if spot is None else spot.written


def _declared_source(mapping: MappingResource, template: Template) -> str | None:
    """A source of the right kind that the template has, as an expression to paste."""
    given = str(mapping.properties.get(_SOURCE, ""))
    if mapping.kind in (SourceKind.MSK, SourceKind.SELF_MANAGED_KAFKA):
        return None
    if mapping.kind is SourceKind.DYNAMODB:
        arns, attribute = {t.logical_id: t.arn for t in template.tables.values()}, "StreamArn"
    else:
        arns, attribute = {s.logical_id: s.arn for s in template.streams.values()}, "Arn"
    own = next((name for name, arn in arns.items() if arn == given), None)
    near = own or next((name for name in arns if name in given), None) or nearest(given, arns)
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


def _declared_destination(mapping: MappingResource, template: Template) -> str | None:
    """For the URL of a queue, or a bucket's name, which is what Ref gives, its ARN."""
    match mapping.properties.get(_DESTINATION):
        case {"OnFailure": {"Destination": str(given)}}:
            for place in (*template.queues.values(), *template.buckets.values()):
                if given.split("/")[-1] == place.name:
                    name = (
                        '"Destination"' if template.path.name.endswith(".json") else "Destination"
                    )
                    return f"{name}: {get_att(place.logical_id, 'Arn', template)}"
    return None


def _is_fifo(resource: Resource) -> bool:
    return resource.is_fifo or resource.name.endswith(".fifo")
