"""What the template says of the trucks' functions is what their code asks for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from esm.template import load

ROOT = Path(__file__).parent.parent.parent
FUNCTIONS = {
    "TruckDetection": "truck_detection",
    "TruckAlerts": "truck_alerts",
    "TruckArchive": "truck_archive",
}
TEMPLATE = load(ROOT / "template.yaml")
MAPPINGS = {
    name: mapping
    for name, mapping in TEMPLATE.mappings.items()
    if mapping.function_logical_id in FUNCTIONS
}


@pytest.mark.parametrize(("function", "folder"), FUNCTIONS.items())
def test_the_variables_that_the_code_reads_are_set(function: str, folder: str):
    code = (ROOT / "handlers" / folder / "app.py").read_text(encoding="utf-8")
    read = set(re.findall(r'os\.environ(?:\[|\.get\()"(\w+)"', code))
    set_for_all = {"POWERTOOLS_LOG_LEVEL"}
    assert read == TEMPLATE.functions[function].environment.keys() - set_for_all


def test_windows_of_ten_seconds_are_judged_in_order():
    properties = MAPPINGS["TruckDetectionReadings"].properties
    assert properties["tumbling_window_in_seconds"] == 10
    assert "parallelization_factor" not in properties  # AWS refuses both


@pytest.mark.parametrize("name", MAPPINGS)
def test_a_malformed_record_is_cut_out_and_put_aside(name: str):
    properties = MAPPINGS[name].properties
    assert properties["function_response_types"] == ["ReportBatchItemFailures"]
    assert properties["bisect_batch_on_function_error"] is True
    assert properties["maximum_retry_attempts"] > 0
    assert properties["destination_config"]["OnFailure"]["Destination"]


def test_retries_of_alerts_outlast_the_note_of_a_call_that_was_cut_off():
    retries = MAPPINGS["TruckAlertsDeviations"].properties["maximum_retry_attempts"]
    waits_s = [min(0.5 * 2**number, 60) for number in range(retries)]
    assert sum(waits_s) > TEMPLATE.functions["TruckAlerts"].timeout_seconds


def test_it_is_noted_who_was_told_as_long_as_a_deviation_can_come_again():
    [days] = re.findall(
        r"^REMEMBERED_S = (\d+) \* 24 \* 3600",
        (ROOT / "handlers" / "truck_alerts" / "app.py").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert int(days) * 24 == TEMPLATE.streams["TruckDeviations"].retention_hours
