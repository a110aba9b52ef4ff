"""Reading notifications: one with its calls and events, or summaries of many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, and_, or_, select

from notify.errors import Sealed
from notify.message import Channel, Outcome, Status
from notify.receipt import ReceiptEvent
from notify.store.db.clock import Moment
from notify.store.ids import PUBLIC_ID
from notify.store.sealing.row_cipher import RowCipher, cipher_of, spellings
from notify.store.tables import attempts, events, notifications, receipts

ERASED = "(erased)"
"""Shown in place of an erased recipient."""


@dataclass(frozen=True, slots=True)
class RecordedAttempt:
    """One call that was made, or begun, for a notification."""

    id: UUID
    number: int
    provider: str
    started_at: datetime
    ended_at: datetime | None
    outcome: Outcome | None
    """None while the answer is not recorded."""
    provider_id: str | None
    http_status: int | None
    code: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class StatusChange:
    """One change of a notification's status."""

    at: datetime
    status: Status
    reason: str | None


@dataclass(frozen=True, slots=True)
class RecordedReceipt:
    """A report about a sent notification, by its vendor or by the producer."""

    provider: str
    """Its name in the configuration; `producer` for feedback."""
    attempt_id: UUID | None
    event: ReceiptEvent
    word: str
    """The vendor's own word for the event."""
    blame: str | None
    code: str | None
    reason: str | None
    at: datetime | None
    """By the vendor's clock."""
    received_at: datetime
    applied_at: datetime | None
    """None while it waits for its call to be recorded."""


@dataclass(frozen=True, slots=True)
class Summary:
    """One notification, without its calls and events."""

    id: UUID
    """The row's; commands accept it as well as the producer's."""
    public_id: UUID
    """The producer's; it differs from the row's if another source used the same one before."""
    batch_id: UUID | None
    position: int
    source: str
    channel: Channel
    lane: str
    template: str | None
    category: str | None
    recipient: str
    """In brackets if it cannot be shown: it was erased, or its key is missing."""
    status: Status
    reason: str | None
    attempts: int
    """Calls that were made, or begun."""
    spent: int
    """Calls that count against the lane's limit: throttled ones do not."""
    possible_duplicate: bool
    """Whether it was sent again though an earlier call may have sent it."""
    due_at: datetime | None
    """When a relay or reconciler handles it; None while the broker or a worker has it."""
    received_at: datetime
    updated_at: datetime
    expires_at: datetime | None
    idempotency_key: str
    lease_until: datetime | None = None
    """The end of its worker's lease; None if no call is open."""


@dataclass(frozen=True, slots=True)
class Story:
    """One notification with its calls, events and receipts, each in order."""

    summary: Summary
    attempts: Sequence[RecordedAttempt]
    events: Sequence[StatusChange]
    receipts: Sequence[RecordedReceipt] = ()

    @property
    def status(self) -> Status:
        """The notification's status."""
        return self.summary.status


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """The notifications to select; None does not filter."""

    channel: Channel | None = None
    lane: str | None = None
    source: str | None = None
    status: Status | None = None
    template: str | None = None
    category: str | None = None
    recipient: str | None = None
    batch_id: UUID | None = None
    since: Moment | None = None
    until: Moment | None = None

    @property
    def has_key(self) -> bool:
        """Whether an index finds the few rows that match."""
        return self.recipient is not None or self.batch_id is not None

    @property
    def is_counted(self) -> bool:
        """Whether the kept totals can answer it."""
        others = self.source, self.template, self.category
        return not self.has_key and all(each is None for each in others)


SUMMARY = [
    *(notifications.c[name] for name in Summary.__dataclass_fields__ if name != "public_id"),
    PUBLIC_ID.label("public_id"),
    notifications.c.key_id,
    notifications.c.erased_at,
]
"""The columns of a `Summary`."""
ATTEMPT = [attempts.c[name] for name in RecordedAttempt.__dataclass_fields__]
"""The columns of a `RecordedAttempt`."""
_RECEIPT = [receipts.c[name] for name in RecordedReceipt.__dataclass_fields__]


def get(connection: Connection, notification_id: UUID) -> Story | None:
    """Return one notification with all that belongs to it; None if it is not on record."""
    row = connection.execute(
        select(*SUMMARY).where(notifications.c.id == notification_id)
    ).one_or_none()
    if row is None:
        return None
    calls = connection.execute(
        select(*ATTEMPT)
        .where(attempts.c.notification_id == notification_id)
        .order_by(attempts.c.number)
    )
    changes = connection.execute(
        select(events.c.at, events.c.status, events.c.reason)
        .where(events.c.notification_id == notification_id)
        .order_by(events.c.id)
    )
    return Story(
        summary=summary_of(row, cipher_of(connection)),
        attempts=[attempt_of(call) for call in calls],
        events=[
            StatusChange(change.at, Status(change.status), change.reason) for change in changes
        ],
        receipts=_receipts(connection, notification_id),
    )


def _receipts(connection: Connection, notification_id: UUID) -> list[RecordedReceipt]:
    query = select(*_RECEIPT).where(receipts.c.notification_id == notification_id)
    found = connection.execute(query.order_by(receipts.c.id))
    return [
        RecordedReceipt(**(row._asdict() | {"event": ReceiptEvent(row.event)})) for row in found
    ]


def sent_to(recipient: str, cipher: RowCipher) -> ColumnElement[bool]:
    """Match the rows of a recipient, sealed or not, in any spelling of the address."""
    columns = notifications.c
    unhashed = and_(columns.recipient_hash.is_(None), columns.recipient.in_(spellings(recipient)))
    return or_(columns.recipient_hash.in_(cipher.hashes(recipient)), unhashed)


def summary_of(row: Row[Any], cipher: RowCipher) -> Summary:
    """Return the summary of a row with the columns of `SUMMARY`."""
    values = row._asdict()
    key_id, erased_at = values.pop("key_id"), values.pop("erased_at")
    values["recipient"] = ERASED if erased_at else _recipient(row, key_id, cipher)
    values["channel"] = Channel(values["channel"])
    values["status"] = Status(values["status"])
    return Summary(**values)


def _recipient(row: Row[Any], key_id: str | None, cipher: RowCipher) -> str:
    try:
        return cipher.open_recipient(row.id, key_id, row.recipient)
    except Sealed as error:
        return f"(sealed with {error.key})"


def attempt_of(row: Row[Any]) -> RecordedAttempt:
    """Return the call of a row with the columns of `ATTEMPT`, and others."""
    values = {name: row._mapping[name] for name in RecordedAttempt.__dataclass_fields__}
    values["outcome"] = values["outcome"] and Outcome(values["outcome"])
    return RecordedAttempt(**values)
