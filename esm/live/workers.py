"""Threads that wait for the world, so that nobody else has to."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

Job = Callable[[], None]


class Workers:
    """Runs jobs in the order in which they were given, at most `most` of them at once.

    A thread is started when a job finds none free. All are daemons: one that waits for an answer
    that never comes does not keep the process alive. What a job raises goes to `on_error`.
    """

    def __init__(self, name: str, most: int, on_error: Callable[[BaseException], None]) -> None:
        self._name = name
        self._most = most
        self._on_error = on_error
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._free = 0  # less than zero: so many jobs wait for a thread

    def submit(self, job: Job) -> None:
        """Have a job done; may be called from anywhere."""
        with self._lock:
            self._free -= 1
            is_new = self._free < 0 and self._threads < self._most
            if is_new:
                self._threads += 1
                self._free += 1
                name = f"esm {self._name} {self._threads}"
        self._jobs.put(job)
        if is_new:
            threading.Thread(target=self._work, name=name, daemon=True).start()

    def close(self) -> None:
        """Let the threads end when they have done what they were given."""
        with self._lock:
            for _ in range(self._threads):
                self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except BaseException as error:
                self._on_error(error)
            del job  # what it refers to may be large, and the next one long in coming
            with self._lock:
                self._free += 1
