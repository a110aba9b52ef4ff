"""The holds that operators placed, in one worker process: read twice a second."""

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
"""The most messages of released holds to make due in one refresh; the next one continues."""

BEHIND = "notify"
"""The actor of the hold on everything that is placed if the record is behind."""
REASON = "the record lacks what was committed to it (docs/operations.md#record-behind)"

log = structlog.get_logger("notify.holds")


@dataclass(frozen=True, slots=True)
class _ActiveHold:
    hold: Hold
    ends: float
    """By this process's monotonic clock."""


class Holds:
    """
    Finds the hold that stops a message. Safe among threads, if only one of them refreshes.

    While the record is away, the holds that were read last stay in force, and still expire on
    time. Before the first `refresh`, no queue and no provider counts as held.
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
        self._active: tuple[_ActiveHold, ...] | None = None

    def refresh(self) -> None:
        """
        Read the holds, and make messages due whose hold was released or has expired.

        Raises:
            StoreError: The record cannot be used; the holds that were read last stay in force.
        """
        held = self._hold_behind()
        before = self._monotonic()
        with self._store.reading() as connection:
            # In this order: a hold in use was placed before it, so it is found unless it has ended.
            in_use = set(record.hold_ids_in_use(connection))
            found, now = record.current(connection)
        # Counted from before the reading: some milliseconds early rather than late.
        self._active = tuple(_ActiveHold(hold, _ends(hold, now, before)) for hold in found)
        if held:
            # From here on the hold is in force here, and nothing is sent.
            self._store.position.accept()
        if ended := in_use - {hold.id for hold in found}:
            self._wake(ended)

    def _hold_behind(self) -> bool:
        """
        Hold everything, for all workers, if the record lacks commits.

        The missing messages may have been sent, so an operator must decide.

        Returns:
            Whether the record lacks commits, and the hold is in place.
        """
        position = self._store.position
        position.follow_file()
        with self._store.reading() as connection:
            if not position.check(connection):
                return False
        with self._store.writing() as connection:
            # Checked again where the hold is written: the reading may have reached a standby.
            if not position.check(connection):
                return False
            holds, _ = record.current(connection)
            if not any(each.actor == BEHIND and not each.given for each in holds):
                record.place(connection, Scope(), actor=BEHIND, reason=REASON)
        log.error("notify.record_behind", hint="docs/operations.md#record-behind")
        return True

    @property
    def record_behind(self) -> bool:
        """Whether everything is held because the record was found behind."""
        return self._first(lambda hold: hold.actor == BEHIND) is not None

    def match(self, notification: Notification) -> Hold | None:
        """
        Return the hold that stops a notification; None if there is none.

        Raises:
            StoreError: The holds were never read, and cannot be read now; nothing may be sent.
        """
        if self._active is None:
            self.refresh()
        return self._first(lambda hold: hold.matches(notification)) if self._active else None

    def stops_queue(self, channel: Channel, lane: str) -> Hold | None:
        """Return the hold on all messages of a queue; None if it may be consumed."""
        return self._first(lambda hold: hold.stops_queue(channel, lane)) if self._active else None

    def stops_provider(self, name: str) -> Hold | None:
        """Return the hold on a provider; None if it may be called."""
        return self._first(lambda hold: hold.stops_provider(name)) if self._active else None

    def _first(self, stops: Callable[[Hold], bool]) -> Hold | None:
        now = self._monotonic()
        active = (each.hold for each in self._active or () if now < each.ends)
        return next((hold for hold in active if stops(hold)), None)

    def _wake(self, ids: set[int]) -> None:
        """
        Make messages due whose holds have ended.

        The ids come from the messages' rows, not from the holds: a worker that had not read a
        hold's end yet may have deferred a message for it afterwards.
        """
        with self._store.writing() as connection:
            count = record.release_ended(connection, ids, now=self._clock(), limit=BATCH_SIZE)
        if count:
            log.info("notify.released", count=count)


def _ends(hold: Hold, now: float, at: float) -> float:
    """Return a hold's end by the monotonic clock."""
    return math.inf if hold.until is None else at + (hold.until - now)
