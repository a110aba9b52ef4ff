"""What operators hold back, as one worker process knows it: read twice a second."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from notify.message import Channel, Notification
from notify.policies.holds import Hold, Scope
from notify.store import Store
from notify.store.flow import holds as record

BATCH_SIZE = 1000
"""How many of those that a hold kept come due at one look; the next look is for the next."""

BEHIND = "notify"
"""Who holds everything where the record is found behind."""
REASON = "the record lacks what was committed to it (docs/operations.md#record-behind)"

log = structlog.get_logger("notify.holds")


@dataclass(frozen=True, slots=True)
class _Standing:
    hold: Hold
    ends: float
    """By this process's monotonic clock."""


class Holds:
    """
    Tells what has to wait. Any thread may ask, as long as one refreshes.

    While the record is away, what was known last stays in force; a hold that ends by itself ends
    in time all the same. Before the first `refresh`, no queue and no provider is known as held.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Callable[[], datetime] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._clock = clock or store.clock
        self._monotonic = monotonic
        # Replaced as a whole, so that no reader needs a lock.
        self._known: tuple[_Standing, ...] | None = None

    def refresh(self) -> None:
        """
        Read the holds that stand, and make due what waits for one that has ended.

        Raises:
            StoreError: The record cannot be used; what was known stays in force.
        """
        stopped = self._stop_behind()
        before = self._monotonic()
        with self._store.reading() as connection:
            # In this order: what keeps something was placed before, so it is found if it stands.
            keepers = set(record.hold_ids_in_use(connection))
            found, now = record.current(connection)
        # Counted from before the reading: rather some milliseconds early than late.
        self._known = tuple(_Standing(hold, _ends(hold, now, before)) for hold in found)
        if stopped:
            # The hold is known from here on, and keeps everything back.
            self._store.position.accept()
        if ended := keepers - {hold.id for hold in found}:
            self._wake(ended)

    def _stop_behind(self) -> bool:
        """
        Hold everything, for all workers, where the record lacks what was committed to it.

        What is lacking may have been sent: only a person can tell what that means.

        Returns:
            Whether that was so, and the hold stands.
        """
        position = self._store.position
        position.follow_file()
        with self._store.reading() as connection:
            if not position.check(connection):
                return False
        with self._store.writing() as connection:
            # Looked for where the hold is written: the look before may have met a standby.
            if not position.check(connection):
                return False
            standing, _ = record.current(connection)
            if not any(each.actor == BEHIND and not each.given for each in standing):
                record.place(connection, Scope(), actor=BEHIND, reason=REASON)
        log.error("notify.record_behind", hint="docs/operations.md#record-behind")
        return True

    @property
    def record_behind(self) -> bool:
        """Whether everything is held back because the record was found behind."""
        return self._first(lambda hold: hold.actor == BEHIND) is not None

    def match(self, notification: Notification) -> Hold | None:
        """
        Find what keeps a notification back; None if it may be sent.

        Raises:
            StoreError: Nothing was ever read, and cannot be now; what is held must not slip out.
        """
        if self._known is None:
            self.refresh()
        return self._first(lambda hold: hold.matches(notification)) if self._known else None

    def stops_queue(self, channel: Channel, lane: str) -> Hold | None:
        """Find what keeps all messages of a queue back; None if it is to be consumed."""
        return self._first(lambda hold: hold.stops_queue(channel, lane)) if self._known else None

    def stops_provider(self, name: str) -> Hold | None:
        """Find what keeps everything from a provider; None if it may be asked."""
        return self._first(lambda hold: hold.stops_provider(name)) if self._known else None

    def _first(self, stops: Callable[[Hold], bool]) -> Hold | None:
        now = self._monotonic()
        standing = (each.hold for each in self._known or () if now < each.ends)
        return next((hold for hold in standing if stops(hold)), None)

    def _wake(self, ids: set[int]) -> None:
        """
        Make due what waits for holds that have ended.

        The rows told of them, not the holds: a worker that had not heard of a hold's end may
        have set something aside for it afterwards.
        """
        with self._store.writing() as connection:
            count = record.release_ended(connection, ids, now=self._clock(), limit=BATCH_SIZE)
        if count:
            log.info("notify.released", count=count)


def _ends(hold: Hold, now: float, at: float) -> float:
    """Translate from the database's clock to ours."""
    return math.inf if hold.until is None else at + (hold.until - now)
