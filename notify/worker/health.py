"""How one worker does: its loop, its broker, its record, and what waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

import amqp

from notify.errors import ConfigError, StoreError
from notify.periodic import PeriodicThread
from notify.publisher import FAILURES
from notify.store import Store
from notify.store.db import CLOCK_OFF, read_clock
from notify.topology import Depth, depths
from notify.worker.backlog import Backlog
from notify.worker.loop_state import LoopState

PERIOD = 2.0
"""Seconds between two looks at broker and record."""
HUNG = 30.0
"""Seconds after which a loop that has not turned is taken for hung, as systemd's watchdog does."""


class Health:
    """Looks from a thread of its own, so that whoever asks is answered at once."""

    def __init__(
        self,
        vitals: LoopState,
        *,
        queues: Sequence[str],
        connect: Callable[[], amqp.Connection],
        store: Store,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Take what to look at.

        Args:
            queues: Those whose messages are counted.
            connect: Connects to the broker.
            store: A store of its own, which `stop` closes.
        """
        self._vitals = vitals
        self._queues = queues
        self._connect = connect
        self._store = store
        self._clock = clock
        self._monotonic = monotonic
        self._connection: amqp.Connection | None = None
        self._depths: dict[str, Depth] = {}
        self._backlogs: dict[str, Backlog] = {}
        self._looking = PeriodicThread("health", self._look, period=PERIOD)
        self.broker_up = self.record_up = False
        self.host_ahead = 0.0

    def start(self) -> None:
        """Begin to look."""
        self._looking.start()

    def stop(self, *, timeout: float) -> None:
        """Look no more."""
        self._looking.stop(timeout=timeout)
        self._drop()
        self._store.close()

    def alive(self) -> bool:
        """Tell whether the loop turns."""
        return self._monotonic() - self._vitals.turned_at < HUNG

    def unready(self) -> str | None:
        """Tell in a word why the worker cannot work now; None if it can, if there is work."""
        vitals = self._vitals
        if vitals.stopping:
            return "stopping"
        if not self.alive():
            return "loop_hangs"
        if not vitals.connected or not self.broker_up:
            return "broker_away"
        return "record_away" if vitals.paused or not self.record_up else None

    def remark(self) -> str | None:
        """Return what is wrong and does not keep the worker from its work; None if nothing is."""
        if abs(self.host_ahead) <= CLOCK_OFF:
            return None
        way = "ahead of" if self.host_ahead > 0 else "behind"
        return f"clock_off: {abs(self.host_ahead):.1f} s {way} the database's"

    def depths(self) -> Iterator[tuple[str, Depth]]:
        """Give the queues as they were last seen; none while the broker does not answer."""
        return iter(list(self._depths.items()))

    def backlogs(self) -> Iterator[tuple[str, Backlog]]:
        """Give what is known of those queues."""
        return iter([(name, self._backlogs[name]) for name in list(self._depths)])

    def _look(self) -> None:
        self.record_up = self._record_answers()
        found = self._seen()
        now = self._clock()
        for name, depth in found.items():
            backlog = self._backlogs.setdefault(name, Backlog(now=now))
            backlog.see(depth.ready, taken=self._vitals.taken.get(name), now=now)
        self._depths = found

    def _record_answers(self) -> bool:
        try:
            with self._store.reading() as connection:
                self._store.clock.learn(read_clock(connection))
            self.host_ahead = self._store.clock.host_ahead
        except StoreError:
            return False
        return True

    def _seen(self) -> dict[str, Depth]:
        try:
            if self._connection is None:
                self._connection = self._connect()
            found = depths(self._queues, self._connection)
        except (*FAILURES, ConfigError):
            self.broker_up = False
            self._drop()
            return {}
        self.broker_up = True
        return {name: depth for name, depth in found.items() if depth is not None}

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*FAILURES):
                connection.close()
