"""The captured clicks and inputs are what the script writes, and what the functions take."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from aws_lambda_powertools.utilities.parser.models import (
    DynamoDBStreamModel,
    KinesisDataStreamModel,
)
from sneaker_shop import ROOT

from esm.scenarios import fast_sneakers

FOLDER = ROOT / "events" / "fast_sneakers"
FILES = {"clicks.json", "poison.json", "inference-inputs.json"}


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "scripts")
        yield importlib.import_module("make_sneaker_events")


def event(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return document


def test_the_files_are_what_the_script_writes(script: ModuleType, tmp_path: Path):
    script.main(tmp_path)
    written = {path.name: path.read_bytes() for path in (tmp_path / FOLDER.name).iterdir()}
    assert written == {path.name: path.read_bytes() for path in FOLDER.iterdir()}
    assert written.keys() == FILES


def test_clicks_are_events_as_powertools_knows_them():
    for name, count in (("clicks.json", 22), ("poison.json", 6)):
        records = KinesisDataStreamModel.model_validate(event(name)).Records
        assert len(records) == count
        assert len({record.eventID.split(":")[0] for record in records}) == 1


def test_the_inputs_are_those_of_the_clicks():
    records = DynamoDBStreamModel.model_validate(event("inference-inputs.json")).Records
    changed = [record.dynamodb.NewImage["sku"] for record in records]
    clicked = {record["kinesis"]["partitionKey"] for record in event("clicks.json")["Records"]}
    assert sorted(changed) == sorted(clicked - {fast_sneakers.GONE_SKU})
