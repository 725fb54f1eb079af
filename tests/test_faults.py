"""Faults between a mapping and its function."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta

import pytest

from esm.errors import InputError
from esm.faults import FaultKind, Faults


@dataclass(frozen=True)
class Rec:
    ordinal: int


RECORDS = [Rec(1), Rec(2), Rec(3)]


def kinds(faults: Faults, count: int) -> list[FaultKind | None]:
    taken = [faults.take(RECORDS) for _ in range(count)]
    return [fault and fault.kind for fault in taken]


def test_without_faults_nothing_is_hit():
    assert Faults().take(RECORDS) is None


def test_an_error_hits_every_invocation_unless_told_how_many():
    faults = Faults()
    faults.error("boom")
    assert kinds(faults, 5) == [FaultKind.ERROR] * 5


def test_times_counts_the_invocations_that_are_hit():
    faults = Faults()
    faults.error("boom", times=2, when=lambda record: record.ordinal == 3)
    assert faults.take([Rec(1)]) is None
    assert kinds(faults, 3) == [FaultKind.ERROR, FaultKind.ERROR, None]


@pytest.mark.parametrize(
    ("given", "raised"),
    [
        ("boom", "RuntimeError('boom')"),
        (KeyError("id"), "KeyError('id')"),
        (TimeoutError, "TimeoutError()"),
    ],
)
def test_an_error_is_an_exception_or_its_text(given, raised):
    faults = Faults()
    faults.error(given)
    fault = faults.take(RECORDS)
    assert fault is not None
    assert repr(fault.error) == raised


def test_when_is_asked_of_every_record():
    faults = Faults()
    faults.error(when=lambda record: record.ordinal == 2)
    assert faults.take([Rec(1), Rec(3)]) is None
    assert faults.take(RECORDS) is not None


@pytest.mark.parametrize("inject", ["error", "timeout"])
def test_a_when_that_fails_is_the_users_mistake_and_names_the_record(inject):
    faults = Faults()
    getattr(faults, inject)(times=1, when=lambda record: {1: False}[record.ordinal])
    with pytest.raises(InputError) as refusal:
        faults.take(RECORDS)
    assert str(refusal.value).split("\n")[0] == (
        f"E446  inject.{inject}(when=…) failed at record 2: KeyError: 2"
    )
    assert isinstance(refusal.value.__cause__, KeyError)


def test_a_when_may_end_the_test():
    faults = Faults()
    faults.error(when=lambda record: pytest.fail("for the test"))
    with pytest.raises(pytest.fail.Exception, match="for the test"):
        faults.take(RECORDS)


def test_throttles_come_first_and_the_others_in_the_order_given():
    faults = Faults()
    faults.timeout()
    faults.error(times=1)
    faults.throttle(times=2)
    assert kinds(faults, 5) == [
        FaultKind.THROTTLE,
        FaultKind.THROTTLE,
        FaultKind.TIMEOUT,
        FaultKind.ERROR,
        None,
    ]


def test_one_fault_hits_at_a_time():
    faults = Faults()
    faults.error("first", times=1)
    faults.error("second", times=1)
    assert [str(fault.error) for _ in range(2) if (fault := faults.take(RECORDS))] == [
        "first",
        "second",
    ]


@pytest.mark.parametrize("latency", ["1.5s", 1.5, timedelta(seconds=1.5), lambda rng: "1500ms"])
def test_a_latency_is_any_duration_or_a_function(latency):
    assert Faults(latency).draw_latency_ms(random.Random(0)) == 1_500


def test_a_latency_can_be_drawn_from_a_range():
    drawn = {Faults(("10ms", "12ms")).draw_latency_ms(random.Random(seed)) for seed in range(50)}
    assert drawn == {10, 11, 12}


@pytest.mark.parametrize(
    ("latency", "code"),
    [("soon", "E443"), (-1, "E443"), (("1s", "later"), "E443"), (("2s", "1s"), "E445"),
     (("1s",), "E445"), (("1s", "2s", "3s"), "E445")],
)  # fmt: skip
def test_a_latency_that_makes_no_sense_is_refused_at_once(latency, code):
    with pytest.raises(ValueError, match=code) as refusal:
        Faults(latency)
    assert isinstance(refusal.value, InputError)


def test_a_function_that_gives_no_duration_fails_when_it_is_asked():
    faults = Faults(lambda rng: "soon")
    with pytest.raises(ValueError, match="'soon' is not a duration"):
        faults.draw_latency_ms(random.Random(0))
