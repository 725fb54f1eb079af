"""What drivers and the fleet team read, and that they read it once."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from esm import Harness

DEVIATION = {
    "anomaly_id": "truck-1/engine@2026-03-02T09:00:00Z",
    "sensor": "truck-1/engine",
    "truck": "truck-1",
    "kind": "engine",
    "window_start": "2026-03-02T09:00:00Z",
    "window_end": "2026-03-02T09:00:10Z",
    "readings": 4,
    "measured": 120.04,
    "usual": 90.0,
    "spreads": 15.0,
    "position": {"latitude": 48.1, "longitude": 11.6},
}


@pytest.fixture(scope="module")
def load_alerts(load: Callable[[str, str], ModuleType]) -> Callable[[str], ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IDEMPOTENCY_TABLE_NAME", "sent")
        load("truck_alerts", "app")
    return lambda module: load("truck_alerts", module)


@pytest.fixture
def world(
    esm: Harness, load_alerts: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> tuple[Any, Any, Any]:
    """The mapping, and the topics of driver and team."""
    esm.dynamodb("sent", keys=("id",))
    driver, team = esm.topic("driver"), esm.topic("team")
    monkeypatch.setenv("DRIVER_TOPIC_ARN", driver.arn)
    monkeypatch.setenv("FLEET_TOPIC_ARN", team.arn)
    mapping = esm.map(
        esm.kinesis("deviations"),
        load_alerts("app").handler,
        function_response_types=["ReportBatchItemFailures"],
        maximum_retry_attempts=3,
    )
    return mapping, driver, team


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (
            "engine",
            "Engine temperature 120.0 °C, usually 90.0 °C, since 09:00:00 UTC. "
            "Stop where it is safe and let the engine cool down.",
        ),
        ("speed", "Speed 120.0 km/h, usually 90.0 km/h, since 09:00:00 UTC. Slow down."),
    ],
)
def test_the_driver_reads_a_sentence_and_the_team_all_that_is_known(
    esm: Harness, world: tuple[Any, Any, Any], kind: str, text: str
):
    mapping, driver, team = world
    mapping.source.put({**DEVIATION, "kind": kind})
    esm.drain()

    [told] = driver.published
    assert told.message == text
    assert told.attributes == {"truck": "truck-1", "kind": kind}
    [told] = team.published
    assert told.json == {**DEVIATION, "kind": kind}


def test_every_kind_has_its_words(load_alerts: Callable[[str], ModuleType]):
    notices, models = load_alerts("notices"), load_alerts("models")
    for kind in models.Kind:
        deviation = models.Deviation.model_validate({**DEVIATION, "kind": kind})
        for notice in notices.notices(deviation):
            assert notice.subject.isascii()
            assert len(notice.subject) < 100


def test_copies_of_an_anomaly_are_told_once_and_each_anomaly_of_a_truck(
    esm: Harness, world: tuple[Any, Any, Any]
):
    mapping, driver, team = world
    later = {**DEVIATION, "anomaly_id": "truck-1/engine@2026-03-02T10:00:00Z"}
    mapping.source.put_many([DEVIATION, DEVIATION, later, DEVIATION, later])
    esm.drain()

    assert [told.json["anomaly_id"] for told in team.published] == [
        DEVIATION["anomaly_id"],
        later["anomaly_id"],
    ]
    assert len(driver.published) == 2


def test_it_is_remembered_as_long_as_a_deviation_can_come_again(
    esm: Harness, world: tuple[Any, Any, Any]
):
    mapping, driver, _ = world
    mapping.source.put(DEVIATION)
    esm.advance("6d23h")
    mapping.source.put(DEVIATION)
    esm.drain()

    assert len(driver.published) == 1


def test_a_call_that_was_cut_off_is_made_good_once_its_time_is_over(
    esm: Harness, world: tuple[Any, Any, Any], monkeypatch: pytest.MonkeyPatch
):
    mapping, driver, team = world
    mapping.update(maximum_retry_attempts=8)
    table = esm.tables["sent"]
    key = "left in progress"
    seen: list[str] = []

    class Cut(BaseException):
        """What no `except Exception` sees, as the end of an execution environment."""

    publish = team.publish

    def cut_off(*args: Any, **more: Any) -> None:
        seen.append(key)
        if len(seen) == 1:
            raise Cut
        publish(*args, **more)

    monkeypatch.setattr(team, "publish", cut_off)
    mapping.source.put(DEVIATION)
    esm.drain()

    assert seen == [key] * 2
    assert len(team.published) == len(driver.published) == 1
    assert {item["status"]["S"] for item in table.items.values()} == {"COMPLETED"}
    assert mapping.lag() == 0


def test_malformed_deviations_are_reported_and_the_others_told(
    load_alerts: Callable[[str], ModuleType], esm: Harness, world: tuple[Any, Any, Any]
):
    mapping, driver, _ = world
    mapping.source.put_many([b"", DEVIATION])
    esm.drain()

    reported = mapping.invocations[0].response["batchItemFailures"]
    assert [each["itemIdentifier"] for each in reported] == [
        mapping.source.records[0].sequence_number
    ]
    assert len(driver.published) == 1, "it is not held up by the one before it"
    assert mapping.discarded
