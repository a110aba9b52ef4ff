"""Reporting outcomes that are on record: events, metrics, log lines, decisions on messages."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from notify.arrival import Again, Dead, Done
from notify.contract import EventIdentity
from notify.delivery.first_event import first_event
from notify.delivery.metrics import DeliveryMetrics
from notify.delivery.recorder import PendingRecord, Recorder
from notify.message import Status
from notify.relays import OwnEvents
from notify.store import Record
from notify.store.relays import event_id_text
from notify.telemetry.log_stream import log_each
from notify.telemetry.tracing import NO_TRACE, nanoseconds_now

DEAD_ENDS = frozenset({Status.EXPIRED, Status.FAILED})
"""An operator may edit and replay these."""

log = structlog.get_logger("notify.delivery")


class OutcomeReport:
    """Reports outcomes that are on record, equal ones of one request together."""

    def __init__(
        self,
        recorder: Recorder,
        metrics: DeliveryMetrics,
        own_events: OwnEvents,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._recorder = recorder
        self._metrics = metrics
        self._own_events = own_events
        self._clock = clock

    def recorded(self, alike: Sequence[tuple[PendingRecord, int]]) -> None:
        """Announce, count and log equal outcomes, and decide on their message."""
        (first, _), times = alike[0], len(alike)
        try:
            self._report(alike, times)
        finally:
            # They are on record, whatever their report lacks.
            dead = first.record.status in DEAD_ENDS
            first.item.settlement.add(Dead() if dead else Done(), times=times)

    def _report(self, alike: Sequence[tuple[PendingRecord, int]], times: int) -> None:
        first, _ = alike[0]
        if first.record.announced_until is not None:
            self._announce(alike)
        self._metrics.recorded(first.item.notification, first.claimed, first.record, times=times)
        if first.item.trace is not NO_TRACE:
            # A traced outcome has no equal.
            first.item.trace.note("record", first.began, nanoseconds_now())
            first.item.trace.ended(first.item.notification, first.record.status)
        log_each(_log, [each for each, _ in alike], own=_own_values, equal=_equal_values(first))

    def lost(self, pending: PendingRecord) -> None:
        """
        Write an outcome under a new claim, or have its message delivered again.

        Raises:
            StoreError: The record cannot be used.
        """
        record, entry, item = pending.record, pending.entry, pending.item
        again = self._recorder.claim_again(entry, record, now=self._clock())
        if again is None:
            log.error("notify.fenced", **item.notification.ids, outcome=record.outcome)
            item.settlement.add(Again())
            return
        # The row may have another id than the one that was lost.
        row = again.id or entry.notification.id
        record = replace(record, notification_id=row, fence=again.fence)
        self._recorder.put(
            PendingRecord(record, item, entry, again, self, pending.stops, pending.began)
        )

    def _announce(self, alike: Sequence[tuple[PendingRecord, int]]) -> None:
        (first, event), others = alike[0], alike[1:]
        opening = first_event(first.entry, first.record, event)
        if not others:
            self._own_events.put(opening)
            return
        identities = [_identity(each, sequence) for each, sequence in others]
        self._own_events.put_alike(opening, identities)


def _identity(pending: PendingRecord, sequence: int) -> EventIdentity:
    asked = pending.entry.notification
    event_id = event_id_text(pending.record.notification_id, sequence)
    return EventIdentity(event_id, sequence, asked.public_id or asked.id, asked.position)


def _own_values(pending: PendingRecord) -> Sequence[str]:
    """Return the values that no other outcome's log line has, in the order of the line."""
    return *pending.item.notification.ids.values(), str(pending.record.attempt_id)


def _equal_values(pending: PendingRecord) -> Hashable:
    """Return the values that other outcomes' log lines may have as well."""
    notification, record = pending.item.notification, pending.record
    return (
        notification.batch_id is None,
        notification.traceparent is None,
        record.status,
        notification.channel,
        notification.lane,
        notification.source,
        pending.entry.provider,
        record.http_status,
        record.code,
        record.reason,
        record.due_at,
    )


def _log(pending: PendingRecord) -> None:
    notification, record = pending.item.notification, pending.record
    write = log.info if record.status is Status.SENT else log.warning
    event = f"notify.{record.status}"
    if record.status is Status.UNKNOWN and record.due_at is None:
        # No worker retries it: an operator must decide, and is alerted by this line.
        write, event = log.error, "notify.parked"
    write(
        event,
        **notification.ids,
        attempt_id=str(record.attempt_id),
        channel=notification.channel,
        lane=notification.lane,
        source=notification.source,
        **_known(record, pending.entry.provider),
    )


def _known(record: Record, provider: str | None) -> dict[str, object]:
    known = {
        "provider": provider,
        "http_status": record.http_status,
        "code": record.code,
        "reason": record.reason,
        "due_at": record.due_at and record.due_at.isoformat(),
    }
    return {name: value for name, value in known.items() if value is not None}
