"""A thread that repeats one step, and continues while what the step needs is away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from notify.errors import NotifyError

PAUSE = 2.0
"""Seconds after a failed step until the next one; a step that fails takes some time itself."""
REMINDER = 60.0
"""Seconds between two warnings while steps continue to fail."""
STEADY = 10.0
"""
Seconds without a failure until steps count as working again: a relay that sets aside for a moment
what the broker did not confirm finds nothing due in that moment, and does not use the broker.
"""

log = structlog.get_logger("notify.background")


class PeriodicThread:
    """
    Repeats one step in a thread of its own.

    A step may raise any error. It is repeated after a pause. The log records when failures begin,
    once a minute while they last, and when they have been over for some seconds.
    """

    def __init__(
        self,
        name: str,
        step: Callable[[], bool | None],
        *,
        period: float,
        longest: float | None = None,
        pause: float = PAUSE,
        last: Callable[[], object] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Prepare the thread; `start` starts it.

        Args:
            name: The thread's name, also in the log.
            step: The work. It returns True if there is more to do at once, and False if there was
                nothing to do.
            period: Seconds between two steps otherwise.
            longest: Seconds up to which the period doubles while there is nothing to do; None if
                it does not.
            pause: Seconds between a failed step and the next.
            last: A last step to run after `stop`, unless steps are failing then.
            monotonic: Seconds that never go back.
        """
        self._name = name
        self._step = step
        self._period = self._wait = period
        self._longest = longest or period
        self._pause = pause
        self._last = last
        self._monotonic = monotonic
        self._failing_since: float | None = None
        self._working_since: float | None = None
        self._logged_at = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Run the first step at once, in the thread, and repeat it from then on."""
        self._thread.start()

    def stop(self, *, timeout: float) -> None:
        """Begin no further step, and wait for the current one for *timeout* seconds at most."""
        self._stopping.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        wait = 0.0
        while not self._stopping.wait(wait):
            wait = self._try(self._step)
        working = self._failing_since is None or self._working_since is not None
        if self._last is not None and working:
            self._try(self._last)

    def _try(self, step: Callable[[], object]) -> float:
        try:
            more = step()
        except Exception as error:  # noqa: BLE001 - the thread must outlive every fault of a step
            self._failed(error)
            return self._pause
        self._worked()
        if more is False:
            wait, self._wait = self._wait, min(2 * self._wait, self._longest)
            return wait
        self._wait = self._period
        return 0.0 if more else self._period

    def _failed(self, error: Exception) -> None:
        now = self._monotonic()
        self._working_since = None
        if self._failing_since is None:
            self._failing_since = now
        elif now - self._logged_at < REMINDER:
            return
        self._logged_at = now
        if not isinstance(error, NotifyError):
            log.error("notify.background_task_crashed", thread=self._name, exc_info=error)
            return
        log.warning(
            "notify.background_task_failing",
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
        log.info("notify.background_task_recovered", thread=self._name, failing_seconds=seconds)
