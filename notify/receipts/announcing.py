"""Events of receipts that this process publishes from memory (docs/adr/0014)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from notify.contract import Event
from notify.store.receipts import ReportedCall, ReportedNotification, RowTransition
from notify.store.relays import PendingEvent, event_id_of


@dataclass(slots=True)
class Announcement:
    """
    The events of one transaction, which its caller publishes once it is committed.

    Attributes:
        until: Until when only the caller publishes them; another process does afterwards.
        events: In no particular order.
    """

    until: datetime
    events: list[PendingEvent] = field(default_factory=list)

    def add(
        self,
        notification: ReportedNotification,
        change: RowTransition,
        *,
        sequence: int,
        codes: Mapping[UUID, str],
        now: datetime,
    ) -> None:
        """
        Add the event of a change, as a relay would read it from the record.

        Args:
            notification: The changed one; its event needs no more than its values.
            change: The status that it has from now on.
            sequence: The event's id on record.
            codes: The codes that the transaction adds to calls, by call.
            now: When the status changed.
        """
        call = last_call(notification)
        assert call is not None  # noqa: S101 - or it is not announceable
        event = Event(
            v=1,
            event_id=event_id_of(notification.id, sequence),
            sequence=sequence,
            at=now,
            id=notification.public_id,
            batch_id=notification.batch_id,
            position=notification.position,
            source=notification.source,
            channel=notification.channel,
            lane=notification.lane,
            idempotency_key=notification.idempotency_key,
            template=notification.template,
            status=change.to.status,
            reason=change.to.reason,
            attempts=notification.attempts,
            provider=call.provider,
            provider_id=call.provider_id,
            code=call.code or codes.get(call.id),
            possible_duplicate=notification.possible_duplicate,
            metadata={},
        )
        self.events.append(PendingEvent(event, notification.traceparent))


def is_announceable(notification: ReportedNotification, *, now: datetime) -> bool:
    """Return whether the event of a change can be written without reading the record again."""
    call = last_call(notification)
    return notification.announceable and call is not None and call.started_at <= now


def last_call(notification: ReportedNotification) -> ReportedCall | None:
    """Return the call that an event names; None if it is not on record."""
    last = notification.attempts
    return next((each for each in notification.calls if each.number == last), None)
