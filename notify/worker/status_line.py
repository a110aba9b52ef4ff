"""The line that `systemctl status` shows for a worker: its queues, its rate, its backlog."""

from __future__ import annotations

import time
from collections.abc import Callable

from notify.worker.health import Health
from notify.worker.loop_state import LoopState


class StatusLine:
    """
    Writes the status line, from the event loop's state and the last health check.

    Attributes:
        remark: Another fact that an operator should know; None if there is none.
    """

    def __init__(
        self,
        show: Callable[[str], None],
        loop: LoopState,
        health: Health,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._show = show
        self._loop = loop
        self._health = health
        self._monotonic = monotonic
        self._settled, self._at = loop.settled, monotonic()
        self.remark: str | None = None

    def write(self) -> None:
        """Show the current line; its rate is measured since the last line."""
        loop, now = self._loop, self._monotonic()
        rate = (loop.settled - self._settled) / max(now - self._at, 0.001)
        self._settled, self._at = loop.settled, now
        ready = self._health.ready_messages()
        parts = [
            f"consuming {', '.join(loop.consuming) or 'nothing'}",
            f"{rate:,.1f} messages/s settled",
            f"{loop.unacknowledged:,} unacknowledged",
            "the broker does not answer" if ready is None else f"{ready:,} ready",
            *([self.remark] if self.remark else []),
        ]
        self._show("; ".join(parts))
