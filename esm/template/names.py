"""Names that AWS refuses: of the wrong form, or taken by another resource of the template.

https://docs.aws.amazon.com/kinesis/latest/APIReference/API_CreateStream.html
https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from esm.errors import Place, TemplateError
from esm.template import complaints
from esm.template.model import Template

_NOT_IN_A_NAME = re.compile(r"[^a-zA-Z0-9_-]+")


@dataclass(frozen=True, slots=True)
class _Form:
    """What names of a kind look like; `property_name` is what a template calls them."""

    property_name: str
    pattern: re.Pattern[str]
    words: str


_STREAM = _Form("Name", re.compile(r"[a-zA-Z0-9_.-]{1,128}"), "1 to 128 letters, digits, and . _ -")
_TABLE = _Form(
    "TableName", re.compile(r"[a-zA-Z0-9_.-]{3,255}"), "3 to 255 letters, digits, and . _ -"
)
_QUEUE = _Form(
    "QueueName", re.compile(r"(?!.{81})[a-zA-Z0-9_-]+(\.fifo)?"), "1 to 80 letters, digits, _ -"
)
_TOPIC = _Form(
    "TopicName", re.compile(r"(?!.{257})[a-zA-Z0-9_-]+(\.fifo)?"), "1 to 256 letters, digits, _ -"
)
_BUCKET = _Form(
    "BucketName",
    re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"),
    "3 to 63 small letters, digits, and . -",
)
_FUNCTION = _Form(
    "FunctionName", re.compile(r"[a-zA-Z0-9_-]{1,64}"), "1 to 64 letters, digits, _ -"
)
_ALIAS = _Form(
    "AutoPublishAlias",
    re.compile(r"(?![0-9]+\Z)[a-zA-Z0-9_-]{1,128}"),
    "1 to 128 letters, digits, _ -, and not only digits",
)


@dataclass(frozen=True, slots=True)
class _Named:
    logical_id: str
    name: str
    place: Place


def name_errors(template: Template) -> Iterator[TemplateError]:
    """Every name that AWS would refuse, at its place."""
    for form, resources in (
        (_STREAM, template.streams),
        (_TABLE, template.tables),
        (_QUEUE, template.queues),
        (_TOPIC, template.topics),
        (_BUCKET, template.buckets),
    ):
        named = [_Named(r.logical_id, r.name, r.name_place) for r in resources.values()]
        yield from _errors(form, named)
    functions = template.functions.values()
    yield from _errors(
        _FUNCTION,
        [_Named(f.logical_id, f.function_name, f.place_of("FunctionName")) for f in functions],
    )
    yield from _alias_errors(template)


def _errors(form: _Form, named: Iterable[_Named]) -> Iterator[TemplateError]:
    taken: dict[str, str] = {}
    for each in sorted(named, key=lambda each: each.place.line or 0):
        if form.pattern.fullmatch(each.name) is None:
            yield _malformed(form, each.name, each.place)
        first = taken.setdefault(each.name, each.logical_id)
        if first != each.logical_id:
            yield complaints.SAME_NAME.at(
                each.place,
                f"{each.logical_id} and {first} both have the {form.property_name} {each.name!r}",
                fix=f"{form.property_name}: {each.name}-2",
            )


def _alias_errors(template: Template) -> Iterator[TemplateError]:
    """What SAM's mappings invoke functions by."""
    for mapping in template.mappings.values():
        function = template.functions.get(mapping.function_logical_id or "")
        _, colon, alias = str(mapping.properties.get("function_name", "")).partition(":")
        if mapping.is_sam_event and function and colon and not _ALIAS.pattern.fullmatch(alias):
            yield _malformed(_ALIAS, alias, function.place_of(_ALIAS.property_name))


def _malformed(form: _Form, name: str, place: Place) -> TemplateError:
    meant = _NOT_IN_A_NAME.sub("-", name).strip("-").lower()[:50]
    return complaints.BAD_NAME.at(
        place,
        f"{form.property_name} {name!r} must be {form.words}",
        fix=f"{form.property_name}: {meant if form.pattern.fullmatch(meant) else 'orders'}",
    )
