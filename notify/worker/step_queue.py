"""Steps that other threads post to the event loop."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue


class StepQueue:
    """Collects steps from any thread; the event loop runs them in their order."""

    def __init__(self, wake: Callable[[], object]) -> None:
        """Start empty; *wake*, called in any thread, makes the loop call `run_all` soon."""
        self._wake = wake
        self._steps: SimpleQueue[Callable[[], None]] = SimpleQueue()

    def post(self, step: Callable[[], None]) -> None:
        """Queue a step for the event loop to run soon."""
        self._steps.put(step)
        self._wake()

    def run_all(self) -> None:
        """Run every posted step."""
        while not self._steps.empty():
            self.run_next(timeout=0)

    def run_next(self, *, timeout: float) -> None:
        """Run the next step, waiting *timeout* seconds at most until there is one."""
        step = None
        with suppress(Empty):
            step = self._steps.get(timeout=timeout)
        if step is not None:
            step()
