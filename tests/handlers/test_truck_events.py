"""The captures of trucks are what their script writes, and say what README says of them."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from aws_lambda_powertools.utilities.parser.models import KinesisDataStreamModel
from truck_fleet import ROOT

FOLDER = ROOT / "events" / "abc4logistics"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    path = ROOT / "scripts" / "make_truck_events.py"
    spec = importlib.util.spec_from_file_location("make_truck_events", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def records() -> list[dict[str, Any]]:
    lines = (FOLDER / "readings.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_the_files_are_what_the_script_writes(script: ModuleType, tmp_path: Path):
    script.main(tmp_path)
    written = {path.name: path.read_bytes() for path in (tmp_path / FOLDER.name).iterdir()}
    assert written == {path.name: path.read_bytes() for path in FOLDER.iterdir()}


def test_both_are_records_as_powertools_knows_them():
    readings = KinesisDataStreamModel.model_validate({"Records": records()}).Records
    assert len(readings) == 141
    assert {record.eventID.split(":")[0] for record in readings} == {"shardId-000000000001"}
    deviations = json.loads((FOLDER / "deviations.json").read_text(encoding="utf-8"))
    assert len(KinesisDataStreamModel.model_validate(deviations).Records) == 4
