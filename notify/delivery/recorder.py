"""Recording in groups: all calls that ended while the last commit went on share the next one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from queue import Empty, SimpleQueue

import structlog

from notify.errors import StoreError, StoreRefused
from notify.store import Claim, Claimed, Entry, Record, Store
from notify.store.delivery import LEASE
from notify.store.reconcile import notification_of

LARGEST_GROUP = 256
SHORTEST_PAUSE = 0.05
LONGEST_PAUSE = 5.0
"""Seconds between two tries while the store is away; the pauses double."""

log = structlog.get_logger("notify.recorder")


@dataclass(frozen=True, slots=True)
class PendingRecord:
    """A call's end, and whom to tell once it is on record."""

    record: Record
    recorded: Callable[[bool], None]
    """
    Called with False where another worker had taken the notification over. Where it raises
    `StoreError`, the record is written again, and it is called again.
    """


class Recorder:
    """
    Writes endings from many threads, one transaction at a time.

    While the store is away it keeps trying: the calls were made, and only the record of their
    outcome keeps them from being made again. Their messages stay unacknowledged meanwhile.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._endings: SimpleQueue[PendingRecord | None] = SimpleQueue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def put(self, ending: PendingRecord) -> None:
        """Hand over an ending; returns at once."""
        self._endings.put(ending)

    def answers(self) -> bool:
        """Return whether the record can be written; may take as long as a claim that fails."""
        return self._store.answers()

    def claim_again(self, entry: Entry, record: Record, *, now: datetime) -> Claimed | None:
        """
        Claim once more what a call was made for, where the record has lost the call's own claim.

        Else the message would be taken for new, and sent twice.

        Returns:
            The claim under which the call's end can be recorded; None where the record has the
            call, or something else stands against it.

        Raises:
            StoreError: The record cannot be used now.
        """
        if entry.attempt_id != record.attempt_id:
            # Another worker's call, whose claim has lapsed.
            return None
        try:
            with self._store.reading() as connection:
                if notification_of(connection, record.attempt_id) is not None:
                    return None
            (claimed,) = self._store.claim([entry], now=now, lease=LEASE)
        except Exception as error:
            if isinstance(error, StoreError) and not isinstance(error, StoreRefused):
                raise
            # Without the recorder's thread no outcome is recorded.
            log.error("notify.call_fault", id=str(entry.notification.id), exc_info=error)
            return None
        if claimed.claim is not Claim.OWNED:
            return None
        log.warning("notify.claimed_again", id=str(entry.notification.id))
        return claimed

    def stop(self, *, timeout: float) -> None:
        """Write what was handed over, for *timeout* seconds at most."""
        self._stopping.set()
        self._endings.put(None)
        self._thread.join(timeout)

    def _run(self) -> None:
        while (first := self._endings.get()) is not None:
            group = [first]
            last = self._gather(group)
            self._write(group)
            if last:
                return

    def _gather(self, group: list[PendingRecord]) -> bool:
        """Add what else is there; tell whether the end of all was met."""
        while len(group) < LARGEST_GROUP:
            try:
                ending = self._endings.get_nowait()
            except Empty:
                return False
            if ending is None:
                return True
            group.append(ending)
        return False

    def _write(self, group: Sequence[PendingRecord]) -> None:
        try:
            late = self._persist([ending.record for ending in group])
        except Exception as error:  # noqa: BLE001 - without this thread no outcome is recorded
            self._write_apart(group, error)
            return
        if late is None:
            return
        for ending in group:
            self._report(ending, owned=ending.record.notification_id not in late)

    def _report(self, ending: PendingRecord, *, owned: bool) -> None:
        try:
            ending.recorded(owned)
        except StoreError as error:
            # Its claim is lost and could not be made again: from the start, after a pause.
            log.error("notify.store_away", waiting=1, error=str(error))
            self._stopping.wait(SHORTEST_PAUSE)
            self._endings.put(ending)

    def _write_apart(self, group: Sequence[PendingRecord], error: Exception) -> None:
        """Find the outcome that the record refuses, and write it without what it refuses."""
        if len(group) > 1:
            middle = len(group) // 2
            self._write(group[:middle])
            self._write(group[middle:])
            return
        (ending,) = group
        record, plain = ending.record, ending.record.plain()
        log.error(
            "notify.outcome_refused",
            id=str(record.notification_id),
            attempt_id=str(record.attempt_id),
            outcome=record.outcome,
            exc_info=error,
        )
        if plain != record:
            self._write([replace(ending, record=plain)])
        else:
            # The claim lapses, and the rule for lost answers decides.
            self._report(ending, owned=False)

    def _persist(self, records: list[Record]) -> set[object] | None:
        """
        Write, however long it takes; None if the worker is told to stop first.

        Raises:
            StoreRefused: One of the records cannot be stored.
        """
        pause = SHORTEST_PAUSE
        while True:
            try:
                return set(self._store.record(records))
            except StoreRefused:
                raise
            except StoreError as error:
                log.error("notify.store_away", waiting=len(records), error=str(error))
                if self._stopping.wait(pause):
                    # One more try was made above after the call to stop; the messages were
                    # never acknowledged, so another worker will find the open attempts.
                    return None
                pause = min(pause * 2, LONGEST_PAUSE)
