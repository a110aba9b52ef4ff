"""Events for producers: changes of status that wait to be published."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha1
from typing import Any, Protocol
from uuid import UUID, uuid5

import structlog
from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    LargeBinary,
    Row,
    and_,
    any_,
    func,
    literal,
    or_,
    select,
    update,
)

from notify.contract import Event
from notify.errors import Sealed
from notify.message import Channel, Status
from notify.store.db.clock import Moment, moment
from notify.store.ids import PUBLIC_ID
from notify.store.relays.leasing import lease_rows
from notify.store.sealing.row_cipher import HAS_METADATA, METADATA_KEY, RowCipher, cipher_of
from notify.store.tables import attempts, events, notifications

log = structlog.get_logger("notify.store")

_BATCH = 20


@dataclass(frozen=True, slots=True)
class PendingEvent:
    """One event to publish."""

    event: Event
    traceparent: str | None

    @property
    def sequence(self) -> int:
        """Its id on record."""
        return self.event.sequence


class Numbered(Protocol):
    """An event that can be found on record."""

    @property
    def sequence(self) -> int:
        """Its id on record."""


def lease_events(
    connection: Connection, *, now: datetime, lease: timedelta, limit: int
) -> list[PendingEvent]:
    """
    Lease the oldest unpublished events, and return them in order.

    When *lease* is over, another relay may lease them: this one may have died.
    """
    columns = events.c
    leased = lease_rows(
        events,
        columns.to_publish.is_(True),
        until=columns.relay_until,
        first=columns.id,
        now=now,
        lease=lease,
        limit=limit,
    ).returning(columns.id)
    ids: list[int] = list(connection.execute(leased).scalars())
    return _read(connection, _among(connection, ids), limit=limit) if ids else []


def mark_events_published(connection: Connection, pending: Iterable[Numbered]) -> None:
    """Mark events as published: the broker confirmed them."""
    _update(connection, pending, {"to_publish": False, "relay_until": None})


def release_events(connection: Connection, pending: Iterable[Numbered]) -> None:
    """End the leases of events that the broker did not confirm."""
    _update(connection, pending, {"relay_until": None})


def newest_events(
    connection: Connection,
    *,
    channel: Channel | None = None,
    status: Status | None = None,
    source: str | None = None,
    since: Moment | None = None,
    among: int | None = None,
    limit: int,
) -> list[PendingEvent]:
    """
    Return the newest changes of status that match, published or not, oldest first.

    Args:
        among: The changes that are examined at most, the newest ones; None for all on record.
    """
    conditions = [
        column == value
        for column, value in (
            (notifications.c.channel, channel),
            (events.c.status, status),
            (notifications.c.source, source),
        )
        if value is not None
    ]
    if since is not None:
        conditions.append(events.c.at >= moment(since))
    if among is not None:
        oldest = select(events.c.id).order_by(events.c.id.desc()).offset(among - 1).limit(1)
        conditions.append(events.c.id >= func.coalesce(oldest.scalar_subquery(), 0))
    return _read(connection, *conditions, limit=limit)


def read_events(connection: Connection, sequences: Sequence[int]) -> list[PendingEvent]:
    """Return events by their numbers, in order; those of deleted notifications are left out."""
    if not sequences:
        return []
    return _read(connection, _among(connection, sequences), limit=len(sequences))


def _update(connection: Connection, pending: Iterable[Numbered], values: Mapping[str, Any]) -> None:
    ids = [each.sequence for each in pending]
    if ids:
        connection.execute(update(events).where(_among(connection, ids)).values(values))


def _among(connection: Connection, ids: Sequence[int]) -> ColumnElement[bool]:
    """Match events by id: on PostgreSQL one array is cheaper than hundreds of values."""
    if connection.dialect.name == "sqlite":
        return events.c.id.in_(ids)
    return events.c.id == any_(literal(ids, ARRAY(BigInteger)))


def _read(
    connection: Connection, *conditions: ColumnElement[bool], limit: int
) -> list[PendingEvent]:
    """Return the last events that match, in order, with the fields to publish."""
    asked = notifications.c
    query = (
        select(
            events.c.id.label("sequence"),
            events.c.at,
            events.c.status,
            events.c.reason,
            asked.id.label("row_id"),
            PUBLIC_ID.label("id"),
            asked.batch_id,
            asked.position,
            asked.source,
            asked.channel,
            asked.lane,
            asked.idempotency_key,
            asked.template,
            asked.attempts,
            asked.possible_duplicate,
            asked.traceparent,
            attempts.c.provider,
            attempts.c.provider_id,
            attempts.c.code,
            has_metadata(connection).label("has_metadata"),
        )
        .join(notifications, asked.id == events.c.notification_id)
        .outerjoin(
            attempts,
            and_(
                attempts.c.notification_id == asked.id,
                attempts.c.number == asked.attempts,
                # Not a call that began after the event.
                attempts.c.started_at <= events.c.at,
            ),
        )
        .where(*conditions)
        .order_by(events.c.id.desc())
        .limit(limit)
    )
    rows = connection.execute(query).all()[::-1]
    metadata = _metadata(connection, {row.row_id for row in rows if row.has_metadata})
    return [_pending_event(row, metadata.get(row.row_id, {})) for row in rows]


def event_id_of(row_id: UUID, sequence: int) -> UUID:
    """Return the id of a notification's event, the same each time that it is published."""
    return uuid5(row_id, str(sequence))


def event_id_text(row_id: UUID, sequence: int) -> str:
    """Return `event_id_of` as text, at a third of the cost: RFC 4122, section 4.3."""
    text = sha1(row_id.bytes + b"%d" % sequence, usedforsecurity=False).hexdigest()
    variant = "89ab"[int(text[16], 16) & 3]
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{variant}{text[17:20]}-{text[20:32]}"


def _pending_event(row: Row[Any], metadata: dict[str, str]) -> PendingEvent:
    values = dict(row._mapping)
    del values["has_metadata"], values["row_id"]
    traceparent = values.pop("traceparent")
    event_id = event_id_of(row.row_id, row.sequence)
    return PendingEvent(Event(event_id=event_id, metadata=metadata, **values), traceparent)


def has_metadata(connection: Connection) -> ColumnElement[bool]:
    """Match rows that may have metadata, so that most bodies are not read."""
    body = notifications.c.body
    if connection.dialect.name == "sqlite":
        plain = func.instr(body, literal(METADATA_KEY)) > 0
        first = func.substr(body, 1, 1)
    else:
        plain = func.position(literal(METADATA_KEY).op("IN")(body)) > 0
        first = func.substring(body, 1, 1)
    sealed = notifications.c.key_id.is_not(None)
    return or_(and_(sealed, first == literal(HAS_METADATA, LargeBinary)), and_(~sealed, plain))


def _metadata(connection: Connection, ids: Collection[UUID]) -> dict[UUID, dict[str, str]]:
    """Return the metadata of requests; bodies may be large, so they are read in batches."""
    if not ids:
        return {}
    query = (
        select(notifications.c.id, notifications.c.key_id, notifications.c.body)
        .where(notifications.c.id.in_(ids))
        .execution_options(yield_per=_BATCH)
    )
    cipher = cipher_of(connection)
    return {row.id: _metadata_of(row, cipher) for row in connection.execute(query)}


def _metadata_of(row: Row[Any], cipher: RowCipher) -> dict[str, str]:
    try:
        request = json.loads(cipher.open_body(row.id, row.key_id, row.body))
    except Sealed as error:
        # An event without metadata is better than none.
        log.error("notify.sealed", sealed_with=error.key, count=1, id=str(row.id))
        return {}
    metadata = request.get("metadata") or {}
    return metadata if isinstance(metadata, dict) else {}
