"""The threads that make one lane's calls."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Protocol

import structlog

log = structlog.get_logger("notify.delivery")


class Submits(Protocol):
    """Runs what is submitted, in threads of its own."""

    def submit(self, run: Callable[..., object], /, *args: Any) -> object:
        """Call *run* soon, in another thread; it must not raise."""

    def shutdown(self) -> None:
        """Run what was submitted, then end the threads."""


class Senders:
    """
    Threads that run what is submitted, without a result: a future for each costs more than a call.

    A thread is started when all others are busy, up to a number.
    """

    def __init__(self, number: int, *, name: str) -> None:
        self._number = number
        self._name = name
        self._work: SimpleQueue[tuple[Callable[..., object], tuple[Any, ...]] | None]
        self._work = SimpleQueue()
        self._threads: list[threading.Thread] = []
        # Both count only until all threads run.
        self._growing = threading.Lock()
        self._unfinished = 0

    def submit(self, run: Callable[..., object], /, *args: Any) -> None:
        """Call *run* soon, in one of the threads."""
        self._work.put((run, args))
        if len(self._threads) < self._number:
            self._grow()

    def shutdown(self) -> None:
        """Run what was submitted, then end the threads; nothing may be submitted from now on."""
        for _ in self._threads:
            self._work.put(None)
        for thread in self._threads:
            thread.join()

    def _grow(self) -> None:
        with self._growing:
            self._unfinished += 1
            if len(self._threads) < min(self._unfinished, self._number):
                name = f"{self._name}_{len(self._threads)}"
                thread = threading.Thread(target=self._run, name=name, daemon=True)
                self._threads.append(thread)
                thread.start()

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            run, args = work
            try:
                run(*args)
            except Exception as error:
                # The thread must survive: each lost one would slow the lane until a restart.
                log.error("notify.call_fault", exc_info=error)
            if len(self._threads) < self._number:
                with self._growing:
                    self._unfinished -= 1
