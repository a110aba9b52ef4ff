"""The health of a web process: its event loop, and the backends that it needs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Protocol

PERIOD = 2.0
"""Seconds between two checks of the backends."""
HUNG = 30.0
"""Seconds without a turn after which the event loop counts as hung, as by systemd's watchdog."""


class Backends(Protocol):
    """The services that a web process needs, such as the broker; `check` is for one thread."""

    def check(self) -> None:
        """Check each once; needs some seconds if one of them does not answer."""
        ...

    def trouble(self) -> str | None:
        """Return the reason why the process cannot do its work, as one word; None if it can."""
        ...

    def remark(self) -> str | None:
        """Return a fault that does not stop the process from working; None if there is none."""
        ...

    def summary(self) -> str:
        """Return what `systemctl status` shows while the process is ready and has no remark."""
        ...


class WebHealth:
    """
    The health of one process, for probes and systemd. `turn` is the event loop's.

    Attributes:
        stopping: Whether the process answers its last requests.
    """

    def __init__(
        self,
        backends: Backends,
        *,
        alive: Callable[[], None],
        watchdog: float | None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Start with a loop that has just turned.

        Args:
            backends: What the process needs.
            alive: Resets the watchdog timer.
            watchdog: Seconds without that call after which the process is killed; None if never.
            monotonic: Seconds that never go back.
        """
        self._backends = backends
        self._alive = alive
        self._monotonic = monotonic
        self._period = (watchdog or math.inf) / 3
        self._next = -math.inf if watchdog else math.inf
        self._turned_at = monotonic()
        self.stopping = False

    def turn(self) -> None:
        """Record a turn of the event loop, which calls this several times a second."""
        now = self._turned_at = self._monotonic()
        if now >= self._next:
            self._next = now + self._period
            self._alive()

    def check(self) -> None:
        """Check the backends once; needs some seconds if one of them does not answer."""
        self._backends.check()

    def alive(self) -> bool:
        """Return whether the event loop turns."""
        return self._monotonic() - self._turned_at < HUNG

    def unready(self) -> str | None:
        """Return the reason why no request should come here now, as one word; None if it may."""
        if self.stopping:
            return "stopping"
        if not self.alive():
            return "loop_hangs"
        return self._backends.trouble()

    def remark(self) -> str | None:
        """Return a fault that does not stop the process from working; None if there is none."""
        return self._backends.remark()

    def line(self) -> str:
        """Return the line for `systemctl status`."""
        return self.unready() or self.remark() or self._backends.summary()
