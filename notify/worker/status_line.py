"""The line that `systemctl status` shows of a worker: what it consumes, how fast, what waits."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import amqp

from notify.errors import ConfigError
from notify.periodic import PeriodicThread
from notify.publisher import FAILURES
from notify.worker.loop_state import LoopState

PERIOD = 2.0
"""Seconds between two lines."""


class StatusLine:
    """
    Writes the line every few seconds, from a thread and by a connection of its own.

    Attributes:
        remark: What else an operator should know; None if nothing.
    """

    def __init__(
        self,
        show: Callable[[str], None],
        vitals: LoopState,
        *,
        queues: Sequence[str],
        connect: Callable[[], amqp.Connection],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Take what to tell of, and how.

        Args:
            show: Shows a line.
            queues: Those whose messages are counted.
            connect: Connects to the broker.
        """
        self._show = show
        self._vitals = vitals
        self._queues = queues
        self._connect = connect
        self._monotonic = monotonic
        self._connection: amqp.Connection | None = None
        self._looking = PeriodicThread("status", self._look, period=PERIOD)
        self._settled, self._at = vitals.settled, monotonic()
        self.remark: str | None = None

    def start(self) -> None:
        """Write the first line, and from then on."""
        self._looking.start()

    def stop(self, *, timeout: float) -> None:
        """Write no more."""
        self._looking.stop(timeout=timeout)
        self._drop()

    def _look(self) -> None:
        queued = self._queued()
        self._show(self._line(queued))

    def _line(self, queued: int | None) -> str:
        vitals, now = self._vitals, self._monotonic()
        rate = (vitals.settled - self._settled) / max(now - self._at, 0.001)
        self._settled, self._at = vitals.settled, now
        parts = [
            f"consuming {', '.join(vitals.consuming) or 'nothing'}",
            f"{rate:,.1f} messages/s settled",
            f"{vitals.in_hand:,} in hand",
            "the broker does not answer" if queued is None else f"{queued:,} queued",
            *([self.remark] if self.remark else []),
        ]
        return "; ".join(parts)

    def _queued(self) -> int | None:
        """Count what is ready in the queues; None while the broker does not tell."""
        try:
            if self._connection is None:
                self._connection = self._connect()
            with self._connection.channel() as channel:
                answers = [channel.queue_declare(name, passive=True) for name in self._queues]
        except (*FAILURES, ConfigError):
            self._drop()
            return None
        return sum(int(answer.message_count) for answer in answers)

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*FAILURES):
                connection.close()
