"""The event of a notification's first call, made without reading the record."""

from __future__ import annotations

from notify.contract import Event
from notify.store import Entry, Record
from notify.store.relays import PendingEvent, event_id_of

FIRST = 1
"""The fence of a first call: its event needs nothing from the record but its number."""


def first_event(entry: Entry, record: Record, sequence: int) -> PendingEvent:
    """
    Return the event of a first call's end, as `lease_events` would read it.

    Args:
        sequence: The event's id on record.
    """
    asked = entry.notification
    event = Event(
        v=1,
        event_id=event_id_of(record.notification_id, sequence),
        sequence=sequence,
        at=record.ended_at,
        id=asked.public_id or asked.id,
        batch_id=asked.batch_id,
        position=asked.position,
        source=asked.source,
        channel=asked.channel,
        lane=asked.lane,
        idempotency_key=asked.idempotency_key,
        template=asked.template,
        status=record.status,
        reason=record.reason,
        attempts=1,
        provider=entry.provider,
        provider_id=record.provider_id,
        code=record.code,
        possible_duplicate=record.possible_duplicate,
        metadata=dict(asked.metadata),
    )
    return PendingEvent(event, asked.traceparent)
