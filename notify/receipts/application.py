"""The work of a receipts worker: it applies the messages of its queues in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import structlog
from sqlalchemy import Connection

from notify.arrival import Again, Arrival, Dead, Decision, Done
from notify.contract import Incoming, RequestInvalid, read_receipts
from notify.errors import StoreError, StoreRefused
from notify.receipts.announcing import Announcement
from notify.receipts.application_metrics import ApplicationMetrics
from notify.receipts.applier import ReceiptApplier
from notify.receipts.received import (
    AppliedReceipt,
    ReceivedReceipt,
    ReportContent,
    received_of,
)
from notify.relays import OwnEvents
from notify.store import Store
from notify.suppression import Suppression
from notify.topology import RECEIPTS

MOST = 1000
"""Receipts that one transaction applies, unless a single message has more."""
LOOK_AGAIN = 2.0
"""Seconds until a message is tried again that the record did not accept."""

log = structlog.get_logger("notify.receipts")


class ReportReader(Protocol):
    """Reads one kind of the messages that producers send to the queue of feedback."""

    def read(self, incoming: Incoming) -> object:
        """
        Return the content of a message.

        Raises:
            RequestInvalid: It is not in its form, or its source may not send it.
        """

    def reported(
        self, connection: Connection, read: Sequence[Any], *, now: datetime
    ) -> ReportContent:
        """Return what was reported; nothing is written, and the same content may come again."""


@dataclass(frozen=True, slots=True)
class _Item:
    """One message: receipts of a vendor, or the content that a reader returned."""

    arrival: Arrival
    receipts: Sequence[ReceivedReceipt] = ()
    reader: ReportReader | None = None
    content: object = None

    @property
    def size(self) -> int:
        return len(self.receipts) or 1


class ReceiptApplication:
    """
    Applies receipts and producers' reports; it runs in the task that delivers in other pools.

    A batch is one transaction. A message that cannot be read, or that the record refuses by itself,
    becomes a dead letter; the others of its batch count, and so do its other receipts.
    """

    def __init__(
        self,
        store: Store,
        applier: ReceiptApplier,
        *,
        readers: dict[str, ReportReader],
        metrics: ApplicationMetrics,
        own_events: OwnEvents,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        """
        Create an application.

        Args:
            readers: By the first word of the routing key, such as `feedback`.
            own_events: Where to put the events that this process announces from memory.
        """
        self._store = store
        self._applier = applier
        self._readers = readers
        self._metrics = metrics
        self._own_events = own_events
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
        """Apply a batch and settle each message; return whether the record answered."""
        items = [item for each in arrivals if (item := self._read(each)) is not None]
        answered = True
        for group in _groups(items):
            if answered:
                answered = self._apply(group)
            else:
                _settle(group, Again(LOOK_AGAIN))
        return answered

    def apply_waiting(self) -> bool:
        """
        Apply receipts that waited for their call; return whether there were any.

        Raises:
            StoreError: The record cannot be used.
        """
        with self._store.writing() as connection:
            now = self._clock()
            applied = self._applier.apply_waiting(connection, now=now)
        self._metrics.applied(applied, now=now)
        return bool(applied)

    def _read(self, arrival: Arrival) -> _Item | None:
        incoming = arrival.incoming
        try:
            if arrival.raw().exchange == RECEIPTS:
                return _Item(arrival, list(received_of(read_receipts(incoming.body))))
            kind = incoming.routing_key.partition(".")[0]
            reader = self._readers[kind]
            return _Item(arrival, reader=reader, content=reader.read(incoming))
        except (RequestInvalid, KeyError) as error:
            reason = str(error) if isinstance(error, RequestInvalid) else "nothing reads its kind"
            log.warning("notify.report_refused", reason=reason)
            arrival.settle(Dead())
            return None

    def _apply(self, items: Sequence[_Item]) -> bool:
        """Apply messages in one transaction and settle them; return False if the record is away."""
        try:
            self._commit(items)
        except StoreRefused as error:
            if len(items) > 1:
                half = len(items) // 2
                # Both are tried: one bad message must not keep the others waiting.
                done = [self._apply(part) for part in (items[:half], items[half:])]
                return all(done)
            log.error("notify.receipts_refused", reason=str(error))
            return self._bury(items[0])
        except StoreError as error:
            return _away(items, error)
        _settle(items, Done())
        return True

    def _bury(self, item: _Item) -> bool:
        """Reject a message, once those of its receipts are applied that the record accepts."""
        try:
            self._apply_accepted(item)
        except StoreError as error:
            return _away([item], error)
        _settle([item], Dead())
        return True

    def _apply_accepted(self, refused: _Item) -> None:
        """Apply the receipts of a refused message in ever smaller parts, without settling it."""
        half = len(refused.receipts) // 2
        for receipts in (refused.receipts[:half], refused.receipts[half:]) if half else ():
            part = _Item(refused.arrival, receipts)
            try:
                self._commit([part])
            except StoreRefused:
                self._apply_accepted(part)

    def _commit(self, items: Sequence[_Item]) -> None:
        with self._store.writing() as connection:
            now = self._clock()
            until = self._own_events.lease_end(now)
            own = Announcement(until) if until is not None else None
            applied = self._write(connection, items, now=now, own=own)
        for event in own.events if own is not None else ():
            self._own_events.put(event)
        self._metrics.applied(applied, now=now)

    def _write(
        self,
        connection: Connection,
        items: Sequence[_Item],
        *,
        now: datetime,
        own: Announcement | None,
    ) -> list[AppliedReceipt]:
        receipts = [each for item in items for each in item.receipts]
        opt_outs: list[Suppression] = []
        for reader in self._readers.values():
            if read := [item.content for item in items if item.reader is reader]:
                reported = reader.reported(connection, read, now=now)
                receipts += reported.receipts
                opt_outs += reported.opt_outs
        if not receipts and not opt_outs:
            return []
        return self._applier.apply(
            connection, receipts, now=now, opt_outs=opt_outs, announcement=own
        )


def _groups(items: Sequence[_Item]) -> Iterator[list[_Item]]:
    """Split messages into groups of at most `MOST` receipts, in their order."""
    group: list[_Item] = []
    size = 0
    for item in items:
        if group and size + item.size > MOST:
            yield group
            group, size = [], 0
        group.append(item)
        size += item.size
    if group:
        yield group


def _away(items: Sequence[_Item], error: StoreError) -> bool:
    log.error("notify.store_away", waiting=len(items), error=str(error))
    _settle(items, Again(LOOK_AGAIN))
    return False


def _settle(items: Sequence[_Item], decision: Decision) -> None:
    for item in items:
        item.arrival.settle(decision)
