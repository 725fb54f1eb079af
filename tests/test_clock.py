"""Both clocks and the stopwatch: virtual time jumps, real time does not stand still when frozen."""

from __future__ import annotations

from freezegun import freeze_time

from esm.clock import Stopwatch, SystemClock, VirtualClock

YEAR_2100_MS = 4_102_444_800_000


def test_the_virtual_clock_moves_when_told_and_never_back():
    clock = VirtualClock(1_000)
    clock.wait_until(5_000)
    clock.wait_until(2_000)
    assert clock.now_ms() == 5_000


def test_the_virtual_clock_can_begin_elsewhere():
    clock = VirtualClock(1_000)
    clock.restart(10)
    assert clock.now_ms() == 10


def test_the_system_clock_waits_until_an_instant():
    clock = SystemClock()
    start_ms = clock.now_ms()
    clock.wait_until(start_ms + 20)
    assert start_ms + 20 <= clock.now_ms() < start_ms + 5_000


def test_the_system_clock_does_not_wait_for_the_past():
    clock, stopwatch = SystemClock(), Stopwatch()
    clock.wait_until(clock.now_ms() - 60_000)
    assert stopwatch.elapsed_ms() < 5_000


def test_real_time_goes_on_while_handlers_see_frozen_time():
    clock, stopwatch = SystemClock(), Stopwatch()
    with freeze_time("2100-01-01"):
        start_ms = clock.now_ms()
        assert start_ms < YEAR_2100_MS
        clock.wait_until(start_ms + 20)
        assert clock.now_ms() >= start_ms + 20
        assert stopwatch.elapsed_ms() >= 20
        assert SystemClock().now_ms() < YEAR_2100_MS
