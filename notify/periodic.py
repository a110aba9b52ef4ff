"""A thread that looks again and again, and outlives what it looks at being away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from notify.errors import NotifyError

PAUSE = 2.0
"""Seconds until the next look where one failed; a look that fails takes some itself."""
REMINDER = 60.0
"""Seconds between two warnings while looking goes on failing."""
STEADY = 10.0
"""
Seconds without a failure until looking counts as working again: a relay that sets aside for a
moment what the broker did not take finds nothing due meanwhile, and meets no broker.
"""

log = structlog.get_logger("notify.looking")


class PeriodicThread:
    """
    Looks at something from a thread of its own, as often as each look says.

    A look may fail with any error. It is tried again after a pause, and the log tells
    when that begins, once a minute while it lasts, and when it has been over for some seconds.
    """

    def __init__(
        self,
        name: str,
        look: Callable[[], float],
        *,
        pause: float = PAUSE,
        once_more: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Take what to do.

        Args:
            name: What the thread is called, in the log too.
            look: Looks once, and gives the seconds until it is worth doing again.
            pause: Seconds until the next look where one failed.
            once_more: Whether to look a last time after `stop`, unless looking fails by then.
            monotonic: Tells the seconds that have passed.
        """
        self._name = name
        self._look = look
        self._pause = pause
        self._once_more = once_more
        self._monotonic = monotonic
        self._failing_since: float | None = None
        self._working_since: float | None = None
        self._told_at = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Look for the first time, at once, and from then on."""
        self._thread.start()

    def stop(self, *, timeout: float) -> None:
        """Finish the look in hand, waiting *timeout* seconds at most, and look no more."""
        self._stopping.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        wait = 0.0
        while not self._stopping.wait(wait):
            wait = self._try()
        if self._once_more and (self._failing_since is None or self._working_since is not None):
            self._try()

    def _try(self) -> float:
        try:
            wait = self._look()
        except Exception as error:  # noqa: BLE001 - nobody is served by a thread that is gone
            self._failed(error)
            return self._pause
        self._worked()
        return wait

    def _failed(self, error: Exception) -> None:
        now = self._monotonic()
        self._working_since = None
        if self._failing_since is None:
            self._failing_since = now
        elif now - self._told_at < REMINDER:
            return
        self._told_at = now
        if not isinstance(error, NotifyError):
            log.error("notify.looking_fault", thread=self._name, exc_info=error)
            return
        log.warning(
            "notify.looking_fails",
            thread=self._name,
            reason=str(error),
            failing_seconds=round(now - self._failing_since, 1),
        )

    def _worked(self) -> None:
        if self._failing_since is None:
            return
        now = self._monotonic()
        if self._working_since is None:
            self._working_since = now
        if now - self._working_since < STEADY:
            return
        seconds = round(self._working_since - self._failing_since, 1)
        self._failing_since = self._working_since = None
        log.info("notify.looking_works", thread=self._name, failing_seconds=seconds)
