"""`esm` alone: the mappings of this folder's template, and what to do with them next."""

from __future__ import annotations

from collections.abc import Iterator

import click

from esm.cli.command import ConfiguredCommand
from esm.cli.mask import Mask
from esm.cli.output import write_answer
from esm.cli.template_options import take_template, template_options
from esm.errors import TemplateError
from esm.template import MappingResource, SourceKind, Template

# https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
_BATCH_SIZE = 100
_WINDOW_SECONDS = 0
# Of whose records `esm generate` makes as many as wanted.
_GENERATED = {SourceKind.KINESIS: "kinesis", SourceKind.DYNAMODB: "dynamodb"}


@click.command(cls=ConfiguredCommand)
@template_options
def overview(**values: object) -> int:
    """The mappings of the template; without a template, the help of the whole, and how to start."""
    options = take_template(values)
    try:
        template = options.load()
    except TemplateError as error:
        if error.esm_code != "E108":
            raise
        group = click.get_current_context().find_root()
        start = "Start in the folder of a template.yaml: esm lists its mappings there."
        write_answer(f"{group.get_help()}\n\n{start}\n")
        return 0
    write_answer("".join(f"{line}\n" for line in _lines(template)))
    return 0


def _lines(template: Template) -> Iterator[str]:
    count = len(template.mappings)
    mask = Mask(template.secrets)
    yield f"{template.path}: {count or 'no'} {'mapping' if count == 1 else 'mappings'}"
    for mapping in template.mappings.values():
        yield ""
        yield mapping.name
        yield from (f"  {name:<10}{mask.text(value)}" for name, value in _facts(mapping, template))
    yield ""
    yield "next"
    yield from (f"  {command}" for command in _commands(template))


def _facts(mapping: MappingResource, template: Template) -> Iterator[tuple[str, str]]:
    properties = mapping.properties
    source = _named(str(properties.get("event_source_arn", "")))
    yield "source", f"{mapping.kind} {source}".rstrip()
    size = properties.get("batch_size", _BATCH_SIZE)
    window = properties.get("maximum_batching_window_in_seconds", _WINDOW_SECONDS)
    yield "batches", f"up to {size} records, window {window} s"
    if tumbling := properties.get("tumbling_window_in_seconds"):
        yield "tumbling", f"windows of {tumbling} s"
    for pattern in _patterns(properties.get("filter_criteria")):
        yield "filter", pattern
    function = template.functions.get(mapping.function_logical_id or "")
    if function is not None:
        handler = function.handler or "no handler"
        code = "" if function.code_uri is None else f" in {function.code_uri}"
        yield "function", f"{function.logical_id}: {handler}{code}"
    yield "enabled", "yes" if properties.get("enabled", True) else "no"
    if mapping.problems:
        yield "mistakes", "esm validate tells them"


def _patterns(criteria: object) -> Iterator[str]:
    filters = criteria.get("Filters") if isinstance(criteria, dict) else None
    for each in filters if isinstance(filters, list) else ():
        if isinstance(each, dict) and "Pattern" in each:
            yield " ".join(str(each["Pattern"]).split())


def _named(arn: str) -> str:
    """A stream's or table's name, or what else the ARN of a source ends in."""
    return (
        arn.split(":", 5)[-1]
        .removeprefix("stream/")
        .removeprefix("table/")
        .partition("/stream/")[0]
    )


def _commands(template: Template) -> Iterator[str]:
    """What comes next; with a mapping of a stream that has its function here, all of it runs."""
    yield "esm validate"
    mapping = next(
        (
            mapping
            for mapping in template.mappings.values()
            if mapping.kind in _GENERATED and mapping.function_logical_id in template.functions
        ),
        None,
    )
    function = next(iter(template.functions), None)
    if mapping is not None:
        generate = f"esm generate {_GENERATED[mapping.kind]}"
        yield f"{generate} --count 3 | esm invoke {mapping.function_logical_id} --event -"
        yield f"{generate} --count 100 | esm replay - --mapping {mapping.name}"
        yield f"esm run {mapping.name}"
    elif function is not None:
        yield f"esm invoke {function} --event event.json"
        yield "esm --help"
    else:
        yield "esm generate kinesis --count 3"
        yield "esm --help"
