"""The health of a web process: its event loop, its broker, its record and its inbox."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from notify.errors import ConfigError, StoreError
from notify.publisher import FAILURES
from notify.store import Store
from notify.store.relays import count_inbox
from notify.topology import RECEIPTS, QueueWatch

PERIOD = 2.0
"""Seconds between two checks of broker and record."""
HUNG = 30.0
"""Seconds without a turn after which the event loop counts as hung, as by systemd's watchdog."""


class WebHealth:
    """
    Checks broker and record in `check`; the other methods use its results.

    Attributes:
        broker_up: Whether the broker answered the last check.
        record_up: Whether the record answered the last check.
        inbox: Messages that wait in the inbox for the broker.
        stopping: Whether the process answers its last requests.
    """

    def __init__(
        self,
        *,
        queues: QueueWatch,
        store: Store,
        alive: Callable[[], None],
        watchdog: float | None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Start with a loop that has just turned.

        Args:
            queues: Watches the queue of receipts.
            store: The record.
            alive: Resets the watchdog timer.
            watchdog: Seconds without that call after which the process is killed; None if never.
            monotonic: Seconds that never go back.
        """
        self._queues = queues
        self._store = store
        self._alive = alive
        self._monotonic = monotonic
        self._period = (watchdog or math.inf) / 3
        self._next = -math.inf if watchdog else math.inf
        self._turned_at = monotonic()
        self.broker_up = self.record_up = self.stopping = False
        self.inbox = 0
        self.ready_messages: int | None = None

    def turn(self) -> None:
        """Record a turn of the event loop, which calls this several times a second."""
        now = self._turned_at = self._monotonic()
        if now >= self._next:
            self._next = now + self._period
            self._alive()

    def check(self) -> None:
        """Check broker and record once; needs some seconds if one of them does not answer."""
        self.record_up = self._record_answers()
        try:
            depth = self._queues.depths()[RECEIPTS]
        except (*FAILURES, ConfigError):
            self.broker_up, self.ready_messages = False, None
        else:
            self.broker_up = True
            self.ready_messages = depth.ready if depth else None

    def alive(self) -> bool:
        """Return whether the event loop turns."""
        return self._monotonic() - self._turned_at < HUNG

    def unready(self) -> str | None:
        """Return the reason why no receipt can be stored now, as one word; None if it can."""
        if self.stopping:
            return "stopping"
        if not self.alive():
            return "loop_hangs"
        return None if self.broker_up or self.record_up else "broker_and_record_away"

    def remark(self) -> str | None:
        """Return a fault that does not stop the process from working; None if there is none."""
        if not self.broker_up:
            return f"broker_away: {self.inbox} messages in the inbox"
        return None if self.record_up else "record_away"

    def line(self) -> str:
        """Return the line for `systemctl status`."""
        return self.unready() or self.remark() or f"ready, {self.inbox} messages in the inbox"

    def _record_answers(self) -> bool:
        try:
            with self._store.reading() as connection:
                self.inbox = count_inbox(connection)
        except StoreError:
            return False
        return True
