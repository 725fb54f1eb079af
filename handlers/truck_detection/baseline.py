"""What is usual for a sensor, what is an anomaly, and how the one is learnt without the other.

A window's mean is compared with the running mean of the windows before it, in units of their
spread. Three bands follow: up to CALM spreads a window is usual; it teaches the baseline, and ends
an anomaly. Beyond ALARM spreads an anomaly begins, unless one is going on. In between nothing
happens, so that a sensor at the edge of a band is not reported again and again, and a drift cannot
teach its baseline to follow it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from models import Baseline, Baselines, Deviation, Kind, Sums, Window

ALARM = 6.0
CALM = 3.0
WARM_UP = 12  # windows that only teach
MEMORY = 2_160  # windows after which an old one counts for little: six hours of ten seconds
DIGITS = 6


@dataclass(frozen=True, slots=True)
class Tolerance:
    """`spread` is the least that counts as one: a sensor that hardly varies is not alarmed by
    little. Where a low value harms nobody, `also_below` is false.
    """

    spread: float
    also_below: bool


TOLERANCES = {
    Kind.ENGINE: Tolerance(spread=2.0, also_below=False),  # engines cool down when they rest
    Kind.CONTAINER: Tolerance(spread=0.5, also_below=True),  # flowers freeze, ice melts
    Kind.SPEED: Tolerance(spread=12.0, also_below=False),  # trucks stop
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """A truck's baselines once a window is over, and the anomalies that began in it."""

    baselines: Baselines
    deviations: tuple[Deviation, ...]


def judge(
    window: Window, truck: str, sums: Sums, before: Baselines, warm_up: int = WARM_UP
) -> Verdict | None:
    """Compare a truck's window with its baselines, which the first `warm_up` windows only teach.

    None for a window that they know already: its deviations have been published, and what it taught
    is in there.
    """
    if before.window_start is not None and before.window_start >= window.start:
        return None
    sensors: dict[Kind, Baseline] = {}
    deviations: list[Deviation] = []
    for kind, mean in sums.means.items():
        usual = before.sensors.get(kind, Baseline())
        spreads = _spreads(mean, kind, usual)
        sensors[kind] = after = _after(usual, mean, spreads, window, warm_up)
        if usual.deviating_since is None and after.deviating_since is not None:
            deviations.append(_deviation(window, truck, kind, sums, usual, spreads))
    return Verdict(Baselines(window_start=window.start, sensors=sensors), tuple(deviations))


def _spreads(mean: float, kind: Kind, usual: Baseline) -> float:
    """How far a mean is from what is usual; 0 where it is below and that harms nobody."""
    tolerance = TOLERANCES[kind]
    spreads = (mean - usual.mean) / max(sqrt(usual.variance), tolerance.spread)
    return spreads if tolerance.also_below or spreads > 0 else 0.0


def _after(usual: Baseline, mean: float, spreads: float, window: Window, warm_up: int) -> Baseline:
    """The baseline once it has met a window."""
    if usual.windows < warm_up or abs(spreads) <= CALM:
        return _taught(usual, mean)
    if abs(spreads) > ALARM and usual.deviating_since is None:
        return usual.model_copy(update={"deviating_since": window.start})
    return usual


def _taught(usual: Baseline, mean: float) -> Baseline:
    """A running mean and variance in which every window counts the same until MEMORY is full."""
    windows = min(usual.windows + 1, MEMORY)
    weight, apart = 1 / windows, mean - usual.mean
    return Baseline(
        windows=windows,
        mean=round(usual.mean + weight * apart, DIGITS),
        variance=round((1 - weight) * (usual.variance + weight * apart * apart), DIGITS),
    )


def _deviation(
    window: Window, truck: str, kind: Kind, sums: Sums, usual: Baseline, spreads: float
) -> Deviation:
    sensor = f"{truck}/{kind}"
    return Deviation(
        anomaly_id=f"{sensor}@{window.start:%Y-%m-%dT%H:%M:%SZ}",
        sensor=sensor,
        truck=truck,
        kind=kind,
        window_start=window.start,
        window_end=window.end,
        readings=sums.readings,
        measured=round(sums.means[kind], 2),
        usual=round(usual.mean, 2),
        spreads=round(spreads, 1),
        position=sums.position,
    )
