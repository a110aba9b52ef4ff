"""Draining the dead queue: what is in it is written down first, and then acknowledged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from notify.contract import Limits
from notify.deadletters.known_requests import KnownRequests
from notify.deadletters.reading import Reading, read
from notify.deadletters.refused import EventAllowance, addressee, refused_event
from notify.delivery import Again, Arrival, Done
from notify.errors import StoreError, StoreRefused
from notify.message import Notification, ids
from notify.store import Store
from notify.store.deadletters import Cause, Letter, archive_letters, find_known
from notify.telemetry.metrics import Metrics, catalog

LOOK_AGAIN = 2.0
"""Seconds until a message is looked at again that the record did not take."""

log = structlog.get_logger("notify.archive")


class Archive:
    """
    Takes dead letters in batches, for the task that delivers elsewhere.

    Nothing lies behind the dead queue, so a message is acknowledged when it is in the archive,
    and for no other reason.
    """

    def __init__(
        self,
        store: Store,
        *,
        limits: Limits,
        delivery_limits: Mapping[str, int],
        metrics: Metrics | None = None,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        """
        Take what to read messages by.

        Args:
            limits: Those of delivery, so that the same reasons are found.
            delivery_limits: How often the broker gives out a message of each lane.
            metrics: Where to count what is archived; nowhere that is looked at, if None.
        """
        self._store = store
        self._limits = limits
        self._delivery_limits = delivery_limits
        self._metrics = metrics or Metrics()
        for cause in Cause:
            self._metrics.expect(catalog.DEAD_LETTERS, cause.value)
        self._allowance = EventAllowance(self._metrics)
        self._clock = clock or store.clock

    def start(self) -> None:
        """Do nothing: it has no threads of its own."""

    def stop(self, *, timeout: float) -> None:  # noqa: ARG002 - as delivery is stopped
        """Give back the record's connections."""
        self._store.close()

    def hurry(self) -> None:
        """Finish soon: here nothing ever waits."""

    def record_answers(self) -> bool:
        """Tell whether the record can be written."""
        return self._store.answers()

    def deliver(self, arrivals: Sequence[Arrival]) -> bool:
        """Archive a batch in one transaction, and settle each; tell if the record was there."""
        try:
            now = self._clock()
        except StoreError as error:
            log.error("notify.store_away", waiting=len(arrivals), error=str(error))
            for each in arrivals:
                each.settle(Again(LOOK_AGAIN))
            return False
        readings = [
            read(each.incoming, each.raw(), limits=self._limits, now=now) for each in arrivals
        ]
        worked = True
        for arrival, kept in zip(arrivals, self._keep(readings, now=now), strict=True):
            arrival.settle(Done() if kept else Again(LOOK_AGAIN))
            worked = worked and kept is not None
        return worked

    def _keep(self, readings: Sequence[Reading], *, now: datetime) -> list[bool | None]:
        """Write all; tell of each if it is kept, or None where the record is away."""
        try:
            self._write(readings, now=now)
        except StoreRefused:
            # One bad row fails the whole transaction: find it, and spare its neighbours.
            if len(readings) > 1:
                return [kept for each in readings for kept in self._keep([each], now=now)]
            return [self._keep_bare(readings[0], now=now)]
        except StoreError as error:
            log.error("notify.store_away", waiting=len(readings), error=str(error))
            return [None] * len(readings)
        return [True] * len(readings)

    def _write(self, readings: Sequence[Reading], *, now: datetime) -> None:
        firsts = [each.notifications[0] for each in readings if each.notifications]
        letters: list[Letter] = []
        try:
            with self._store.writing() as connection:
                book = KnownRequests(find_known(connection, firsts))
                letters = [self._letter(each, book, now=now) for each in readings]
                archive_letters(connection, letters, now=now)
        except StoreError:
            # The letters come again, alone or after a while, and take from the same allowance.
            events = [each.refused_event for each in letters if each.refused_event]
            self._allowance.give_back([each["source"] for each in events], now=now)
            raise
        for reading, letter in zip(readings, letters, strict=True):
            self._metrics.count(catalog.DEAD_LETTERS, letter.cause.value)
            _tell(letter, reading.notifications)

    def _letter(self, reading: Reading, book: KnownRequests, *, now: datetime) -> Letter:
        """Make a letter, and the event that tells its source why it was refused."""
        lanes = self._delivery_limits
        letter = reading.letter(book, delivery_limits=lanes)
        problems = reading.problems(letter.cause, lanes=lanes)
        if not problems:
            return letter
        to = addressee(reading.incoming, self._limits)
        if not self._allowance.take(to, now=now) or to is None:
            return letter
        event = refused_event(letter, reading.incoming, problems, to=to, now=now)
        return replace(letter, refused_event=event.model_dump(mode="json"))

    def _keep_bare(self, reading: Reading, *, now: datetime) -> bool | None:
        try:
            with self._store.writing() as connection:
                archive_letters(connection, [letter := reading.bare()], now=now)
        except StoreRefused as error:
            log.error("notify.archive_refused", error=str(error))
            return False
        except StoreError as error:
            log.error("notify.store_away", waiting=1, error=str(error))
            return None
        self._metrics.count(catalog.DEAD_LETTERS, letter.cause.value)
        return True


def _tell(letter: Letter, asked: Sequence[Notification]) -> None:
    known = {
        "cause": letter.cause,
        "reason": letter.reason,
        **_ids(letter, asked),
        "channel": letter.channel,
        "lane": letter.lane,
        "source": letter.source,
    }
    told = {name: value for name, value in known.items() if value is not None}
    log.info("notify.archived", **told)


def _ids(letter: Letter, asked: Sequence[Notification]) -> dict[str, str]:
    if len(asked) == 1:
        return asked[0].ids
    if letter.notification_id is None:
        return {}
    return ids(letter.notification_id, traceparent=asked[0].traceparent if asked else None)
