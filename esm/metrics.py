"""Metrics under CloudWatch's names, with CloudWatch's meanings, computed from the trace.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
Counts are sums since the mapping was made; the others are lists of (instant, value).
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from esm.core import messages as m
from esm.core.model import Fate
from esm.instants import from_ms
from esm.trace import Entry

Series = list[tuple[datetime, int]]
"""Instants with milliseconds."""

# What a mapping emits if its MetricsConfig says so, then what the function and the mapping always
# emit. The function's own are those of this mapping's invocations.
_COUNTS = (
    "PolledEventCount",
    "FilteredOutEventCount",
    "InvokedEventCount",
    "FailedInvokeEventCount",
    "DroppedEventCount",
    "OnFailureDestinationDeliveredEventCount",
    "Invocations",
    "Errors",
    "Throttles",
    "DestinationDeliveryFailures",
)
_SERIES = ("IteratorAge", "Duration")


@dataclass(slots=True)
class Metrics:
    """The metrics of one mapping, of the entries that it was told; `keeps_series`: lists, too."""

    mapping: str
    keeps_series: bool = True
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_COUNTS, 0))
    series: dict[str, Series] = field(default_factory=lambda: {name: [] for name in _SERIES})
    _in_flight: dict[tuple[str | None, int], m.Invoke] = field(default_factory=dict)
    _started_ms: dict[tuple[str | None, int], int] = field(default_factory=dict)

    def values(self) -> dict[str, int | Series]:
        """Every metric by name."""
        return {**self.counts, **self.series}

    def count(self, entry: Entry) -> None:
        """Add what an entry counts for; one of another mapping for nothing."""
        if entry.mapping != self.mapping:
            return
        match entry.message:
            case m.RecordsArrived(records=records, filtered=filtered):
                self._add(PolledEventCount=len(records) + len(filtered))
                self._add(FilteredOutEventCount=len(filtered))
            case m.Invoke() as invoke:
                self._invoked(entry, invoke)
            case m.Succeeded() | m.PartlyFailed() | m.Failed() | m.Throttled() as outcome:
                self._came(entry, outcome)
            case m.DestinationFailed():
                self._add(DestinationDeliveryFailures=1)
            case m.Resolved(fate=Fate.DISCARDED, records=records, info=info):
                assert info is not None
                if info.delivered:
                    self._add(OnFailureDestinationDeliveredEventCount=len(records))
                else:
                    self._add(DroppedEventCount=len(records))
            case _:
                pass

    def _invoked(self, entry: Entry, invoke: m.Invoke) -> None:
        self._in_flight[entry.shard_id, invoke.lane] = invoke
        self._started_ms[entry.shard_id, invoke.lane] = entry.at_ms
        # Records that are tried again count again, those that were throttled, too.
        self._add(InvokedEventCount=len(invoke.records))
        if invoke.records:
            # The age of the event's last record when it is sent to the function.
            self._append("IteratorAge", entry, entry.at_ms - invoke.records[-1].arrived_ms)

    def _came(self, entry: Entry, outcome: m.Outcome) -> None:
        lane = (entry.shard_id, outcome.lane)
        invoke = self._in_flight.pop(lane, None)
        if isinstance(outcome, m.Throttled):
            self._add(Throttles=1)
        else:
            self._add(Invocations=1)
            self._append("Duration", entry, entry.at_ms - self._started_ms.get(lane, entry.at_ms))
        if isinstance(outcome, m.Failed) and outcome.function_error is not None:
            self._add(Errors=1)
        if not isinstance(outcome, m.Succeeded):
            # A response that names one record makes the whole event count as failed.
            self._add(FailedInvokeEventCount=len(invoke.records) if invoke else 0)

    def _add(self, **counts: int) -> None:
        for name, count in counts.items():
            self.counts[name] += count

    def _append(self, name: str, entry: Entry, value: int) -> None:
        if self.keeps_series:
            self.series[name].append((from_ms(entry.at_ms), value))


def metrics_of(entries: Iterable[Entry], cut: Metrics) -> dict[str, int | Series]:
    """All metrics of a mapping; `cut` has counted the entries that the trace no longer keeps.

    Lists hold what the trace still tells of.
    """
    whole = copy.deepcopy(cut)
    whole.keeps_series = True
    for entry in entries:
        whole.count(entry)
    return whole.values()
