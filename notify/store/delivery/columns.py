"""The columns of the two hot writes, each with its PostgreSQL type, and the rows to write."""

from __future__ import annotations

from notify.message import Status
from notify.store.delivery.claims import Entry
from notify.store.delivery.records import Record
from notify.store.sealing.row_cipher import RowCipher
from notify.store.suppression import SuppressionCheck

NEW = {
    "id": "uuid",
    "public_id": "uuid",
    "batch_id": "uuid",
    "position": "int",
    "source": "text",
    "channel": "text",
    "lane": "text",
    "idempotency_key": "text",
    "digest": "bytea",
    "recipient": "text",
    "template": "text",
    "category": "text",
    "body": "bytea",
    "shared_id": "uuid",
    "status": "text",
    "reason": "text",
    "expires_at": "timestamptz",
    "traceparent": "text",
    "due_at": "timestamptz",
    "hold_id": "bigint",
    "key_id": "text",
    "recipient_hash": "bytea",
}
"""The columns of `notifications` that a claim writes, besides its lease and counts."""

CLAIMED = {
    **NEW,
    "attempt_id": "uuid",
    "provider": "text",
    "clear_hash": "bytea",
    "sender": "text",
    "checked": "text",
}
"""
The same, with the call that it opens (no `attempt_id`, no call), and what the suppression list is
searched for.
"""

ENDED = {
    "id": "uuid",
    "attempt_id": "uuid",
    "fence": "int",
    "at": "timestamptz",
    "outcome": "text",
    "status": "text",
    "provider_id": "text",
    "http_status": "int",
    "code": "text",
    "reason": "text",
    "spent": "int",
    "due_at": "timestamptz",
    "possible_duplicate": "bool",
    "to_publish": "bool",
    "relay_until": "timestamptz",
}
"""The values that are written when a call ends."""


def claimed_row(entry: Entry, cipher: RowCipher) -> tuple[object, ...]:
    """Return the values of an entry in the order of `CLAIMED`."""
    asked = entry.notification
    sealed = cipher.seal_notification(asked)
    sending = entry.status is Status.SENDING
    return (
        asked.id,
        asked.public_id,
        asked.batch_id,
        asked.position,
        asked.source,
        asked.channel.value,
        asked.lane,
        asked.idempotency_key,
        sealed.digest,
        sealed.recipient,
        asked.template,
        asked.category,
        sealed.body,
        None if asked.shared is None else asked.shared.id,
        entry.status.value,
        entry.reason,
        asked.expires_at,
        asked.traceparent,
        entry.due_at,
        entry.hold_id,
        sealed.key_id,
        sealed.recipient_hash,
        entry.attempt_id if sending else None,
        entry.provider,
        cipher.clear_hash(asked.to),
        entry.sender,
        entry.check.value if sending else SuppressionCheck.NONE.value,
    )


def ended_row(record: Record) -> tuple[object, ...]:
    """Return the values of an outcome in the order of `ENDED`."""
    return (
        record.notification_id,
        record.attempt_id,
        record.fence,
        record.ended_at,
        record.outcome.value,
        record.status.value,
        record.provider_id,
        record.http_status,
        record.code,
        record.reason,
        record.spent,
        record.due_at,
        record.possible_duplicate,
        record.to_publish,
        record.announced_until,
    )
