"""What is said of an anomaly, and to whom."""

from __future__ import annotations

from models import Audience, Deviation, Kind, Notice

NAMES = {
    Kind.ENGINE: "engine temperature",
    Kind.CONTAINER: "container temperature",
    Kind.SPEED: "speed",
}
UNITS = {Kind.ENGINE: "°C", Kind.CONTAINER: "°C", Kind.SPEED: "km/h"}
ADVICE = {
    Kind.ENGINE: "Stop where it is safe and let the engine cool down.",
    Kind.CONTAINER: "Check the container's doors and its cooling at the next stop.",
    Kind.SPEED: "Slow down.",
}


def notices(deviation: Deviation) -> tuple[Notice, Notice]:
    """A sentence for the driver, all that is known for the fleet team."""
    subject = f"{deviation.truck}: {NAMES[deviation.kind]} deviates"
    return (
        _notice(deviation, Audience.DRIVER, subject, for_driver(deviation)),
        _notice(deviation, Audience.FLEET, subject, deviation.model_dump_json()),
    )


def for_driver(deviation: Deviation) -> str:
    """`Container temperature -9.4 °C, usually -18.0 °C, since 14:03:10 UTC. Check …`."""
    name, unit = NAMES[deviation.kind].capitalize(), UNITS[deviation.kind]
    return (
        f"{name} {deviation.measured:.1f} {unit}, usually {deviation.usual:.1f} {unit}, "
        f"since {deviation.window_start:%H:%M:%S} UTC. {ADVICE[deviation.kind]}"
    )


def _notice(deviation: Deviation, audience: Audience, subject: str, text: str) -> Notice:
    return Notice(
        anomaly_id=deviation.anomaly_id,
        audience=audience,
        truck=deviation.truck,
        kind=deviation.kind,
        subject=subject,
        text=text,
    )
