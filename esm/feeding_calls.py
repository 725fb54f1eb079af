"""A call that writes, made until it is answered or nothing more can be hoped for.

A call whose answer was lost is made again, so what it wrote may be there twice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from esm.aws_failures import AWS_FAILURES, may_pass, text_of
from esm.errors import EndpointError
from esm.patience import Patience, Wait

# Ours: with these waits about twenty seconds without one record that is taken.
_ATTEMPTS = 10
_FIRST_MS = 100
_CAP_MS = 5_000

OnProgress = Callable[[int], None]
"""Told how many records have been written so far."""


class Writer:
    """Calls of one client about one stream or table; `done` counts records that were taken."""

    def __init__(self, name: str, wait: Wait, on_progress: OnProgress) -> None:
        self.done = 0
        self._name = name
        self._on_progress = on_progress
        self._patience = Patience(wait, _ATTEMPTS, _FIRST_MS, _CAP_MS)

    def call(self, operation: Callable[..., Any], **params: Any) -> dict[str, Any]:
        """The answer. Raises EndpointError E542 when there is none."""
        while True:
            try:
                answer: dict[str, Any] = operation(**params)
            except AWS_FAILURES as error:
                if not may_pass(error):
                    raise self._refused(text_of(error)) from error
                self.wait_after(text_of(error))
            else:
                return answer

    def took(self, records: int) -> None:
        """So many records more are there."""
        if records:
            self.done += records
            self._patience.renew()
            self._on_progress(self.done)

    def wait_after(self, reason: str) -> None:
        """Something was refused that may be taken later. Raises E542 after too many times."""
        self._patience.fail()
        if self._patience.is_over or not self._patience.pause():
            raise self._refused(reason)

    def _refused(self, reason: str) -> EndpointError:
        records = "record" if self.done == 1 else "records"
        before = f" after {self.done:,} {records}" if self.done else ""
        return EndpointError(
            "E542",
            f"{self._name} took no more{before}: {reason}",
            why="what came before is there, what comes after was not sent",
        )
