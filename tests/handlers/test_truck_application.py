"""ABC4Logistics as a whole: readings go in, driver and fleet team are told, S3 keeps them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from truck_fleet import Fleet, reading

from esm import Harness

MALFORMED = b'{"truck": "truck-1", "measured_'
WINDOWS = 6


@pytest.fixture
def fleet(esm: Harness) -> Fleet:
    return Fleet(esm)


def drive(fleet: Fleet, drifts_from: int = WINDOWS, restarts: Sequence[int] = ()) -> None:
    """Two trucks for some windows; the container of the second warms up by 4 degrees in each."""
    for second in range(0, 10 * WINDOWS, 5):
        warmer = 4.0 * max(0, second // 10 - drifts_from + 1)
        fleet.send("truck-1")
        fleet.send("truck-2", container_celsius=-18.0 + warmer)
        for tick in range(second, second + 5):
            fleet.h.advance("1s")
            if tick in restarts:
                fleet.h.restart()


def test_a_container_that_warms_up_is_told_once_to_both_topics(fleet: Fleet):
    fleet.know("truck-1", "truck-2")
    drive(fleet, drifts_from=3)
    fleet.h.drain()

    assert fleet.anomalies == ["truck-2/container@2026-01-01T00:00:30Z"]
    [told] = fleet.team.published
    assert told.attributes == {"truck": "truck-2", "kind": "container"}
    assert told.json["measured"] == -14.0
    assert told.json["usual"] == -18.0
    [told] = fleet.driver.published
    assert told.subject == "truck-2: container temperature deviates"
    assert told.message == (
        "Container temperature -14.0 °C, usually -18.0 °C, since 00:00:30 UTC. "
        "Check the container's doors and its cooling at the next stop."
    )


def test_the_driver_is_told_within_seconds_of_the_windows_end(fleet: Fleet):
    fleet.know("truck-1", "truck-2")
    drive(fleet, drifts_from=3)

    [told] = fleet.driver.published
    assert 40 < (told.at - fleet.h.now.replace(second=0, minute=0)).seconds <= 47


def test_who_drives_as_usual_is_never_told_anything(fleet: Fleet):
    drive(fleet)
    fleet.h.drain()

    assert fleet.deviations.records == []
    assert (fleet.driver.published, fleet.team.published) == ([], [])
    engine = fleet.baselines["truck-1"]["sensors"]["M"]["engine"]["M"]
    assert engine == {"windows": {"N": "6"}, "mean": {"N": "90.0"}, "variance": {"N": "0.0"}}


def test_a_second_anomaly_of_a_sensor_is_told_after_it_was_well_again(fleet: Fleet):
    fleet.know("truck-1")
    for engine_celsius in (90.0, 120.0, 120.0, 90.0, 120.0):
        fleet.send("truck-1", engine_celsius=engine_celsius)
        fleet.h.advance("10s")
    fleet.h.drain()

    assert fleet.anomalies == [
        "truck-1/engine@2026-01-01T00:00:10Z",
        "truck-1/engine@2026-01-01T00:00:40Z",
    ]


def test_readings_of_another_time_are_kept_and_not_judged(fleet: Fleet):
    fleet.know("truck-1")
    fleet.h.advance("10m")
    late = reading("truck-1", fleet.h.now.replace(minute=2), engine_celsius=140.0)
    fleet.readings.put(late, key="truck-1")
    fleet.send("truck-1")
    fleet.h.drain()

    assert fleet.deviations.records == []
    [lines] = fleet.objects.values()
    assert [line["reading"]["engine_celsius"] for line in lines] == [140.0, 90.0]


def test_malformed_readings_are_put_aside_and_harm_no_other(fleet: Fleet):
    fleet.know("truck-1")
    fleet.send("truck-1", engine_celsius=120.0)
    fleet.readings.put(MALFORMED, key="truck-1")
    fleet.send("truck-1", engine_celsius=121.0)
    fleet.h.drain()

    for mapping in (fleet.detection, fleet.archive):
        [discard] = mapping.discarded
        assert [record.data for record in discard.records] == [MALFORMED]
        assert len(mapping.delivered) == 2
        assert [each.error for each in mapping.invocations if each.error] == []
    [told] = fleet.team.published
    assert (told.json["readings"], told.json["measured"]) == (2, 120.5)
    kept = [line["reading"]["engine_celsius"] for ls in fleet.objects.values() for line in ls]
    assert kept == [120.0, 121.0]


def test_a_topic_that_refuses_gets_its_message_later_and_the_other_one_none_twice(fleet: Fleet):
    fleet.know("truck-1", "truck-2")
    fleet.team.fail(times=3)
    for truck in ("truck-1", "truck-2"):
        fleet.send(truck, engine_celsius=120.0)
    fleet.h.drain()

    first, *others = fleet.alerts.invocations
    assert len(first.response["batchItemFailures"]) == 2
    assert others[-1].response == {"batchItemFailures": []}
    assert sorted(fleet.anomalies) == [
        "truck-1/engine@2026-01-01T00:00:00Z",
        "truck-2/engine@2026-01-01T00:00:00Z",
    ]
    assert sorted(told.attributes["truck"] for told in fleet.driver.published) == [
        "truck-1",
        "truck-2",
    ]
    assert fleet.alerts.lag() == 0


def test_what_a_topic_refuses_to_the_end_is_put_aside_and_others_are_told(fleet: Fleet):
    fleet.know("truck-1")
    fleet.team.fail(times=1_000)
    fleet.send("truck-1", engine_celsius=120.0)
    fleet.h.drain()

    [discard] = fleet.alerts.discarded
    assert discard.condition == "RetryAttemptsExhausted"
    assert discard.delivered
    assert [record.json["anomaly_id"] for record in discard.records] == [
        "truck-1/engine@2026-01-01T00:00:00Z"
    ]
    assert len(fleet.driver.published) == 1
    assert fleet.team.published == []


def test_a_deviation_that_is_none_is_put_aside(fleet: Fleet):
    fleet.know("truck-1")
    fleet.deviations.put(b"{}", key="truck-1")
    fleet.send("truck-1", engine_celsius=120.0)
    fleet.h.drain()

    assert [len(each.records) for each in fleet.alerts.discarded] == [1]
    assert fleet.anomalies == ["truck-1/engine@2026-01-01T00:00:00Z"]


def test_a_final_call_whose_answer_is_lost_is_made_again_and_changes_nothing(fleet: Fleet):
    fleet.know("truck-1")
    fleet.send("truck-1", engine_celsius=120.0)
    fleet.h.advance("9s")
    fleet.detection.inject.latency("40s")  # longer than the timeout, and the handler has run
    fleet.h.until(lambda: len(fleet.deviations.records) == 1)
    after_first = fleet.baselines
    fleet.detection.inject.latency("0s")
    fleet.h.drain()

    finals = [each for each in fleet.detection.invocations if each.cause != "batch"]
    assert [type(each.error).__name__ for each in finals] == ["TaskTimedOut", "NoneType"]
    assert [record.json["anomaly_id"] for record in fleet.deviations.records] == [
        "truck-1/engine@2026-01-01T00:00:00Z"
    ] * 2
    assert fleet.baselines == after_first
    assert len(fleet.driver.published) == len(fleet.team.published) == 1


def test_a_stream_that_is_read_twice_gives_the_same_alerts_and_baselines(fleet: Fleet):
    fleet.know("truck-1", "truck-2")
    drive(fleet, drifts_from=3)
    fleet.send("truck-2")  # well again, so it could be found once more
    fleet.h.drain()
    told, baselines, kept = fleet.anomalies, fleet.baselines, event_ids(fleet)

    fleet.begin_again()
    fleet.h.drain()

    finals = [each for each in fleet.detection.invocations if each.cause == "window"]
    assert len(finals) == 2 * (WINDOWS + 1)
    assert [len(each.records) for each in fleet.alerts.invocations] == [1, 1]
    assert len(fleet.deviations.records) == len(told) == 1
    assert fleet.anomalies == told
    assert len(fleet.driver.published) == 1
    assert fleet.baselines == baselines
    assert event_ids(fleet) == kept


def test_a_final_call_that_comes_late_does_not_take_baselines_back(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
):
    drive(fleet)
    fleet.h.drain()
    baselines = fleet.baselines
    first = next(each for each in fleet.detection.invocations if each.cause == "window")

    fleet.call_again("TruckDetection", first.event, monkeypatch)

    assert fleet.baselines == baselines


@pytest.fixture(scope="module")
def undisturbed() -> tuple[list[str], dict[str, object], set[str]]:
    with Harness() as h:
        fleet = Fleet(h)
        fleet.know("truck-1", "truck-2")
        drive(fleet, drifts_from=2)
        h.drain()
        return fleet.anomalies, fleet.baselines, event_ids(fleet)


def event_ids(fleet: Fleet) -> set[str]:
    return {line["event_id"] for lines in fleet.objects.values() for line in lines}


@settings(max_examples=5)
@given(
    restarts=st.sets(st.integers(0, 10 * WINDOWS - 1), max_size=12),
    latency=st.sampled_from(["300ms", "1500ms", "4s"]),
)
def test_whatever_is_delivered_again_gives_the_same_alerts_and_baselines(
    undisturbed: tuple[list[str], dict[str, object], set[str]], restarts: set[int], latency: str
):
    with Harness(latency=latency) as h:
        fleet = Fleet(h)
        fleet.know("truck-1", "truck-2")
        drive(fleet, drifts_from=2, restarts=sorted(restarts))
        h.drain()

        assert (fleet.anomalies, fleet.baselines, event_ids(fleet)) == undisturbed
        assert len(fleet.driver.published) == 1


def test_the_length_of_a_window_is_a_parameter_of_the_template(esm: Harness):
    fleet = Fleet(esm, WindowSeconds="2")
    fleet.know("truck-1")
    fleet.send("truck-1", engine_celsius=120.0)
    esm.advance("3s")
    fleet.send("truck-1", engine_celsius=120.0)
    esm.advance("9s")

    assert fleet.anomalies == ["truck-1/engine@2026-01-01T00:00:00Z"]
