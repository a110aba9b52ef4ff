"""Recording in groups: outcomes that arrive during one commit are written in the next."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from queue import Empty, SimpleQueue
from typing import Protocol
from uuid import UUID

import structlog

from notify.delivery.plan import Attempt, DeliveryItem
from notify.errors import StoreError, StoreRefused
from notify.store import Claim, Claimed, Entry, Record, Store
from notify.store.delivery import LEASE
from notify.store.reconcile import notification_of
from notify.store.suppression import SuppressionCheck
from notify.suppression import Suppression, log_added, suppress
from notify.telemetry.log_stream import lines_together
from notify.telemetry.tracing import nanoseconds_now

LARGEST_GROUP = 256
"""Outcomes after which no more are added to a transaction; one call may have more messages."""
SHORTEST_PAUSE = 0.05
LONGEST_PAUSE = 5.0
"""Seconds between two tries while the store is away; the pauses double."""

log = structlog.get_logger("notify.recorder")


class RecordReports(Protocol):
    """Reports outcomes once they are on record."""

    def recorded(self, alike: Sequence[tuple[PendingRecord, int]]) -> None:
        """Report equal outcomes, each as it was written and with its event."""

    def lost(self, pending: PendingRecord) -> None:
        """
        Report an outcome that another worker's claim kept from being written.

        Raises:
            StoreError: The record cannot be used; the outcome is written again.
        """


@dataclass(frozen=True, slots=True)
class PendingRecord:
    """An outcome to record, with its notification, and the receiver of the report."""

    record: Record
    item: DeliveryItem
    entry: Entry
    claimed: Claimed
    reports: RecordReports
    stops: Suppression | None = None
    """Set if the vendor accepts nothing for the recipient, who is then suppressed."""
    began: int = field(default_factory=nanoseconds_now)
    alike: object = field(default_factory=object)
    """The same object for outcomes that are equal but for their notifications and attempts."""

    def of(self, attempt: Attempt) -> PendingRecord:
        """Return an equal outcome of another attempt."""
        record = self.record.of(attempt.notification.id, attempt.message.attempt_id)
        return PendingRecord(
            record,
            attempt.item,
            attempt.entry,
            attempt.claimed,
            self.reports,
            self.stops,
            self.began,
            self.alike,
        )


class Recorder:
    """
    Writes outcomes from many threads, one transaction at a time.

    While the store is away it retries: the calls were made, and only the record of their outcome
    prevents a second one. Until then their messages stay unacknowledged.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pending: SimpleQueue[Sequence[PendingRecord] | None] = SimpleQueue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)

    def start(self) -> None:
        """Start the thread that writes."""
        self._thread.start()

    def put(self, *pending: PendingRecord) -> None:
        """Queue outcomes to be written, all of them in one transaction."""
        self._pending.put(pending)

    def answers(self) -> bool:
        """Return whether the record can be written; may take as long as a claim that fails."""
        return self._store.answers()

    def claim_again(self, entry: Entry, record: Record, *, now: datetime) -> Claimed | None:
        """
        Claim a notification again after its call, if the record has lost the call's own claim.

        Without it the message would count as new, and be sent twice.

        Returns:
            The claim with which the outcome can be recorded; None if the call is already on record,
            or no claim is granted.

        Raises:
            StoreError: The record cannot be used now.
        """
        if entry.attempt_id != record.attempt_id:
            # The call is another worker's, whose claim has lapsed.
            return None
        try:
            with self._store.reading() as connection:
                if notification_of(connection, record.attempt_id) is not None:
                    return None
            # The call was made: a suppression since then does not undo it.
            again = replace(entry, check=SuppressionCheck.NONE)
            (claimed,) = self._store.claim([again], now=now, lease=LEASE)
        except Exception as error:
            if isinstance(error, StoreError) and not isinstance(error, StoreRefused):
                raise
            # An error here would stop the recorder's thread, and no outcome would be recorded.
            log.error("notify.call_fault", id=str(entry.notification.id), exc_info=error)
            return None
        if claimed.claim is not Claim.OWNED:
            return None
        log.warning("notify.claimed_again", id=str(entry.notification.id))
        return claimed

    def stop(self, *, timeout: float) -> None:
        """Write all pending outcomes, and wait *timeout* seconds at most."""
        self._stopping.set()
        self._pending.put(None)
        self._thread.join(timeout)

    def _run(self) -> None:
        last = False
        # A lost outcome is put back, also by the group that was to be the last one.
        while not (last and self._pending.empty()):
            first = self._pending.get()
            group = [*(first or ())]
            last = first is None or self._gather(group) or last
            if group:
                self._write(group)

    def _gather(self, group: list[PendingRecord]) -> bool:
        """Add pending outcomes to the group; return whether the recorder must stop after it."""
        while len(group) < LARGEST_GROUP:
            try:
                pending = self._pending.get_nowait()
            except Empty:
                return False
            if pending is None:
                return True
            group += pending
        return False

    def _write(self, group: Sequence[PendingRecord]) -> None:
        try:
            events = self._persist([pending.record for pending in group])
        except Exception as error:  # noqa: BLE001 - without this thread no outcome is recorded
            self._write_apart(group, error)
            return
        if events is None:
            return
        self._suppress([pending.stops for pending in group if pending.stops is not None])
        with lines_together():
            for _, alike in groupby(group, attrgetter("alike")):
                self._report([*alike], events)

    def _suppress(self, items: Sequence[Suppression]) -> None:
        """Add refused recipients to the list; if that fails, the next refusal adds them."""
        if not items:
            return
        try:
            with self._store.writing() as connection:
                added = suppress(connection, items, now=max(item.since for item in items))
        except StoreError as error:
            log.error("notify.store_away", waiting=len(items), error=str(error))
            return
        log_added(added)

    def _report(self, alike: Sequence[PendingRecord], events: Mapping[UUID, int]) -> None:
        found = [(each, events.get(each.record.notification_id)) for each in alike]
        written = [(each, event) for each, event in found if event is not None]
        if written:
            try:
                alike[0].reports.recorded(written)
            except Exception as error:
                # The thread must survive: without it no outcome is recorded.
                id_ = str(alike[0].record.notification_id)
                log.error("notify.call_fault", id=id_, exc_info=error)
        if len(written) < len(alike):
            for each, event in found:
                if event is None:
                    self._lost(each)

    def _lost(self, pending: PendingRecord) -> None:
        try:
            pending.reports.lost(pending)
        except StoreError as error:
            # Its claim is lost and could not be made again: retry after a pause.
            log.error("notify.store_away", waiting=1, error=str(error))
            self._stopping.wait(SHORTEST_PAUSE)
            self.put(pending)

    def _write_apart(self, group: Sequence[PendingRecord], error: Exception) -> None:
        """Find the outcome that the store refuses, and write it without the refused values."""
        if len(group) > 1:
            middle = len(group) // 2
            self._write(group[:middle])
            self._write(group[middle:])
            return
        (pending,) = group
        record, plain = pending.record, pending.record.plain()
        log.error(
            "notify.outcome_refused",
            id=str(record.notification_id),
            attempt_id=str(record.attempt_id),
            outcome=record.outcome,
            exc_info=error,
        )
        if plain != record:
            self._write([replace(pending, record=plain)])
        else:
            # The claim lapses, and the rule for lost answers decides.
            self._lost(pending)

    def _persist(self, records: list[Record]) -> Mapping[UUID, int] | None:
        """
        Write, and retry until the store accepts; None if the recorder is stopped first.

        Raises:
            StoreRefused: One of the records cannot be stored.
        """
        pause = SHORTEST_PAUSE
        while True:
            try:
                return self._store.record_ends(records)
            except StoreRefused:
                raise
            except StoreError as error:
                log.error("notify.store_away", waiting=len(records), error=str(error))
                if self._stopping.wait(pause):
                    # The write above was the last try. The messages are unacknowledged, so
                    # another worker will find the open attempts.
                    return None
                pause = min(pause * 2, LONGEST_PAUSE)
