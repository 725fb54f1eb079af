"""What the tests of recorded cases share: the cases, their statements, shapes with placeholders."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import pytest

from esm.errors import MappingError

Case = dict[str, Any]

# Parts of a case's configuration that tell what was done, and are no properties.
NO_PROPERTIES = {"create_twice", "update", "when", "then", "EventSourceArn"}
SNAKE = re.compile(r"(?<!^)(?=[A-Z])")
PLACEHOLDERS = {
    "<uuid>": r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
    "<iso8601-utc-milliseconds-Z>": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",
    "<iso8601-utc-seconds-Z>": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
    "<execution-role-arn>": r"arn:aws:iam::\d{12}:role/.+",
    "<32 hex chars>": r"[0-9a-f]{32}",
    "<digits>": r"\d{21,40}",
    "<region>": r"us-east-1",
    "<ddb-shard-id>": r"shardId-\d{20}-[0-9a-f]{8}",
}
NOTHING = {"type": "return", "value": None}


def cases_of(source_type: str) -> list[Case]:
    """The cases of one kind of source, in the order of the file."""
    path = Path(__file__).with_name("aws-recorded-cases.json")
    return [
        each for each in json.loads(path.read_text())["cases"] if each["source_type"] == source_type
    ]


def rows(
    cases: list[Case],
    details: Collection[str],
    by_control_plane: Callable[[Case, str], bool],
) -> list[Any]:
    """A parameter for each thing that a case says; what needs the control plane has to fail."""
    strict = pytest.mark.xfail(
        strict=True, raises=AttributeError, reason="only the control plane answers this"
    )
    return [
        pytest.param(
            case,
            said,
            marks=[strict] if by_control_plane(case, said) else [],
            id=f"{case['id']}: {said}",
        )
        for case in cases
        for said in case["expected"]
        if said not in details
    ]


def properties_of(config: Case) -> dict[str, Any]:
    """A case's configuration as properties of a mapping."""
    return {
        SNAKE.sub("_", name).lower(): value
        for name, value in config.items()
        if name not in NO_PROPERTIES
    }


def handler_of(behaviour: dict[str, Any] | None) -> Callable[..., Any]:
    """A function that does what the recorded one did."""
    does = behaviour or NOTHING

    def handler(event: dict[str, Any], context: object) -> Any:
        match does["type"]:
            case "return":
                return does["value"]
            case "raise":
                raise RuntimeError("recorded failure")
            case "sleep":
                time.sleep(does["seconds"])
                return None
            case "empty_body":  # a runtime that answers with zero bytes gives no payload
                return None
            case other:
                raise AssertionError(other)

    return handler


def check_error(case: Case, expected: dict[str, Any], arn: str) -> None:
    """AWS's code and text for a request that it refuses."""
    from esm.mapping import create

    properties = properties_of(case["esm_config"])
    with pytest.raises(MappingError) as raised:
        create(properties | {"event_source_arn": arn, "function_name": "f"}, now_ms=0)
    assert raised.value.code == expected["code"]
    assert raised.value.message == expected["message"]


def check_conflict(harness: Any, mapping: Any, expected: dict[str, Any]) -> None:
    """AWS's answer to a second mapping of the same source and function."""
    with pytest.raises(MappingError) as raised:
        harness.map(mapping.source, handler_of(None), function_name=mapping.function_arn)
    assert raised.value.code == expected["code"]
    assert raised.value.message == expected["message"].format(
        event_source_arn=mapping.source.arn,
        function_name=mapping.function_arn.rpartition(":")[2],
        uuid=mapping.pipeline.uuid,
    )


def check_shape(actual: Any, shape: Any, known: Mapping[str, Any]) -> None:
    """The same keys in the same order, and values equal but for placeholders.

    `known` has those of a run; a float among them is an instant, which must be a float, too.
    """
    if isinstance(shape, dict):
        assert list(actual) == list(shape)
        for key, value in shape.items():
            check_shape(actual[key], value, known)
    elif isinstance(shape, str) and shape in known:
        assert actual == known[shape]
        assert type(actual) is type(known[shape])
    elif isinstance(shape, str) and "<" in shape:
        assert re.fullmatch(PLACEHOLDERS[shape], actual)
    else:
        assert actual == shape
