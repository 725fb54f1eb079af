"""What AWS does not publish and we chose. Everything else is a property of the mapping."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Literal, get_args

from esm.errors import SettingsError
from esm.instants import Duration, duration_ms, duration_text

Midpoint = Literal["lower", "upper"]
OversizeState = Literal["previous", "returned"]
FanOutArn = Literal["consumer", "stream"]

_CHOICES = {
    "bisect_midpoint": get_args(Midpoint),
    "oversize_state": get_args(OversizeState),
    "fan_out_event_source_arn": get_args(FanOutArn),
}

_DURATIONS = (
    "backoff_first",
    "backoff_cap",
    "throttle_first",
    "throttle_cap",
    "poll_failure_first",
    "poll_failure_cap",
    "latest_delay",
    "tumbling_idle_grace",
    "fan_out_delay",
)
_BACKOFFS = ("backoff", "throttle", "poll_failure")
_WHY = "this setting is ours, AWS has no such property"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Settings:
    """Our choices, each with its reason; durations are kept as text such as "1m30s"."""

    backoff_first: Duration = "500ms"
    """Wait after a first function error; doubles with each further one. Ours: AWS publishes no
    curve, and doubling from half a second gives the 8 attempts in 60 s once recorded."""

    backoff_cap: Duration = "1m"
    """The longest wait after a function error. Ours: above it nobody has measured."""

    throttle_first: Duration = "1s"
    """Wait after a first throttle or service error; doubles. Ours: AWS only says it retries."""

    throttle_cap: Duration = "30s"
    """The longest wait after a throttle. Ours: a freed function is found within half a minute."""

    poll_failure_first: Duration = "1s"
    """Wait after a first failed read; doubles. Ours, from Kinesis' advice to wait a second after
    a throughput error."""

    poll_failure_cap: Duration = "30s"
    """The longest wait after a failed read. Ours, as for throttles."""

    read_ahead_records: int = 10_000
    """Records of a shard held in memory before reading pauses. Ours: one full GetRecords."""

    read_ahead_bytes: int = 10 * 1024 * 1024
    """Bytes of a shard held in memory before reading pauses. Ours: one full GetRecords."""

    latest_delay: Duration = "0s"
    """How long LATEST waits before it takes its iterators, so that records put meanwhile are
    missed. Ours: AWS says only that it may take minutes."""

    fan_out_delay: Duration = "70ms"
    """How long a record takes to an enhanced fan-out consumer. Ours: AWS says "typically" 70 ms."""

    fan_out_event_source_arn: FanOutArn = "consumer"
    """Which ARN events of an enhanced fan-out mapping name: the "consumer" that the mapping names,
    or its "stream". Ours: AWS does not document it."""

    bisect_midpoint: Midpoint = "lower"
    """Which half of an odd batch is the smaller: "lower" the left one, "upper" the right one.
    Ours: AWS splits "in two" and says no more."""

    tumbling_idle_grace: Duration = "2m"
    """How long after its end a tumbling window waits for more records before its final call.
    Ours: AWS waits "up to 2 minutes", and does not say what shortens it."""

    oversize_state: OversizeState = "previous"
    """Which state the function is handed when one that it returned exceeds 1 MB: the "previous"
    one, within the limit, or the "returned" one. Ours: AWS only says that the window ends early."""

    maximum_filters: int = 5
    """The most filters of a mapping. Ours to set: AWS's quota is 5, and goes to 10 on request."""

    reject_plain_data_patterns: bool = True
    """Whether a Kinesis pattern with a list right under `data` is refused. Ours: AWS refuses "a
    pattern that is not JSON" for data, and does not say which that is."""

    skip_idle_polls: bool = True
    """In virtual time, pass over polls that would find nothing. Ours; the run is the same."""

    def __post_init__(self) -> None:
        for name in _DURATIONS:
            object.__setattr__(self, name, _normal(name, getattr(self, name)))
        for kind in _BACKOFFS:
            self._check_backoff(kind)
        for name in ("read_ahead_records", "read_ahead_bytes", "maximum_filters"):
            _check_count(name, getattr(self, name))
        for name, choices in _CHOICES.items():
            _check_choice(name, getattr(self, name), choices)
        for name in ("reject_plain_data_patterns", "skip_idle_polls"):
            if not isinstance(getattr(self, name), bool):
                raise _senseless(name, getattr(self, name), "be True or False")

    def __repr__(self) -> str:
        inner = ", ".join(f"{name}={value!r}" for name, value in self.changed().items())
        return f"Settings({inner})"

    def changed(self) -> dict[str, object]:
        """The settings that differ from their defaults, by name."""
        values = ((f.name, getattr(self, f.name), f.default) for f in fields(self))
        return {name: value for name, value, default in values if value != default}

    def changed_text(self) -> str:
        """`backoff_cap=30s (default 1m), …`, or nothing when all are at their defaults."""
        return ", ".join(
            f"{name}={value} (default {_DEFAULTS[name]})" for name, value in self.changed().items()
        )

    def _check_backoff(self, kind: str) -> None:
        first, cap = getattr(self, f"{kind}_first"), getattr(self, f"{kind}_cap")
        if duration_ms(first) == 0:
            # Nothing would ever end a retry that takes no time.
            raise _senseless(f"{kind}_first", first, "be at least 1ms")
        if duration_ms(cap) < duration_ms(first):
            raise _senseless(f"{kind}_cap", cap, f"not be below {kind}_first ({first})")


_DEFAULTS: dict[str, object] = {f.name: f.default for f in fields(Settings)}


def parse_settings(assignments: Iterable[str]) -> Settings:
    """Settings from texts such as "backoff_cap=30s"; the last one wins."""
    values: dict[str, object] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or name not in _DEFAULTS:
            raise SettingsError(
                "E261",
                f"{assignment!r} is not a setting",
                why=_WHY,
                fix=f"one of {', '.join(f'{n}={v}' for n, v in _DEFAULTS.items())}",
            )
        values[name] = _parse(_DEFAULTS[name], text)
    return Settings(**values)  # type: ignore[arg-type]  # checked by Settings itself


def _parse(default: object, text: str) -> object:
    """The value that a text means for a setting of this kind, or the text when it means none."""
    if isinstance(default, bool):
        return {"true": True, "false": False}.get(text.lower(), text)
    if isinstance(default, int) and text.isdecimal():
        return int(text)
    return text


def _normal(name: str, value: Duration) -> str:
    try:
        return duration_text(duration_ms(value))
    except ValueError as error:
        raise _senseless(name, value, 'be a duration such as "500ms", "5m" or 2.5') from error


def _check_count(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise _senseless(name, value, "be a whole number from 1")


def _check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise _senseless(name, value, "be " + " or ".join(f'"{each}"' for each in choices))


def _senseless(name: str, value: object, must: str) -> SettingsError:
    return SettingsError(
        "E260",
        f"Settings({name}={value!r}): {name} must {must}",
        why=_WHY,
        fix=f"{name}={_DEFAULTS[name]!r}",
    )
