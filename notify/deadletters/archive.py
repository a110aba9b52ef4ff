"""Draining the dead queue: each message is archived first, and then acknowledged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from notify.arrival import Again, Arrival, Done
from notify.contract import Limits
from notify.deadletters.known_requests import KnownRequests
from notify.deadletters.reading import Reading, read
from notify.deadletters.refused import EventAllowance, addressee, refused_event
from notify.errors import StoreError, StoreRefused
from notify.message import Notification, ids
from notify.store import Store
from notify.store.deadletters import Cause, Letter, archive_letters, find_known
from notify.telemetry.metrics import Metrics, catalog

LOOK_AGAIN = 2.0
"""Seconds until a message is tried again that the record did not accept."""

log = structlog.get_logger("notify.archive")


class Archive:
    """
    Archives dead letters in batches; it runs in the task that delivers in other pools.

    The dead queue has no dead-letter exchange: a message is acknowledged only once it is archived.
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
        Create an archive.

        Args:
            limits: The contract's, as delivery applies them, so that the reasons are the same.
            delivery_limits: How often the broker redelivers a message, by lane.
            metrics: Where to count archived letters; None counts them nowhere.
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

    def stop(self, *, timeout: float) -> None:
        """Do nothing, like `start`."""

    def hurry(self) -> None:
        """Do nothing: no message waits here."""

    def record_answers(self) -> bool:
        """Return whether the record can be written."""
        return self._store.answers()

    def deliver(self, arrivals: Sequence[Arrival]) -> bool:
        """Archive a batch in one transaction and settle each; return if the record answered."""
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
        answered = True
        for arrival, archived in zip(arrivals, self._archive(readings, now=now), strict=True):
            arrival.settle(Done() if archived else Again(LOOK_AGAIN))
            answered = answered and archived is not None
        return answered

    def _archive(self, readings: Sequence[Reading], *, now: datetime) -> list[bool | None]:
        """Write all; return for each whether it is archived, or None if the record is away."""
        try:
            self._write(readings, now=now)
        except StoreRefused:
            # One bad row fails the whole transaction: write them one by one.
            if len(readings) > 1:
                return [
                    archived for each in readings for archived in self._archive([each], now=now)
                ]
            return [self._archive_bare(readings[0], now=now)]
        except StoreError as error:
            log.error("notify.store_away", waiting=len(readings), error=str(error))
            return [None] * len(readings)
        return [True] * len(readings)

    def _write(self, readings: Sequence[Reading], *, now: datetime) -> None:
        firsts = [each.notifications[0] for each in readings if each.notifications]
        letters: list[Letter] = []
        try:
            with self._store.writing() as connection:
                known = KnownRequests(find_known(connection, firsts))
                letters = [self._letter(each, known, now=now) for each in readings]
                archive_letters(connection, letters, now=now)
        except StoreError:
            # The letters are redelivered, and take from the same allowance again.
            events = [each.refused_event for each in letters if each.refused_event]
            self._allowance.release([each["source"] for each in events], now=now)
            raise
        for reading, letter in zip(readings, letters, strict=True):
            self._metrics.count(catalog.DEAD_LETTERS, letter.cause.value)
            _log_archived(letter, reading.notifications)

    def _letter(self, reading: Reading, known: KnownRequests, *, now: datetime) -> Letter:
        """Return the letter, with the event that explains the refusal to its source."""
        lanes = self._delivery_limits
        letter = reading.letter(known, delivery_limits=lanes)
        problems = reading.problems(letter.cause, lanes=lanes)
        if not problems:
            return letter
        to = addressee(reading.incoming, self._limits)
        if not self._allowance.acquire(to, now=now) or to is None:
            return letter
        event = refused_event(letter, reading.incoming, problems, to=to, now=now)
        return replace(letter, refused_event=event.model_dump(mode="json"))

    def _archive_bare(self, reading: Reading, *, now: datetime) -> bool | None:
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


def _log_archived(letter: Letter, asked: Sequence[Notification]) -> None:
    fields = {
        "cause": letter.cause,
        "reason": letter.reason,
        **_ids(letter, asked),
        "channel": letter.channel,
        "lane": letter.lane,
        "source": letter.source,
    }
    log.info(
        "notify.archived", **{name: value for name, value in fields.items() if value is not None}
    )


def _ids(letter: Letter, asked: Sequence[Notification]) -> dict[str, str]:
    if len(asked) == 1:
        return asked[0].ids
    if letter.notification_id is None:
        return {}
    return ids(letter.notification_id, traceparent=asked[0].traceparent if asked else None)
