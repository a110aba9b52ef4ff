"""Which notification and call a receipt is about; the rows are locked until the commit."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Connection, Uuid, any_, literal, select

from notify.errors import Sealed
from notify.message import Channel, Identity, Outcome, Status
from notify.store.ids import PUBLIC_ID
from notify.store.relays import has_metadata
from notify.store.sealing.row_cipher import cipher_of
from notify.store.tables import attempts, notifications


@dataclass(slots=True)
class ReportedCall:
    """One call of a notification that receipts are about."""

    id: UUID
    number: int
    provider: str
    provider_id: str | None
    outcome: Outcome | None
    """None while its own worker has not recorded the answer."""
    code: str | None
    started_at: datetime


@dataclass(slots=True)
class ReportedNotification:
    """
    A locked notification that receipts are about, as it is at this point of the transaction.

    Attributes:
        announceable: Whether these values are all that the event of a change says.
        calls: In their order.
    """

    id: UUID
    public_id: UUID
    batch_id: UUID | None
    position: int
    source: str
    channel: Channel
    lane: str
    idempotency_key: str
    template: str | None
    status: Status
    recipient_hash: bytes | None
    attempts: int
    possible_duplicate: bool
    lease_until: datetime | None
    traceparent: str | None
    announceable: bool
    calls: list[ReportedCall] = field(default_factory=list)

    def call(self, attempt_id: UUID | None) -> ReportedCall | None:
        """Return the call of an id; None if it has no such call."""
        return next((each for each in self.calls if each.id == attempt_id), None)

    def likely_call(self, provider: str | None = None) -> ReportedCall | None:
        """
        Return the call that a report without a call's id is about.

        An accepted one comes before a lost one, and that before an open one.

        Args:
            provider: Only calls of this provider count; None counts all.
        """
        calls = [each for each in self.calls if provider in (None, each.provider)]
        for outcome in (Outcome.ACCEPTED, Outcome.UNKNOWN, None):
            for each in reversed(calls):
                if each.outcome is outcome:
                    return each
        return None


def owners_of(connection: Connection, attempt_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """Return the notification of each call that is on record."""
    if not attempt_ids:
        return {}
    columns = attempts.c
    query = select(columns.id, columns.notification_id)
    found = connection.execute(query.where(_among(connection, columns.id, attempt_ids)))
    return {row.id: row.notification_id for row in found}


def lock_reported(
    connection: Connection, ids: Collection[UUID]
) -> dict[UUID, ReportedNotification]:
    """Lock notifications, in the order of their ids, and return them with their calls."""
    if not ids:
        return {}
    columns = notifications.c
    query = select(*_REPORTED, (~has_metadata(connection)).label("announceable"))
    query = query.where(_among(connection, columns.id, ids))
    locked = connection.execute(query.order_by(columns.id).with_for_update()).all()
    found = {row.id: _reported(row._asdict()) for row in locked}
    # Read after the lock: a worker may have recorded an outcome while this transaction waited.
    calls = attempts.c
    query = select(*(calls[name] for name in ReportedCall.__dataclass_fields__))
    query = query.add_columns(calls.notification_id).order_by(calls.number)
    for row in connection.execute(query.where(_among(connection, calls.notification_id, found))):
        values = row._asdict()
        owner = values.pop("notification_id")
        values["outcome"] = values["outcome"] and Outcome(values["outcome"])
        found[owner].calls.append(ReportedCall(**values))
    return found


_REPORTED = [
    PUBLIC_ID.label(name) if name == "public_id" else notifications.c[name]
    for name in ReportedNotification.__dataclass_fields__
    if name not in ("announceable", "calls")
]


def _reported(values: dict[str, Any]) -> ReportedNotification:
    values["status"], values["channel"] = Status(values["status"]), Channel(values["channel"])
    return ReportedNotification(**values)


@dataclass(frozen=True, slots=True)
class OwnNotification:
    """The row of a notification that its producer reports about."""

    id: UUID
    channel: Channel
    recipient: str
    """Empty if it was erased, or its key is missing."""
    recipient_hash: bytes | None = None


def find_own(
    connection: Connection, asked: Iterable[Identity]
) -> Mapping[Identity, OwnNotification]:
    """Return the notifications on record by their sources and the ids that these know them by."""
    by_source: dict[str, set[UUID]] = {}
    for source, id_ in asked:
        by_source.setdefault(source, set()).add(id_)
    return {
        (source, id_): found
        for source, ids in by_source.items()
        for id_, found in _own_of(connection, source, ids).items()
    }


def _own_of(
    connection: Connection, source: str, ids: Collection[UUID]
) -> Mapping[UUID, OwnNotification]:
    columns, cipher = notifications.c, cipher_of(connection)
    own = columns.id.in_(ids) & columns.public_id.is_(None)
    query = select(PUBLIC_ID.label("public_id"), columns.id, columns.channel, columns.key_id)
    query = query.add_columns(columns.recipient, columns.recipient_hash)
    query = query.where(columns.source == source)
    found: dict[UUID, OwnNotification] = {}
    # Each of the two is found by its own index.
    for matching in (own, columns.public_id.in_(ids)):
        for row in connection.execute(query.where(matching)):
            recipient = ""
            with suppress(Sealed):
                recipient = cipher.open_recipient(row.id, row.key_id, row.recipient)
            found[row.public_id] = OwnNotification(
                row.id, Channel(row.channel), recipient, row.recipient_hash
            )
    return found


@dataclass(frozen=True, slots=True)
class RecentCall:
    """A recent call for a recipient."""

    notification_id: UUID
    attempt_id: UUID
    provider: str
    provider_id: str | None


def recent_calls(
    connection: Connection, recipient_hashes: Collection[bytes], *, since: datetime
) -> dict[bytes, list[RecentCall]]:
    """Return the calls for recipients that began after a time, by the recipient's hash."""
    found: dict[bytes, list[RecentCall]] = {}
    if not recipient_hashes:
        return found
    asked, calls = notifications.c, attempts.c
    query = (
        select(asked.recipient_hash, calls.notification_id, calls.id, calls.provider)
        .add_columns(calls.provider_id)
        .join(notifications, asked.id == calls.notification_id)
        .where(asked.recipient_hash.in_(recipient_hashes), calls.started_at >= since)
    )
    for row in connection.execute(query):
        call = RecentCall(row.notification_id, row.id, row.provider, row.provider_id)
        found.setdefault(bytes(row.recipient_hash), []).append(call)
    return found


def _among(
    connection: Connection, column: ColumnElement[Any], ids: Collection[UUID]
) -> ColumnElement[bool]:
    """Match ids: on PostgreSQL one array is cheaper than hundreds of values."""
    if connection.dialect.name == "sqlite":
        return column.in_(ids)
    return column == any_(literal(list(ids), ARRAY(Uuid)))
