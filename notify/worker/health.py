"""The health of one worker: its event loop, its broker, its record, and its queues' backlogs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

from notify.errors import ConfigError, StoreError
from notify.publisher import FAILURES
from notify.store import Store
from notify.store.db import CLOCK_OFF, read_clock
from notify.topology import Depth, QueueWatch
from notify.worker.backlog import Backlog
from notify.worker.loop_state import LoopState

PERIOD = 2.0
"""Seconds between two checks of broker and record."""
HUNG = 30.0
"""Seconds without a turn after which the event loop counts as hung, as by systemd's watchdog."""


class Health:
    """
    Checks broker and record in `check`; the other methods use its results and the loop's state.

    Attributes:
        broker_up: Whether the broker answered the last check.
        record_up: Whether the record answered the last check.
        host_ahead: Seconds by which this host's clock is ahead of the database's.
    """

    def __init__(
        self,
        loop: LoopState,
        *,
        queues: QueueWatch,
        store: Store,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._loop = loop
        self._queues = queues
        self._store = store
        self._clock = clock
        self._monotonic = monotonic
        self._depths: Mapping[str, Depth] = {}
        self._backlogs: dict[str, Backlog] = {}
        self.broker_up = self.record_up = False
        self.host_ahead = 0.0

    def check(self) -> None:
        """Check broker and record once; needs some seconds if one of them does not answer."""
        self.record_up = self._record_answers()
        found = self._read_depths()
        now = self._clock()
        for name, depth in found.items():
            backlog = self._backlogs.setdefault(name, Backlog(now=now))
            backlog.see(depth.ready, taken=self._loop.taken.get(name), now=now)
        self._depths = found

    def alive(self) -> bool:
        """Return whether the event loop turns."""
        return self._monotonic() - self._loop.turned_at < HUNG

    def unready(self) -> str | None:
        """Return the reason why the worker cannot work now, as one word; None if it can."""
        loop = self._loop
        if loop.stopping:
            return "stopping"
        if not self.alive():
            return "loop_hangs"
        if not loop.connected or not self.broker_up:
            return "broker_away"
        return "record_away" if loop.paused or not self.record_up else None

    def remark(self) -> str | None:
        """Return a fault that does not stop the worker from working; None if there is none."""
        if abs(self.host_ahead) <= CLOCK_OFF:
            return None
        direction = "ahead of" if self.host_ahead > 0 else "behind"
        return f"clock_off: {abs(self.host_ahead):.1f} s {direction} the database's"

    def ready_messages(self) -> int | None:
        """Return how many messages wait in the queues; None while the broker does not answer."""
        return sum(depth.ready for depth in self._depths.values()) if self.broker_up else None

    def depths(self) -> Iterator[tuple[str, Depth]]:
        """Yield each queue's last depth; nothing while the broker does not answer."""
        return iter(list(self._depths.items()))

    def backlogs(self) -> Iterator[tuple[str, Backlog]]:
        """Yield the backlog of each queue in `depths`."""
        return iter([(name, self._backlogs[name]) for name in list(self._depths)])

    def _record_answers(self) -> bool:
        try:
            with self._store.reading() as connection:
                read_clock(connection)
            # The clock samples the database by itself; a slow answer here must not set it back.
            self._store.clock()
            self.host_ahead = self._store.clock.host_ahead
        except StoreError:
            return False
        return True

    def _read_depths(self) -> dict[str, Depth]:
        try:
            found = self._queues.depths()
        except (*FAILURES, ConfigError):
            self.broker_up = False
            return {}
        self.broker_up = True
        return {name: depth for name, depth in found.items() if depth is not None}
