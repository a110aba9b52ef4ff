"""What producers want to hear of: changes of status that wait to be published as events."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
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
from notify.store.sealing.row_cipher import HAS_METADATA, METADATA_KEY, RowCipher, cipher_of
from notify.store.set_back import unleased
from notify.store.tables import attempts, events, notifications

log = structlog.get_logger("notify.store")

_BODIES_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class PendingEvent:
    """One event on record, as it is published."""

    event: Event
    traceparent: str | None


def lease_events(
    connection: Connection, *, now: datetime, hold: timedelta, limit: int
) -> list[PendingEvent]:
    """
    Take the oldest events that wait to be published, in order, and hold them against others.

    Whoever dies with them in hand lets go when *hold* is over.
    """
    columns = events.c
    chosen = (
        select(columns.id)
        .where(columns.to_publish.is_(True))
        .where(unleased(columns.relay_until, now=now, hold=hold))
        .order_by(columns.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("chosen")
    )
    taken = (
        update(events)
        .where(columns.id.in_(select(chosen.c.id)))
        .values(relay_until=now + hold)
        .returning(columns.id)
    )
    ids: list[int] = list(connection.execute(taken).scalars())
    return _read(connection, _among(connection, ids), limit=limit) if ids else []


def mark_events_published(connection: Connection, news: Iterable[PendingEvent]) -> None:
    """Note that the broker has these."""
    _let_go(connection, news, {"to_publish": False, "relay_until": None})


def release_events(connection: Connection, news: Iterable[PendingEvent]) -> None:
    """Give back what the broker did not take, so that it can be taken again at once."""
    _let_go(connection, news, {"relay_until": None})


def newest_events(
    connection: Connection,
    *,
    channel: Channel | None = None,
    status: Status | None = None,
    source: str | None = None,
    since: Moment | None = None,
    limit: int,
) -> list[PendingEvent]:
    """Read the newest changes of status that match, published or not, the oldest of them first."""
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
    return _read(connection, *conditions, limit=limit)


def _let_go(
    connection: Connection, news: Iterable[PendingEvent], values: Mapping[str, Any]
) -> None:
    ids = [each.event.sequence for each in news]
    if ids:
        connection.execute(update(events).where(_among(connection, ids)).values(values))


def _among(connection: Connection, ids: Sequence[int]) -> ColumnElement[bool]:
    """Name events by their ids: on PostgreSQL one array is cheaper than hundreds of values."""
    if connection.dialect.name == "sqlite":
        return events.c.id.in_(ids)
    return events.c.id == any_(literal(ids, ARRAY(BigInteger)))


def _read(
    connection: Connection, *conditions: ColumnElement[bool], limit: int
) -> list[PendingEvent]:
    """Read the last events that match, in order, with all that is told of them."""
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
            _has_metadata(connection).label("has_metadata"),
        )
        .join(notifications, asked.id == events.c.notification_id)
        .outerjoin(
            attempts,
            and_(
                attempts.c.notification_id == asked.id,
                attempts.c.number == asked.attempts,
                # Another call may have begun since; the event does not speak of that one.
                attempts.c.started_at <= events.c.at,
            ),
        )
        .where(*conditions)
        .order_by(events.c.id.desc())
        .limit(limit)
    )
    rows = connection.execute(query).all()[::-1]
    metadata = _metadata(connection, {row.row_id for row in rows if row.has_metadata})
    return [_news(row, metadata.get(row.row_id, {})) for row in rows]


def _news(row: Row[Any], metadata: dict[str, str]) -> PendingEvent:
    values = dict(row._mapping)
    del values["has_metadata"], values["row_id"]
    traceparent = values.pop("traceparent")
    event_id = uuid5(row.row_id, str(row.sequence))
    return PendingEvent(Event(event_id=event_id, metadata=metadata, **values), traceparent)


def _has_metadata(connection: Connection) -> ColumnElement[bool]:
    """Spare the bodies of those, most of them, that cannot have any."""
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
    """Read metadata out of the requests, a few at a time, since a body may be large."""
    if not ids:
        return {}
    query = (
        select(notifications.c.id, notifications.c.key_id, notifications.c.body)
        .where(notifications.c.id.in_(ids))
        .execution_options(yield_per=_BODIES_AT_ONCE)
    )
    cipher = cipher_of(connection)
    return {row.id: _metadata_of(row, cipher) for row in connection.execute(query)}


def _metadata_of(row: Row[Any], cipher: RowCipher) -> dict[str, str]:
    try:
        request = json.loads(cipher.open_body(row.id, row.key_id, row.body))
    except Sealed as error:
        # The news is worth more than its labels.
        log.error("notify.sealed", sealed_with=error.key, count=1, id=str(row.id))
        return {}
    metadata = request.get("metadata") or {}
    return metadata if isinstance(metadata, dict) else {}
