"""ABC2Badge whole: readers, stream, bucket, warehouse, windows, report, in virtual time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest
from badge_world import World, captured
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from esm import Harness

ZONES = ("hall-1", "hall-2", "keynote")


@pytest.fixture
def event() -> Iterator[World]:
    with Harness() as h:
        yield World(h)


def test_every_batch_is_one_object_and_one_copy(event: World):
    for _ in range(90):
        event.put(event.scan())
        event.h.advance("3s")

    assert event.load.batches == [], "the window of five minutes is not over"
    event.h.drain()

    assert len(event.load.batches) == 3, "one for each shard"
    assert len(event.objects) == len(event.copies) == 3
    assert all(any(f"/{key}'" in sql for sql in event.copies) for key in event.objects)
    assert event.totals == {"hall-1": 90}


def test_one_zone_over_three_shards_has_one_total(event: World):
    for shard in range(3):
        for key, data in captured(f"shard-{shard}.json"):
            event.stream.put(data.replace(b"2026-03-02T09:2", b"2026-01-01T00:0"), key=key)
    event.h.advance("10m")

    by_shard = Counter(record.shard_id for record in event.load.delivered)
    assert sorted(by_shard.values()) == [14, 17, 22]
    assert sorted(int(part["scans"]) for part in event.parts) == [14, 17, 22]
    assert event.totals == event.counted == {"keynote": 53}
    assert event.report() == {"keynote": {"scans": 53, "badges": 52, "counted": 53}}


def test_the_security_team_hears_of_the_zones_that_fill_up(event: World):
    event.put(*(event.scan("keynote") for _ in range(12)))
    event.put(*(event.scan("lounge", badge_id="the only guest") for _ in range(10)))
    event.put(*(event.scan("hall-1") for _ in range(9)))
    event.h.advance("10m")
    event.report()

    [message] = event.security.published
    assert message.subject == "Concentrated zones: 2 at 00:10 UTC"
    assert message.json == {
        "since": "2025-12-31T23:55:00Z",
        "until": "2026-01-01T00:10:00Z",
        "warehouse": "answered",
        "zones": [
            {"zone": "keynote", "scans": 12, "badges": 12, "counted": 12},
            {"zone": "lounge", "scans": 10, "badges": 1, "counted": 10},
        ],
    }


def test_nobody_is_told_of_a_quiet_quarter_of_an_hour(event: World):
    event.put(*(event.scan() for _ in range(30)))
    event.h.advance("16m")

    assert event.totals == {"hall-1": 30}
    assert event.report() == {}
    assert event.security.published == []


def test_the_windows_tell_of_a_crowd_that_the_warehouse_does_not_have_yet(event: World):
    event.put(event.scan("hall-1"))
    event.h.advance("10m")
    event.put(*(event.scan("keynote") for _ in range(20)))
    event.h.advance("4m")

    assert len(event.load.batches) == 1
    assert event.report() == {"keynote": {"scans": 0, "badges": 0, "counted": 20}}
    assert event.security.published[0].json["warehouse"] == "answered"


def test_the_security_team_hears_of_a_crowd_while_the_warehouse_is_down(event: World):
    event.put(*(event.scan("keynote") for _ in range(20)))
    event.h.advance("10m")
    event.warehouse.fail()

    assert event.report() == {"keynote": {"scans": 0, "badges": 0, "counted": 20}}
    assert event.security.published[0].json["warehouse"] == "failed"


def test_who_was_there_an_hour_ago_makes_no_crowd(event: World):
    event.put(*(event.scan("lounge", late=timedelta(hours=1)) for _ in range(20)))
    event.h.advance("10m")

    assert event.totals == {"lounge": 20}
    assert event.report() == {}


def test_a_malformed_scan_is_put_aside_alone(event: World):
    for key, data in captured("poison.json"):
        event.stream.put(data, key=key)
    event.h.drain()

    [given_up] = event.load.discarded
    assert [record.ordinal for record in given_up.records] == [5]
    assert event.failed.messages[0]["KinesisBatchInfo"]["batchSize"] == 1
    assert sum(event.totals.values()) == len(event.load.delivered) == 9
    lines = [line["scan_id"] for lines in event.objects.values() for line in lines]
    assert len(lines) == len(set(lines)) == 9, "objects of parts do not overlap"


def test_a_warehouse_that_refuses_gets_its_scans_later(event: World):
    event.put(*(event.scan() for _ in range(24)))
    event.warehouse.fail(times=4, error="disk full")
    event.h.drain()

    errors = [str(each.error) for each in event.load.invocations if each.error is not None]
    assert errors == ["FAILED: ERROR: disk full"] * 4
    assert len(event.load.delivered) == 24
    assert event.load.discarded == []
    assert event.totals == {"hall-1": 24}


def test_a_data_api_that_throttles_costs_time_and_no_scan(event: World):
    event.put(*(event.scan() for _ in range(24)))
    event.warehouse.inject.throttle(times=20)
    event.h.drain()

    assert len(event.load.delivered) == 24
    assert event.totals == {"hall-1": 24}


def test_a_copy_is_waited_for(event: World):
    event.warehouse.inject.latency("20s")
    event.put(event.scan())
    event.h.drain()

    [invocation] = event.load.invocations
    assert 40 <= (invocation.ended_at - invocation.started_at).seconds <= 50
    assert event.totals == {"hall-1": 1}


def test_a_copy_that_outlasts_the_function_loads_nothing_twice(event: World):
    event.put(*(event.scan() for _ in range(5)))
    event.warehouse.inject.latency("70s")
    event.h.until(lambda: event.load.invocations)
    event.warehouse.inject.latency("1s")
    event.h.drain()

    assert "timed out" in str(event.load.invocations[0].error)
    assert len(event.copies) > 3
    assert event.totals == {"hall-1": 5}


def test_a_scan_that_is_sent_again_in_another_batch_is_one_row(event: World):
    scan = event.scan()
    event.put(scan)
    event.h.advance("10m")
    event.put(scan)
    event.h.drain()

    assert len(event.load.delivered) == len(event.objects) == 2
    assert event.totals == {"hall-1": 1}


SCANS = st.lists(
    st.tuples(st.sampled_from(ZONES), st.integers(0, 120), st.booleans()), min_size=1, max_size=12
)


@settings(
    max_examples=5,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # an example takes a second or two
    suppress_health_check=[HealthCheck.too_slow],
)
@given(scans=SCANS, crashes=st.sets(st.integers(0, 11)), size=st.integers(1, 9))
def test_whatever_is_delivered_twice_counts_once(
    scans: list[tuple[str, int, bool]], crashes: set[int], size: int
):
    with Harness() as h:
        event = World(h)
        sent: Counter[str] = Counter()
        for number, (zone, pause_s, again) in enumerate(scans):
            scan = event.scan(zone)
            event.put(*[scan] * (2 if again else 1))
            sent[zone] += 1
            h.advance(pause_s)
            if number in crashes:
                h.restart()
        h.drain()
        counted = event.counted
        assert event.totals == sent
        assert sum(counted.values()) == len(event.stream.records)

        # Everything once more, in batches that are cut elsewhere.
        event.again(batch_size=size)
        h.drain()
        assert event.totals == sent
        assert event.counted == counted
